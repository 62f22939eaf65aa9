// One patch: what it is, what was said of it, what it changes, what a merge needs; and the deeds of whoever judges it.
import { getRouteApi } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { useMay, useRead } from "../../api/query";
import { AsOf } from "../../ui/AsOf";
import { useAhead } from "../../ui/ahead";
import { toldBy } from "../../ui/asOf";
import { Badge } from "../../ui/Badge";
import { Button } from "../../ui/Button";
import { Page } from "../../ui/Page";
import { Loaded } from "../../ui/State";
import { Tabs } from "../../ui/Tabs";
import { standingWords } from "../../ui/words";
import { Changes, loadDiffView } from "./Changes";
import { CloseButton, ReopenButton } from "./Close";
import { RUNS_MAX, useCarried } from "./diffs";
import { bareTitle, type Judged, latest, makerOf, type Revision, type Shown } from "./facts";
import { MergeDialog } from "./MergeDialog";
import { Newer } from "./Newer";
import { Overview } from "./Overview";
import css from "./Patch.module.css";
import { usePending, written } from "./pending";
import { ReviewDialog } from "./ReviewDialog";
import { Summary } from "./Summary";

const route = getRouteApi("/patches/$patch");

export default function PatchPage() {
  const { patch } = route.useParams();
  const { project, tab } = route.useSearch();
  const query = useRead("patch.show", { patch, project });
  useAhead(loadDiffView, tab === "changes");
  const last = query.data && latest(query.data);
  if (last) return <Opened key={query.data.id} patch={query.data} last={last} />;
  return (
    <Page title="Patch">
      <Loaded query={query} rows={8}>
        {() => null}
      </Loaded>
    </Page>
  );
}

function Opened({ patch, last }: { patch: Shown; last: Revision }) {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  // What is looked at stays until the reader wants the newer one.
  const [seen, setSeen] = useState(last.id);
  const [open, setOpen] = useState<Opening>();
  const revision = patch.revisions.find((one) => one.id === seen) ?? last;
  const runs = useRead("run.list", { project: patch.project, all: true, limit: RUNS_MAX });
  const run = makerOf(revision, runs.data);
  useCarried(patch, revision);
  const tab = search.tab ?? "overview";
  const catchUp = () => {
    setSeen(last.id);
    void navigate({ search: ({ project }) => ({ project, tab: search.tab }) });
  };
  const files = patch.files.length;
  return (
    <Page
      full
      title={`${patch.trace ? `${patch.trace.task.task} ` : ""}${bareTitle(patch)}`}
      before={
        <>
          <Badge word={standingWords[patch.standing]} /> <AsOf known={toldBy(patch.whose)} />
        </>
      }
    >
      <div className={css.under}>
        <Summary patch={patch} run={run} />
        <Deeds patch={patch} seen={revision} run={run} catchUp={catchUp} open={open} setOpen={setOpen} />
      </div>
      <Tabs
        label="Parts of the patch"
        tabs={[
          { key: "overview", title: "Overview" },
          { key: "changes", title: `Changes (${files} ${files === 1 ? "file" : "files"})` },
        ]}
        value={tab}
        onChange={(next) => void navigate({ search: (old) => ({ ...old, tab: next === "overview" ? undefined : next, at: undefined }) })}
      >
        <div className={css.panel}>
          {tab === "overview" ? (
            <Overview patch={patch} revision={revision} run={run} runs={runs.data} onReview={() => setOpen("review")} />
          ) : (
            <Changes patch={patch} seen={revision} />
          )}
        </div>
      </Tabs>
      {revision.id !== last.id && (
        <div className={css.float}>
          <Newer number={patch.revisions.length} onShow={catchUp} />
        </div>
      )}
    </Page>
  );
}

type Opening = "review" | "merge" | undefined;

interface DeedsProps extends Omit<Judged, "onClose"> {
  open: Opening;
  setOpen: (open: Opening) => void;
}

function Deeds({ patch, seen, run, catchUp, open, setOpen }: DeedsProps) {
  const count = written(usePending(patch.id)).length;
  const mayReview = useMay("patch.review");
  const mayMerge = useMay("patch.merge");
  const ready = patch.missing.length === 0 && patch.merging == null;
  const close = () => setOpen(undefined);
  const show = () => {
    close();
    catchUp();
  };
  // Somebody else ended it meanwhile.
  useEffect(() => {
    if (patch.state !== "open") setOpen(undefined);
  }, [patch.state, setOpen]);
  if (patch.state === "archived") return <ReopenButton patch={patch} />;
  if (patch.state !== "open") return null;
  return (
    <span className={css.deeds}>
      <CloseButton patch={patch} />
      {mayReview && (
        <Button tone={ready ? undefined : "primary"} onClick={() => setOpen("review")}>
          {count > 0 ? "Finish review" : "Review"}
          {count > 0 && <span className={css.count}>{count}</span>}
        </Button>
      )}
      {mayMerge && (
        <Button tone={ready ? "primary" : undefined} onClick={() => setOpen("merge")}>
          Merge …
        </Button>
      )}
      {open === "review" && <ReviewDialog patch={patch} seen={seen} run={run} onClose={close} catchUp={show} />}
      {open === "merge" && (
        <MergeDialog patch={patch} seen={seen} run={run} onClose={close} catchUp={show} onReview={() => setOpen("review")} />
      )}
    </span>
  );
}
