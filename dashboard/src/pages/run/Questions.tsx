// What the engine asks a person, with its answers.
import { useAct, useMay } from "../../api/query";
import { Button } from "../../ui/Button";
import css from "./Run.module.css";
import type { ShownRun } from "./RunPage";

export function Questions({ run }: { run: ShownRun }) {
  const may = useMay("run.answer");
  const answer = useAct("run.answer");
  return run.questions.map(({ id, title, options }) => (
    <fieldset key={id} className={css.question}>
      <legend className="hidden">The agent asks</legend>
      <p>
        <b>{run.agent ?? "The agent"} asks:</b> <code>{title}</code>
      </p>
      {may && (
        <p className={css.answers}>
          {options.map((option) => (
            <Button
              key={option.id}
              tone={option.allows ? "primary" : undefined}
              busy={answer.isPending}
              onClick={() => answer.mutate({ run: run.id, question: id, option: option.id })}
            >
              {option.label}
            </Button>
          ))}
        </p>
      )}
    </fieldset>
  ));
}
