// All runs: the one of which something was heard last comes first.
import { getRouteApi, Link } from "@tanstack/react-router";
import type { Schemas } from "../../api/call";
import { useRead } from "../../api/query";
import { Away } from "../../ui/AsOf";
import { Check } from "../../ui/Form";
import { Page } from "../../ui/Page";
import { lastAt, RunRows } from "../../ui/RunRow";
import { Empty, Loaded } from "../../ui/State";
import { StopAll } from "../../ui/StopRun";
import ui from "../../ui/ui.module.css";
import { ended } from "../../ui/words";

const route = getRouteApi("/runs");

const filters: { key: string | undefined; title: string; keep: (run: Schemas["Run"]) => boolean }[] = [
  { key: undefined, title: "All", keep: () => true },
  { key: "going", title: "Going on", keep: (run) => !ended(run.state) },
  { key: "failed", title: "Failed", keep: (run) => ["failed", "lost", "evicted"].includes(run.state) },
  { key: "stopped", title: "Stopped", keep: (run) => run.state === "cancelled" },
  { key: "done", title: "Done", keep: (run) => run.state === "done" },
];

export default function Runs() {
  const { state, all } = route.useSearch();
  const navigate = route.useNavigate();
  const runs = useRead("run.list", { all: all ?? false, limit: 1_000 });
  const keep = (filters.find((f) => f.key === state) ?? filters[0])?.keep ?? (() => true);
  return (
    <Page
      title="Runs"
      actions={
        <>
          <Check
            label="Checks too"
            title="Also runs that only run the checks on a patch"
            value={all ?? false}
            onChange={(checks) => void navigate({ search: { state, all: checks || undefined } })}
          />
          <StopAll runs={runs.data ?? []} />
        </>
      }
    >
      <nav className={ui.tabs} aria-label="Which runs">
        {filters.map(({ key, title }) => (
          <Link key={title} to="/runs" search={{ state: key, all }} className={ui.tab} data-active={key === state || undefined}>
            {title}
          </Link>
        ))}
      </nav>
      <Away />
      <Loaded query={runs} rows={8}>
        {(list) => {
          const shown = list.filter(keep).sort((a, b) => lastAt(b) - lastAt(a));
          if (shown.length === 0)
            return <Empty title={state ? "No run is like that" : "Nothing ran yet"}>Runs begin on the tasks page.</Empty>;
          return <RunRows runs={shown} stop />;
        }}
      </Loaded>
    </Page>
  );
}
