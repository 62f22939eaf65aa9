// A message to the agent while it works.
import { SendHorizontal } from "lucide-react";
import { type Dispatch, type FormEvent, type KeyboardEvent, type SetStateAction, useRef } from "react";
import { useAct, useMay } from "../../api/query";
import { Button } from "../../ui/Button";
import { notify } from "../../ui/Toasts";
import ui from "../../ui/ui.module.css";
import { ended } from "../../ui/words";
import type { Messages, Sending } from "./messages";
import css from "./Run.module.css";
import type { ShownRun } from "./RunPage";

interface Props {
  run: ShownRun;
  messages: Messages;
  /** What is written so far: it stays while another tab is looked at. */
  text: string;
  onText: Dispatch<SetStateAction<string>>;
  /** The log has something else to show. */
  onChange: () => void;
}

export function Message({ run, messages, text, onText: setText, onChange }: Props) {
  const sending = useRef<Sending>(undefined);
  const send = useAct("run.send", {
    quiet: true,
    failed: () => {
      if (sending.current) messages.giveUp(sending.current);
      onChange();
    },
    done: ({ message }) => {
      // What was written meanwhile stays.
      setText((now) => (now === sending.current?.text ? "" : now));
      notify({ tone: "good", title: `Queued: ${message.charAt(0).toLowerCase()}${message.slice(1)}` });
    },
  });
  const may = useMay("run.send");
  const ready = run.state === "working";
  if (!may) return null;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (text.trim() === "" || !ready || send.isPending) return;
    sending.current = messages.send(text, Date.now());
    onChange();
    send.mutate({ run: run.id, text });
  };
  const press = (event: KeyboardEvent) => {
    if (event.key === "Enter" && !event.shiftKey) submit(event);
  };
  return (
    <>
      {!ready && text !== "" && (
        <p className={css.unsent} role="status">
          What you wrote cannot be sent now: {ended(run.state) ? "the run has ended" : "the agent is not at work"}. It stays here.
        </p>
      )}
      <form className={css.message} onSubmit={submit} data-above-toasts>
        <textarea
          className={ui.input}
          rows={2}
          value={text}
          onChange={(event) => setText(event.target.value)}
          onKeyDown={press}
          aria-label="Message to the agent"
          placeholder={
            ready ? `Tell ${run.agent ?? "the agent"} something; it gets it when its present turn ends` : "It listens once it is working"
          }
          disabled={!ready && text === ""}
        />
        <Button type="submit" tone="primary" busy={send.isPending} disabled={!ready || text.trim() === ""}>
          <SendHorizontal size={14} aria-hidden /> Send
        </Button>
      </form>
    </>
  );
}
