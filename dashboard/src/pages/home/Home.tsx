// Home: what waits for me, what runs, what room there is.
import { Link } from "@tanstack/react-router";
import { useRead } from "../../api/query";
import { Capacity } from "../../ui/Capacity";
import { Page, Section } from "../../ui/Page";
import { RunRow } from "../../ui/RunRow";
import { Empty, Loaded } from "../../ui/State";
import ui from "../../ui/ui.module.css";
import { ended } from "../../ui/words";
import { Attention } from "./Attention";
import css from "./Home.module.css";

/** Runs that ended lately are shown below those that go on. */
const LATELY = 8;

export default function Home() {
  const attention = useRead("attention.list", {});
  const runs = useRead("run.list", {});
  const capacity = useRead("device.capacity", {});
  const waiting = attention.data?.length;
  return (
    <Page title={waiting ? `Home (${waiting})` : "Home"}>
      <div className={css.columns}>
        <div className={css.column}>
          <Section title="Waits for you" note={waiting}>
            <Loaded query={attention} rows={3}>
              {(items) => <Attention items={items} />}
            </Loaded>
          </Section>
          <Section title="Runs">
            <Loaded query={runs} rows={4}>
              {(all) => <Runs runs={all} />}
            </Loaded>
          </Section>
        </div>
        <Section title="Room">
          <Loaded query={capacity} rows={3}>
            {(devices) => devices.map((device) => <Capacity key={device.device} device={device} />)}
          </Loaded>
        </Section>
      </div>
    </Page>
  );
}

function Runs({ runs }: { runs: Parameters<typeof RunRow>[0]["run"][] }) {
  const going = runs.filter((r) => !ended(r.state));
  const lately = runs.filter((r) => ended(r.state)).slice(0, LATELY);
  if (runs.length === 0) {
    return (
      <Empty title="Nothing ran yet">
        Give a task to an agent on the{" "}
        <Link to="/tasks" className="link">
          tasks page
        </Link>
        .
      </Empty>
    );
  }
  return (
    <>
      <div className={ui.rows}>
        {[...going, ...lately].map((run) => (
          <RunRow key={run.id} run={run} />
        ))}
      </div>
      <Link to="/runs" className="link">
        All runs
      </Link>
    </>
  );
}
