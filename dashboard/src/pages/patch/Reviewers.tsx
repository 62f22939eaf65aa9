// Who said what of the latest revision: people and bots.
import { Badge } from "../../ui/Badge";
import { Section } from "../../ui/Page";
import { Ago } from "../../ui/Time";
import ui from "../../ui/ui.module.css";
import { useWho, Who } from "../../ui/Who";
import { latest, type Shown } from "./facts";
import css from "./Patch.module.css";
import { verdictWord } from "./words";

export function Reviewers({ patch }: { patch: Shown }) {
  const who = useWho();
  const revision = latest(patch);
  const last = [...new Map(revision?.reviews.map((review) => [review.by, review])).values()];
  const before = patch.revisions.slice(0, -1).some((one) => one.reviews.length > 0);
  return (
    <Section title="Reviews">
      <div className={`${ui.card} ${css.card}`}>
        {last.map((review) => (
          <p key={review.by} className={css.reviewer}>
            <Who did={review.by} />
            <span className={css.spring} />
            <Badge word={verdictWord(review.verdict)} />
            <Ago at={review.at} />
            {!who(review.by).member && <span className="muted">It does not count: no member’s key.</span>}
          </p>
        ))}
        {last.length === 0 && (
          <span className="muted">
            {before ? "Nobody has reviewed the latest revision yet; what was said of earlier ones does not count for it." : "Nobody yet."}
          </span>
        )}
      </div>
    </Section>
  );
}
