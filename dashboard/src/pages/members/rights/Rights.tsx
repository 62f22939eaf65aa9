// Rights: what each role and member may, whether somebody may do something and by which rule, and the files that say so.
import { useRead } from "../../../api/query";
import { Section } from "../../../ui/Page";
import { Loaded } from "../../../ui/State";
import ui from "../../../ui/ui.module.css";
import { Files } from "./Files";
import { Matrix } from "./Matrix";
import { May } from "./May";
import { Mistakes } from "./Mistakes";

export default function Rights() {
  const policy = useRead("policy.show", {});
  return (
    <Loaded query={policy} rows={8}>
      {(shown) => (
        <>
          {shown.mistakes.length > 0 && (
            <div className={`${ui.state} ${ui.problem}`} role="alert">
              <strong>The policy has mistakes: only the built-in rules count until they are mended.</strong>
              <Mistakes mistakes={shown.mistakes} />
            </div>
          )}
          <Section title="Who may what">
            <Matrix roles={shown.roles} members={shown.members} />
            <p className="muted">
              In the org as a whole, and with the device here. A rule can say otherwise of one project or thing: ask below.
            </p>
          </Section>
          <Section title="May somebody do something?">
            <May roles={shown.roles} members={shown.members} />
          </Section>
          <Files files={shown.files} />
        </>
      )}
    </Loaded>
  );
}
