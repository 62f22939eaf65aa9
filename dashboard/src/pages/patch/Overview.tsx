// What was said of the patch, in order; beside it what a merge needs, and what the checks say.
import { Section } from "../../ui/Page";
import { Rivals } from "../../ui/Rivals";
import { Checks } from "./Checks";
import { CommentBox } from "./CommentBox";
import { described, type Revision, type Run, type Shown } from "./facts";
import { Gate } from "./Gate";
import css from "./Patch.module.css";
import { Reviewers } from "./Reviewers";
import { Story } from "./Story";
import { Trace } from "./Trace";
import { Unsent } from "./Unsent";

interface Props {
  patch: Shown;
  revision: Revision;
  run: Run | undefined;
  runs: Run[] | undefined;
  onReview: () => void;
}

export function Overview({ patch, revision, run, runs, onReview }: Props) {
  const text = described(patch.description);
  return (
    <div className={css.columns}>
      <div className={css.column}>
        {text && <p className={`${css.description} ${css.said}`}>{text}</p>}
        <Unsent patch={patch} />
        <Section title="What happened">
          <Story patch={patch} runs={runs} />
        </Section>
        <CommentBox patch={patch} />
      </div>
      <aside className={css.column} aria-label="State of the patch">
        <Gate patch={patch} run={run} runs={runs} onReview={onReview} />
        <Rivals rivals={patch.rivals} here={patch.id} />
        <Reviewers patch={patch} />
        <Checks revision={revision} patch={patch} run={run} runs={runs} />
        <Trace patch={patch} />
      </aside>
    </div>
  );
}
