// One sentence and its answer.

import { Badge } from "../../ui/Badge";
import { Button } from "../../ui/Button";
import css from "./CommandBar.module.css";
import type { Answer, Turn } from "./conversation";
import { Proposals, Trouble } from "./Proposals";
import { Things } from "./Things";

interface Props {
  turn: Turn;
  /** Says another sentence. */
  onSay: (text: string) => void;
  /** Writes one into the field, to be completed. */
  onWrite: (text: string) => void;
  /** Something was gone to: the bar closes. */
  onGo: () => void;
  onDone: () => void;
}

export function TurnView({ turn, onSay, onWrite, onGo, onDone }: Props) {
  const { said, answer, problem } = turn;
  return (
    <article className={css.turn} aria-label={`You said: ${said}`}>
      <h3 className={css.said}>{said}</h3>
      {problem && <Trouble problem={problem} />}
      {!answer && !problem && <Badge word={{ text: "Understanding it", tone: "run", live: true }} />}
      {answer && (
        <>
          <Understood answer={answer} />
          <Words answer={answer} />
          {answer.proposals.length === 0 && <Things items={answer.items} onGo={onGo} />}
          {answer.problems.map((one) => (
            <Trouble key={one.what} problem={one} />
          ))}
          <Several answer={answer} onSay={onSay} onWrite={onWrite} />
          <Proposals turn={turn} onGo={onGo} onDone={onDone} />
        </>
      )}
    </article>
  );
}

function Understood({ answer: { by, understood, looked, problems, proposals } }: { answer: Answer }) {
  if (by === "nobody") return problems.length > 0 ? null : <p>This was not understood.</p>;
  const how = [
    by === "model" && "by the model",
    looked.length > 0 && `looked at ${[...new Set(looked.map((one) => one.action))].join(", ")}`,
  ];
  const said = how.filter(Boolean).join("; ");
  // A single change says it by itself.
  const words = proposals.length === 1 && proposals[0]?.sentence === understood ? null : understood;
  return (
    <p className="muted">
      {words && <>Understood: {words} </>}
      {said && <>({said})</>}
    </p>
  );
}

/** The answer's words; lines that only name what is linked below are left out. */
function Words({ answer: { text, items } }: { answer: Answer }) {
  const named = new Set(items.map((item) => `${item.label} (${item.detail})`));
  const lines = text.split("\n").filter((line) => line && !named.has(line) && !/^and \d+ more$/.test(line));
  return lines.length > 0 && <p className={css.words}>{lines.join("\n")}</p>;
}

/** Several meanings to choose from, and sentences that would be understood. */
function Several({ answer: { choices, examples }, onSay, onWrite }: { answer: Answer } & Pick<Props, "onSay" | "onWrite">) {
  return (
    <>
      {choices.length > 0 && (
        <ul className={css.several} aria-label="Which one is meant">
          {choices.map(({ sentence, label }) => (
            <li key={`${sentence} ${label}`}>
              <Button onClick={() => onSay(sentence)}>{sentence}</Button> <span className="muted">{label}</span>
            </li>
          ))}
        </ul>
      )}
      {examples.length > 0 && (
        <>
          <p>It could be:</p>
          <ul className={css.several} aria-label="Sentences that would be understood">
            {examples.map((example) => (
              <li key={example}>
                <Button onClick={() => onWrite(example.replace(/…$/, ""))}>{example}</Button>
              </li>
            ))}
          </ul>
        </>
      )}
    </>
  );
}
