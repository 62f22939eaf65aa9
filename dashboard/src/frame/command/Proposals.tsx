// Changes that wait for a yes, and what became of them.
import { Check, RotateCcw, TriangleAlert } from "lucide-react";
import { type ReactNode, useState } from "react";
import type { Problem } from "../../api/call";
import { useRead } from "../../api/query";
import { Badge } from "../../ui/Badge";
import { Button } from "../../ui/Button";
import { ended, plural } from "../../ui/words";
import css from "./CommandBar.module.css";
import { type Fate, no, type Proposal, type Result, type Turn, undo, waiting, yes } from "./conversation";
import { Things } from "./Things";

interface Props {
  turn: Turn;
  onGo: () => void;
  /** The field gets the focus back: what had it is gone. */
  onDone: () => void;
}

export function Proposals({ turn, onGo, onDone }: Props) {
  const [without, setWithout] = useState<ReadonlySet<string>>(new Set());
  const proposals = turn.answer?.proposals ?? [];
  const waits = waiting(turn);
  const taken = waits.filter(({ id }) => !without.has(id));
  const several = waits.length > 1;
  const untrusted = taken.some((one) => one.untrusted);
  if (proposals.length === 0) return null;
  const toggle = (id: string) => setWithout((old) => (old.has(id) ? new Set([...old].filter((one) => one !== id)) : new Set([...old, id])));
  const decide = (deed: () => unknown) => {
    deed();
    onDone();
  };
  return (
    <section className={css.proposals} aria-label="Changes">
      <ul>
        {proposals.map((proposal) => {
          const fate = turn.fates[proposal.id];
          return (
            <li key={proposal.id} className={css.proposal}>
              {several && !fate ? (
                <label className={css.pick}>
                  <input type="checkbox" checked={!without.has(proposal.id)} onChange={() => toggle(proposal.id)} />
                  <b>{proposal.sentence}</b>
                </label>
              ) : (
                <b>{proposal.sentence}</b>
              )}
              {fate ? <Became turn={turn} proposal={proposal} fate={fate} onGo={onGo} onDone={onDone} /> : <Effect proposal={proposal} />}
            </li>
          );
        })}
      </ul>
      {waits.length > 0 && (
        <p className={css.decide}>
          <Button tone="primary" disabled={taken.length === 0} onClick={() => decide(() => yes(turn, taken))}>
            <Check size={14} aria-hidden />
            {untrusted ? "Yes, I have looked at it" : several ? `Yes, do ${plural(taken.length, "change")}` : "Yes, do it"}
          </Button>
          <Button onClick={() => decide(() => no(turn, waits))}>No</Button>
          {!untrusted && <span className="muted">or write yes or no</span>}
        </p>
      )}
    </section>
  );
}

function Effect({ proposal: { effect, undo, untrusted } }: { proposal: Proposal }) {
  return (
    <div className={css.effect}>
      {effect.names.length > 1 && <p className={`${css.words} muted`}>{effect.names.join("\n")}</p>}
      {effect.notes.map((note) => (
        <p key={note}>{note}</p>
      ))}
      <p className="muted">{undo ? `To undo it: ${undo}` : "It cannot be undone."}</p>
      {untrusted && (
        <p className={css.caution}>
          <TriangleAlert size={14} aria-hidden /> The model proposed this after it had read text of a repository, a log or a note, which may
          have asked for it. Look at what it would do.
        </p>
      )}
    </div>
  );
}

function Became({ turn, proposal, fate, onGo, onDone }: Props & { proposal: Proposal; fate: Fate }) {
  if (fate.state === "left") return <p className="muted">Left undone.</p>;
  if (fate.state === "doing") return <Badge word={{ text: "Being done", tone: "run", live: true }} />;
  if (fate.state === "failed") return <Trouble problem={fate.problem} />;
  const { result } = fate;
  return (
    <div className={css.effect}>
      <Came result={result} onGo={onGo} />
      {fate.state === "undoing" && <Badge word={{ text: "Being undone", tone: "run", live: true }} />}
      {fate.state === "undone" && fate.back.map((one) => <Came key={`${one.action} ${one.sentence}`} result={one} onGo={onGo} back />)}
      {fate.state === "done" && result.done && result.undo && (
        <Unended result={result}>
          <Button
            aria-label={`Undo: ${result.undo}`}
            onClick={() => {
              void undo(turn, proposal.id);
              onDone();
            }}
          >
            <RotateCcw size={14} aria-hidden /> Undo
          </Button>{" "}
          <span className="muted">{result.undo}</span>
        </Unended>
      )}
    </div>
  );
}

/** What was done to runs is not to be undone once they have ended. */
function Unended({ result: { items }, children }: { result: Result; children: ReactNode }) {
  const all = items.length > 0 && items.every(({ kind }) => kind === "run");
  return all ? <WhileGoing runs={items.map(({ id }) => id)}>{children}</WhileGoing> : <p>{children}</p>;
}

function WhileGoing({ runs, children }: { runs: readonly string[]; children: ReactNode }) {
  const { data = [] } = useRead("run.list", { all: true });
  const over = runs.every((id) => data.some((run) => run.id === id && ended(run.state)));
  return over ? null : <p>{children}</p>;
}

function Came({ result, onGo, back }: { result: Result; onGo: () => void; back?: true }) {
  if (!result.done) return result.problem ? <Trouble problem={result.problem} /> : <p>{result.text}</p>;
  return (
    <>
      <p className={css.came}>
        <Badge word={{ text: back ? "Undone" : "Done", tone: "none" }} />
        <span className={css.words}>{result.text}</span>
      </p>
      <Things items={result.items} onGo={onGo} />
    </>
  );
}

/** What happened, why, and what to do next; in a conversation it is told by the conversation's own voice. */
export function Trouble({ problem }: { problem: Problem }) {
  return (
    <div className={css.trouble}>
      <p>
        <Badge word={{ text: "Refused", tone: "bad" }} /> <b>{problem.what}</b>
      </p>
      {problem.why && <p>{problem.why}</p>}
      {problem.next && <p>{problem.next}</p>}
    </div>
  );
}
