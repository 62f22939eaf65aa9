// The events of a journal, searched, newest first: of this device's own, or of the copy of another's.
import { useInfiniteQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { Fragment } from "react";
import { call, type Output, problemOf } from "../../api/call";
import { AsOf, useCopies } from "../../ui/AsOf";
import { Button } from "../../ui/Button";
import { Empty, Loading, ProblemView } from "../../ui/State";
import { Ago } from "../../ui/Time";
import ui from "../../ui/ui.module.css";
import { useWho } from "../../ui/Who";
import { shortDid } from "../../ui/words";
import { factsOf, titleOf } from "./event";
import css from "./Journal.module.css";

type Finds = Output<"journal.search">;

const route = getRouteApi("/journal");
const PAGE = 100;

export function Events() {
  const { text = "", device } = route.useSearch();
  const navigate = route.useNavigate();
  const copies = useCopies();
  const copy = copies.find((one) => one.device === device && !one.here);
  const found = useInfiniteQuery({
    queryKey: ["journal.search", { text, device }],
    queryFn: ({ pageParam: before, signal }) => call("journal.search", { text, device, before, limit: PAGE }, signal),
    initialPageParam: undefined as number | undefined,
    getNextPageParam: (page: Finds) => page.older ?? undefined,
  });
  const entries = found.data?.pages.flatMap((page) => page.entries) ?? [];
  return (
    <div className={css.tab}>
      <div className={css.choices}>
        {copies.length > 1 && (
          <select
            className={ui.input}
            aria-label="Whose journal"
            value={copy?.device ?? ""}
            onChange={(event) => void navigate({ search: (before) => ({ ...before, device: event.target.value || undefined }) })}
          >
            {copies.map(({ device, name, here }) => (
              <option key={device} value={here ? "" : device}>
                {name ?? shortDid(device)}
                {here && " (this device)"}
              </option>
            ))}
          </select>
        )}
        <input
          type="search"
          className={`${ui.input} ${css.search}`}
          aria-label="Search the journal"
          placeholder="Words, a run, a task, a patch, a kind of event"
          defaultValue={text}
          onChange={(event) => void navigate({ search: (before) => ({ ...before, text: event.target.value || undefined }), replace: true })}
        />
        {copy && !copy.reachable && <AsOf known={{ device: copy.device, at: copy.as_of ?? null }} />}
      </div>
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
    </div>
  );
}

function Row({ entry: { seq, hash, event } }: { entry: Finds["entries"][number] }) {
  const who = useWho();
  return (
    <details className={css.entry}>
      <summary className={ui.row} data-row>
        <span className={`${css.seq} muted number`}>{seq}</span>
        <span className={css.when}>
          <Ago at={event.at} />
        </span>
        <b className={css.title}>{titleOf(event)}</b>
        <span className={`${css.facts} muted clip`}>
          {factsOf(event, who).map(({ text, raw }, at) => (
            <Fragment key={raw ?? text}>
              {at > 0 && " · "}
              <span title={raw}>{text}</span>
            </Fragment>
          ))}
        </span>
        <span className={`${css.actor} muted clip`} title={event.actor}>
          {who(event.actor).name}
        </span>
      </summary>
      <pre className={css.raw}>{JSON.stringify({ seq, hash, ...event }, null, 2)}</pre>
    </details>
  );
}
