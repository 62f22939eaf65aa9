// Home: what waits for me, what runs, what room there is.
import { Link } from "@tanstack/react-router";
import type { Output } from "../../api/call";
import { useRead } from "../../api/query";
import { Away } from "../../ui/AsOf";
import { Capacity } from "../../ui/Capacity";
import { NotHere } from "../../ui/NotHere";
import { Page, Section } from "../../ui/Page";
import { lastAt, RunRows } from "../../ui/RunRow";
import { Empty, Loaded } from "../../ui/State";
import { Warnings } from "../../ui/Warnings";
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
      <Away />
      <Warnings />
      <NotHere />
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
            {(devices) => devices.filter(({ state }) => state === "here").map((device) => <Capacity key={device.device} device={device} />)}
          </Loaded>
        </Section>
      </div>
    </Page>
  );
}

function Runs({ runs }: { runs: Output<"run.list"> }) {
  const all = [...runs].sort((a, b) => lastAt(b) - lastAt(a));
  const going = all.filter((r) => !ended(r.state));
  const lately = all.filter((r) => ended(r.state)).slice(0, LATELY);
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
      <RunRows runs={[...going, ...lately]} />
      <Link to="/runs" className="link">
        All runs
      </Link>
    </>
  );
}
