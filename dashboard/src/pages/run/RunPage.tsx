// One run: where it is, what the agent does, what it changed. A person can speak to it, answer it, pause and stop it.
import { getRouteApi, Link } from "@tanstack/react-router";
import { GitPullRequest } from "lucide-react";
import { lazy, Suspense, useReducer, useState } from "react";
import type { Output, Schemas } from "../../api/call";
import { useRead, useSession } from "../../api/query";
import { runTabs } from "../../router";
import { RunAsOf } from "../../ui/AsOf";
import { useAhead } from "../../ui/ahead";
import { Badge } from "../../ui/Badge";
import { Coded } from "../../ui/Coded";
import { taskLink } from "../../ui/links";
import { Page } from "../../ui/Page";
import { Loaded, Loading } from "../../ui/State";
import { Tabs } from "../../ui/Tabs";
import ui from "../../ui/ui.module.css";
import { useWho, withNames } from "../../ui/Who";
import { forPage, runWord, shortOid, shortRun } from "../../ui/words";
import { About } from "./About";
import { LogView } from "./LogView";
import { Message } from "./Message";
import { Messages, told, YOU } from "./messages";
import { Questions } from "./Questions";
import css from "./Run.module.css";
import { Side } from "./Side";
import { Stages } from "./Stages";
import { Steer } from "./Steer";
import { useTranscript } from "./useTranscript";
import { Where } from "./Where";

const route = getRouteApi("/runs/$run");
const loadChanges = () => import("./Changes");
const Changes = lazy(loadChanges);
const titles = { log: "Log", changes: "Changes", where: "Where", about: "About" };

/** The agent's part is over. */
const done: ShownRun["state"][] = ["verifying", "publishing", "done", "failed", "cancelled", "evicted", "lost"];

export type ShownRun = Output<"run.show">;

export default function RunPage() {
  const { run: id } = route.useParams();
  const { tab } = route.useSearch();
  const query = useRead("run.show", { run: id });
  useAhead(loadChanges, tab === "changes");
  const run = query.data;
  return (
    <Page
      title={`${run?.task?.task ?? (run ? "Checks" : "Run")} · ${shortRun(id)}`}
      before={
        run && (
          <>
            <Badge word={runWord(run)} /> <RunAsOf run={run} />
          </>
        )
      }
      after={run?.task && <TaskTitle at={run.task} />}
      actions={
        run && (
          <>
            {run.patch && <PatchLink patch={run.patch} project={run.project} />}
            <Steer run={run} />
          </>
        )
      }
      fill
    >
      <Loaded query={query}>{(shown) => <Body key={shown.id} run={shown} />}</Loaded>
    </Page>
  );
}

/** Where it goes on once the run has published. */
function PatchLink({ patch, project }: { patch: string; project?: string | null }) {
  return (
    <Link to="/patches/$patch" params={{ patch }} search={{ project: project ?? undefined }} className={ui.button}>
      <GitPullRequest size={14} aria-hidden /> Patch {shortOid(patch)}
    </Link>
  );
}

function TaskTitle({ at }: { at: Schemas["TaskRef"] }) {
  const { data } = useRead("task.show", { project: at.project, feature: at.feature, task: at.task });
  return (
    <Link {...taskLink(at)} className="link clip" title={data?.task.title}>
      {data?.task.title ?? at.task}
    </Link>
  );
}

function Body({ run }: { run: ShownRun }) {
  const { tab = "log" } = route.useSearch();
  const navigate = route.useNavigate();
  const who = useWho();
  const { data: session } = useSession();
  const [messages] = useState(() => new Messages());
  const [text, setText] = useState("");
  const [, sent] = useReducer((count: number) => count + 1, 0);
  const waiting = told(run, (did) => (did === session?.member ? YOU : who(did).name));
  messages.learn(waiting);
  const followed = useTranscript(run.id, messages);
  return (
    <>
      <div className={css.top}>
        <Stages run={run} />
        {run.why && run.state !== "done" && (
          // biome-ignore lint/a11y/noNoninteractiveTabindex: a long one scrolls, and the keyboard must reach it
          <section className={css.why} data-bad={["failed", "lost"].includes(run.state) || undefined} aria-label="Why" tabIndex={0}>
            <Coded text={withNames(forPage(run.why), who)} />
          </section>
        )}
        <Questions run={run} />
      </div>
      <div className={css.columns}>
        <div className={css.tabs}>
          <Tabs
            label="About this run"
            tabs={runTabs.map((key) => ({ key, title: titles[key] }))}
            value={tab}
            onChange={(next) => void navigate({ search: { tab: next === "log" ? undefined : next }, replace: true })}
          >
            {tab === "log" && <LogView followed={followed} waiting={messages.lines(waiting)} />}
            {tab === "changes" && (
              <Suspense fallback={<Loading />}>
                <Changes run={run} />
              </Suspense>
            )}
            {tab === "where" && <Where run={run} />}
            {tab === "about" && <About run={run} />}
          </Tabs>
          {tab === "log" && run.class === "agent" && (!done.includes(run.state) || text !== "") && (
            <Message run={run} messages={messages} text={text} onText={setText} onChange={sent} />
          )}
        </div>
        <Side run={run} followed={followed} />
      </div>
    </>
  );
}
