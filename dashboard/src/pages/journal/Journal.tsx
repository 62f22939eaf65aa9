// Journal: what happened on this device, searched, verified, exported.
import { useInfiniteQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { Download, ShieldCheck } from "lucide-react";
import { useState } from "react";
import { call, type Output, problemOf } from "../../api/call";
import { useMay, useRead } from "../../api/query";
import { Button } from "../../ui/Button";
import { Page } from "../../ui/Page";
import { Empty, Loading, ProblemView } from "../../ui/State";
import { Ago } from "../../ui/Time";
import { notify } from "../../ui/Toasts";
import ui from "../../ui/ui.module.css";
import { shortDid } from "../../ui/words";
import { factsOf, titleOf } from "./event";
import { exportJournal } from "./export";
import css from "./Journal.module.css";

type Entry = Output<"journal.search">["entries"][number];

const route = getRouteApi("/journal");
const PAGE = 100;

export default function Journal() {
  const { text = "" } = route.useSearch();
  const navigate = route.useNavigate();
  const found = useInfiniteQuery({
    queryKey: ["journal.search", { text }],
    queryFn: ({ pageParam, signal }) => call("journal.search", { text, before: pageParam, limit: PAGE }, signal),
    initialPageParam: undefined as number | undefined,
    getNextPageParam: (page: Output<"journal.search">) => page.older ?? undefined,
  });
  const entries = found.data?.pages.flatMap((page) => page.entries) ?? [];
  return (
    <Page title="Journal" actions={<Deeds />}>
      <input
        type="search"
        className={ui.input}
        aria-label="Search the journal"
        placeholder="Words, a run, a task, a patch, a kind of event"
        defaultValue={text}
        onChange={(event) => void navigate({ search: { text: event.target.value || undefined }, replace: true })}
      />
      {found.isPending && <Loading rows={8} />}
      {found.error && <ProblemView problem={problemOf(found.error)} retry={() => void found.refetch()} />}
      {found.data && entries.length === 0 && !found.hasNextPage && (
        <Empty title={text ? "No event is like that" : "Nothing happened yet"} />
      )}
      {entries.length > 0 && (
        <div className={ui.rows}>
          {entries.map((entry) => (
            <Row key={entry.seq} entry={entry} />
          ))}
        </div>
      )}
      {found.hasNextPage && (
        <p>
          <Button busy={found.isFetchingNextPage} onClick={() => void found.fetchNextPage()}>
            Look at older events
          </Button>
        </p>
      )}
    </Page>
  );
}

function Row({ entry: { seq, hash, event } }: { entry: Entry }) {
  const { data: org } = useRead("org.show", {});
  const name = org?.members.find((m) => m.keys.some((k) => k.did === event.actor))?.name;
  const device = org?.devices.find((d) => d.did === event.actor)?.name;
  return (
    <details className={css.entry}>
      <summary className={ui.row}>
        <span className={`${css.seq} muted number`}>{seq}</span>
        <span className={css.when}>
          <Ago at={event.at} />
        </span>
        <b className={css.title}>{titleOf(event)}</b>
        <span className="muted clip">{factsOf(event)}</span>
        <span className={`${css.actor} muted clip`}>{name ?? device ?? shortDid(event.actor)}</span>
      </summary>
      <pre className={css.raw}>{JSON.stringify({ seq, hash, ...event }, null, 2)}</pre>
    </details>
  );
}

function Deeds() {
  const may = useMay("journal.verify");
  const [busy, setBusy] = useState<"verify" | "export">();
  const doing = (what: "verify" | "export", work: () => Promise<void>) => async () => {
    setBusy(what);
    try {
      await work();
    } catch (error) {
      const { what: title, why, next } = problemOf(error);
      notify({ tone: "bad", title, text: [why, next].filter(Boolean).join(" ") });
    }
    setBusy(undefined);
  };
  if (!may) return null;
  return (
    <>
      <Button busy={busy === "verify"} onClick={doing("verify", verify)}>
        <ShieldCheck size={14} aria-hidden /> Verify
      </Button>
      <Button busy={busy === "export"} onClick={doing("export", exportJournal)}>
        <Download size={14} aria-hidden /> Export
      </Button>
    </>
  );
}

async function verify(): Promise<void> {
  const { sound, events, unknown, signatures, incarnations, bad, blobs, bad_blobs, more_bad_blobs } = await call("journal.verify", {});
  if (sound) {
    const more = unknown > 0 ? ` ${unknown} of the events were written by a newer Meshwork, and are not understood here.` : "";
    notify({
      tone: "good",
      title: "The journal is sound.",
      text: `${events} events, ${signatures} signatures, ${incarnations} incarnations, ${blobs} blobs: every link, hash and signature is right.${more}`,
    });
  } else if (bad) {
    notify({ tone: "bad", title: `Event ${bad.seq} is not sound.`, text: bad.why });
  } else {
    const text = bad_blobs.slice(0, 3).map((one) => `Event ${one.seq} names ${one.hash}. ${one.why}`);
    notify({ tone: "bad", title: `${bad_blobs.length + more_bad_blobs} blobs are missing or altered.`, text: text.join(" ") });
  }
}
