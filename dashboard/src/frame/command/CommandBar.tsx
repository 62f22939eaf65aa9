// The command bar: finds anything, and does what it is told in a sentence: it shows what it understood, asks before it changes
// anything, and says what came of it.
import { Dialog } from "@base-ui/react/dialog";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { type KeyboardEvent, useDeferredValue, useEffect, useMemo, useRef, useState } from "react";
import { call } from "../../api/call";
import { Button } from "../../ui/Button";
import ui from "../../ui/ui.module.css";
import type { Found } from "../rank";
import { useFindable } from "../sources";
import css from "./CommandBar.module.css";
import { clear, hear, type Turn, useTalk } from "./conversation";
import { handOver } from "./early";
import { Options, optionId } from "./OptionList";
import { completed, fitting, type Option, optionsOf, usual } from "./options";
import { TurnView } from "./TurnView";

/** What was written and not sent when the bar was closed: it comes again, chosen whole, so that other words take its place. */
let left = "";

export default function CommandBar({ onClose }: { onClose: () => void }) {
  const [text, setText] = useState(left);
  const fresh = useRef(true);
  useEffect(() => {
    left = text;
  }, [text]);
  /** The chosen option's id, where somebody chose. */
  const [picked, setPicked] = useState<string>();
  const { turns, spoken } = useTalk();
  const field = useRef<HTMLInputElement>(null);
  const all = useFindable();
  const options = useOptions(text, all);
  const shown = text.trim() !== "" || turns.length === 0;
  const at = Math.max(
    options.findIndex((one) => one.id === picked),
    -1,
  );
  const chosen = options[at >= 0 ? at : usual(options, text)];

  const write = (next: string) => {
    setText(next);
    setPicked(undefined);
    field.current?.focus();
  };
  const send = (said: string) => {
    write("");
    void hear(said);
  };
  const take = (option: Option | undefined) => {
    if (option?.kind === "ask") send(option.text);
    else if (option?.kind === "complete") write(completed(text, option.completion));
    else if (option?.kind === "found" && option.found.says) send(option.found.says);
    else if (option?.kind === "found") {
      left = "";
      onClose();
      option.found.go();
    }
  };
  const walk = (step: 1 | -1) => {
    const now = chosen ? options.indexOf(chosen) : -1;
    setPicked(options[Math.min(Math.max(now + step, 0), options.length - 1)]?.id);
  };
  const press = (event: KeyboardEvent) => {
    const onward = options.find((one) => one.kind === "complete");
    if (event.nativeEvent.isComposing) return;
    if (event.key === "Enter") take(chosen);
    else if (event.key === "ArrowUp" && text === "" && picked === undefined && turns.length > 0) write(turns.at(-1)?.said ?? "");
    else if (event.key === "ArrowDown" && shown) walk(1);
    else if (event.key === "ArrowUp" && shown) walk(-1);
    else if (event.key === "Tab" && !event.shiftKey && text.trim() !== "" && onward) take(chosen?.kind === "complete" ? chosen : onward);
    else return;
    event.preventDefault();
  };

  return (
    <Dialog.Root open onOpenChange={(open) => !open && onClose()}>
      <Dialog.Portal>
        <Dialog.Backdrop className={ui.backdrop} />
        <Dialog.Popup className={css.bar} aria-label="Command bar" data-command-bar initialFocus={field}>
          <input
            ref={field}
            className={css.input}
            role="combobox"
            aria-expanded={shown && options.length > 0}
            aria-controls="found"
            aria-autocomplete="list"
            aria-activedescendant={shown && chosen ? optionId(chosen) : undefined}
            aria-label="Find or do anything"
            aria-describedby="command-keys"
            placeholder={turns.length > 0 ? "Say more, or find anything …" : "Find anything, or say what is to be done …"}
            value={text}
            onChange={(event) => {
              setText(event.target.value);
              setPicked(undefined);
            }}
            onKeyDown={press}
            onFocus={() => {
              const early = handOver();
              const first = fresh.current;
              fresh.current = false;
              if (first) field.current?.select();
              if (early) setText((later) => early + (first ? "" : later));
            }}
            spellCheck={false}
            autoComplete="off"
          />
          {shown && <Options options={options} chosen={chosen} onTake={take} onPick={(one) => setPicked(one.id)} />}
          {turns.length > 0 && (
            <Conversation turns={turns} onSay={send} onWrite={write} onGo={onClose} onDone={() => field.current?.focus()} />
          )}
          <p className="hidden" role="status">
            {spoken}
          </p>
          <footer className={css.foot}>
            <span id="command-keys">Enter goes or asks, ↑ ↓ choose, Tab completes, Esc closes</span>
            {turns.length > 0 && (
              <Button
                tone="plain"
                onClick={() => {
                  clear();
                  field.current?.focus();
                }}
              >
                New conversation
              </Button>
            )}
          </footer>
        </Dialog.Popup>
      </Dialog.Portal>
    </Dialog.Root>
  );
}

function useOptions(text: string, all: readonly Found[]): Option[] {
  const asked = useDeferredValue(text);
  const { data } = useQuery({
    queryKey: ["completions", asked],
    queryFn: async ({ signal }) => ({ of: asked, ...(await call("command.complete", { text: asked }, signal)) }),
    placeholderData: keepPreviousData,
    staleTime: 0,
    gcTime: 0,
    retry: false,
  });
  return useMemo(() => optionsOf(text, data ? fitting(data.completions, data.of, text) : [], all), [text, data, all]);
}

interface ConversationProps {
  turns: readonly Turn[];
  onSay: (text: string) => void;
  onWrite: (text: string) => void;
  onGo: () => void;
  onDone: () => void;
}

function Conversation({ turns, ...rest }: ConversationProps) {
  const log = useRef<HTMLDivElement>(null);
  const last = turns.at(-1);
  // The end is shown; of an answer that is longer than the room for it, the beginning.
  // biome-ignore lint/correctness/useExhaustiveDependencies: whatever the last one comes to is shown
  useEffect(() => {
    const turn = log.current?.lastElementChild;
    if (log.current && turn instanceof HTMLElement) log.current.scrollTop = turn.offsetTop - log.current.offsetTop;
  }, [last]);
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reached by the keyboard
    <div ref={log} className={css.talk} role="log" aria-label="Conversation" aria-live="off" tabIndex={0}>
      {turns.map((turn) => (
        <TurnView key={turn.id} turn={turn} {...rest} />
      ))}
    </div>
  );
}
