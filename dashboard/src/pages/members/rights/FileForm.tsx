// Writing a file of policies: it is checked together with the others, and set only when nothing is wrong. What is in order and would leave
// nobody a right is said first, and set when that is wanted all the same.
import { useRef, useState } from "react";
import { call, type Output, problemOf } from "../../../api/call";
import { useAct } from "../../../api/query";
import { Area, Field, Form } from "../../../ui/Form";
import { ProblemView } from "../../../ui/State";
import ui from "../../../ui/ui.module.css";
import { goodName, lineIn, nameOf, withFile } from "./file";
import { Mistakes } from "./Mistakes";
import css from "./Rights.module.css";
import { Warnings } from "./Warnings";

type Files = Output<"policy.show">["files"];

export function FileForm({ files, path, onClose }: { files: Files; path?: string; onClose: () => void }) {
  const now = files.find((file) => file.path === path)?.text;
  const [begun] = useState(now ?? "");
  const [name, setName] = useState(path ? nameOf(path) : "");
  const [text, setText] = useState(begun);
  const [busy, setBusy] = useState(false);
  const [found, setFound] = useState<Output<"policy.check">["mistakes"]>([]);
  const [warned, setWarned] = useState<Output<"policy.check">["warnings"]>([]);
  const [problem, setProblem] = useState<ReturnType<typeof problemOf>>();
  const field = useRef<HTMLTextAreaElement>(null);
  const set = useAct("policy.set", { done: onClose });
  const target = path ?? `policy/${name.trim()}`;

  const send = async () => {
    setBusy(true);
    setFound([]);
    setProblem(undefined);
    try {
      const { mistakes, warnings } = await call("policy.check", { files: withFile(files, target, text) });
      setFound(mistakes);
      setWarned(warnings);
      const anyway = warnings.length > 0;
      if (mistakes.length === 0 && warnings.every((one) => warned.includes(one))) set.mutate({ name: nameOf(target), text, anyway });
    } catch (error) {
      setProblem(problemOf(error));
    }
    setBusy(false);
  };
  const go = (line: number) => {
    field.current?.focus();
    field.current?.setSelectionRange(...lineIn(text, line));
  };
  const here = found.filter(({ file }) => file === target);
  const elsewhere = found.filter(({ file }) => file !== target);
  return (
    <Form
      deed={warned.length > 0 ? "Set it all the same" : "Check and set"}
      busy={busy || set.isPending}
      disabled={text.trim() === "" || text === now || !goodName(nameOf(target))}
      onSend={() => void send()}
      onClose={onClose}
    >
      {!path && (
        <Field
          label="Name"
          value={name}
          placeholder="team.cedar"
          hint="Letters, digits, - and _; it ends with .cedar."
          onChange={setName}
        />
      )}
      {path && now !== begun && (
        <p role="alert">{now === undefined ? "Somebody removed this file meanwhile." : "Somebody changed this file meanwhile."}</p>
      )}
      <Area
        ref={field}
        label="Rules"
        className={css.editor}
        rows={14}
        spellCheck={false}
        value={text}
        hint="In Cedar. Nothing is set while something is wrong; where other owners must sign, it is proposed to them."
        onChange={setText}
      />
      {problem && <ProblemView problem={problem} />}
      {found.length > 0 && (
        <div className={`${ui.state} ${ui.problem}`} role="alert">
          <strong>It is not set: something is wrong.</strong>
          {here.length > 0 && <Mistakes mistakes={here} onLine={({ line }) => go(line)} />}
          {elsewhere.length > 0 && <Mistakes mistakes={elsewhere} />}
        </div>
      )}
      {found.length === 0 && warned.length > 0 && <Warnings title="It is in order, and hardly meant." warnings={warned} />}
    </Form>
  );
}
