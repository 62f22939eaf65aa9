// What waits for a person, each with the deed that ends the waiting.
import { Link } from "@tanstack/react-router";
import type { Output } from "../../api/call";
import { useAct, useMay } from "../../api/query";
import { AsOf } from "../../ui/AsOf";
import { RunAgain } from "../../ui/again/RunAgain";
import { toldBy } from "../../ui/asOf";
import { Badge } from "../../ui/Badge";
import { Button } from "../../ui/Button";
import { Coded } from "../../ui/Coded";
import { taskLink } from "../../ui/links";
import { Empty } from "../../ui/State";
import { Ago } from "../../ui/Time";
import ui from "../../ui/ui.module.css";
import { useWho, withNames } from "../../ui/Who";
import { standingWords, type Word } from "../../ui/words";
import css from "./Home.module.css";

type Item = Output<"attention.list">[number];
type Of<K extends Item["kind"]> = Extract<Item, { kind: K }>;

const words: Record<Exclude<Item["kind"], "review">, Word> = {
  question: { text: "Asks", tone: "warn" },
  changes_requested: { text: "Changes requested", tone: "warn" },
  failed: { text: "Failed", tone: "bad" },
};

export function Attention({ items }: { items: Item[] }) {
  if (items.length === 0)
    return <Empty title="Nothing waits for you">Questions of agents, patches to review and failed work come here.</Empty>;
  return (
    <div className={ui.rows}>
      {items.map((item) => (
        <div key={keyOf(item)} className={`${ui.row} ${css.item}`}>
          <div className={css.what}>
            <span>
              <Badge word={item.kind === "review" ? standingWords[item.standing] : words[item.kind]} /> <Ago at={item.since} />{" "}
              <AsOf known={toldBy(item.whose)} />
            </span>
            <Title item={item} />
            <Body item={item} />
          </div>
          <Deeds item={item} />
        </div>
      ))}
    </div>
  );
}

const keyOf = (item: Item): string =>
  `${item.kind} ${"patch" in item ? item.patch : item.run} ${item.kind === "question" ? item.question.id : ""}`;

function Title({ item }: { item: Item }) {
  // A patch's title begins with its task already.
  const name = "patch" in item ? item.title : `${item.task?.task ?? ""} ${item.title}`;
  if ("run" in item) {
    return (
      <Link to="/runs/$run" params={{ run: item.run }} className={css.title} data-row>
        {name}
      </Link>
    );
  }
  return (
    <Link to="/patches/$patch" params={{ patch: item.patch }} className={css.title} data-row>
      {name}
    </Link>
  );
}

function Body({ item }: { item: Item }) {
  const who = useWho();
  if (item.kind === "failed") {
    return (
      <span className={`${css.why} muted`}>
        <Coded text={withNames(item.why, who)} />
      </span>
    );
  }
  if (item.kind !== "question") return null;
  return (
    <span className={css.why}>
      {item.agent} asks: <code>{item.question.title}</code>
    </span>
  );
}

function Deeds({ item }: { item: Item }) {
  if (item.kind === "question") return <Answer item={item} />;
  if (item.kind === "failed" || item.kind === "changes_requested") return <Again item={item} />;
  return null;
}

function Answer({ item }: { item: Of<"question"> }) {
  const may = useMay("run.answer");
  const answer = useAct("run.answer");
  if (!may) return null;
  return (
    <div className={css.buttons}>
      {item.question.options.map(({ id, label, allows }) => (
        <Button
          key={id}
          tone={allows ? "primary" : undefined}
          busy={answer.isPending}
          onClick={() => answer.mutate({ run: item.run, question: item.question.id, option: id })}
        >
          {label}
        </Button>
      ))}
    </div>
  );
}

/** Another device's work goes on there, unless a maintainer takes the task over. */
function Again({ item: { kind, task, whose } }: { item: Of<"failed"> | Of<"changes_requested"> }) {
  if (!task) return null;
  if (!whose) return <RunAgain at={task} name={`Run ${task.task} again`} reviewed={kind === "changes_requested"} />;
  return (
    <Link {...taskLink(task)} className={ui.button}>
      See the task
    </Link>
  );
}
