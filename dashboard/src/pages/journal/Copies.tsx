// The journals of all devices, as this one has them: how far each was copied, as of when, what is wrong with it, what a check found.
import { Link } from "@tanstack/react-router";
import type { Schemas } from "../../api/call";
import { useRead } from "../../api/query";
import type { Copy } from "../../ui/asOf";
import { Badge } from "../../ui/Badge";
import { Section } from "../../ui/Page";
import { Empty, Loaded } from "../../ui/State";
import { Table } from "../../ui/Table";
import { Ago } from "../../ui/Time";
import { shortDid, shortOid, type Word } from "../../ui/words";
import css from "./Journal.module.css";
import { foundOf, useVerified } from "./verified";

/** How often it is looked how the copies stand: no event tells of it. */
const LOOK_EVERY_MS = 10_000;

const words: Record<Schemas["CopyState"], Word> = {
  verified: { text: "Verified", tone: "good" },
  behind: { text: "Behind", tone: "warn" },
  altered: { text: "Altered", tone: "bad" },
  forked: { text: "Forked", tone: "bad" },
};

export function Copies() {
  const copies = useRead("journal.copies", {}, { refetchInterval: LOOK_EVERY_MS, refetchOnMount: "always" });
  return (
    <div className={css.tab}>
      <p className="muted">
        Every device writes its own journal and signs it; this one keeps copies of the others’. What they tell stays known here while they
        are away, as of when they were heard last.
      </p>
      <Loaded query={copies} rows={3}>
        {(list) => (
          <>
            <List copies={list} />
            {list.length === 1 && (
              <Empty title="There is no other journal here yet">
                A device that joins the org sends its journal as soon as it is reached.
              </Empty>
            )}
          </>
        )}
      </Loaded>
      <Picture />
    </div>
  );
}

function List({ copies }: { copies: Copy[] }) {
  const { data: verified } = useVerified();
  return (
    <Table
      label="Journals of all devices"
      rows={copies}
      keyOf={({ device }) => device}
      columns={[
        {
          title: "Device",
          cell: ({ device, name }) => (
            <span className={css.two}>
              <Link to="/journal" search={({ text: _, tab: __, ...rest }) => ({ ...rest, device })} className="link">
                {name ?? "Not of the org any more"}
              </Link>
              <code title={device}>{shortDid(device)}</code>
            </span>
          ),
        },
        { title: "How it stands", cell: (copy) => <Standing copy={copy} /> },
        { title: "As of", cell: (copy) => <When copy={copy} /> },
        {
          title: "Copied up to",
          cell: ({ seq, incarnation, hash }) => (
            <span className={css.two}>
              <span className="number" title={`incarnation ${incarnation}`}>
                event {seq}
              </span>
              {hash && <code title={hash}>{shortOid(hash)}</code>}
            </span>
          ),
        },
        { title: "Last check", cell: ({ device }) => <Found device={device} verified={verified} /> },
      ]}
    />
  );
}

function Standing({ copy: { here, state, why } }: { copy: Copy }) {
  if (here || !state) return <Badge word={{ text: "This device’s own", tone: "good" }} />;
  return (
    <span className={css.two}>
      <Badge word={words[state]} />
      {why && <span className="muted">{why}</span>}
    </span>
  );
}

function When({ copy: { here, as_of, reachable } }: { copy: Copy }) {
  if (here) return "now";
  if (reachable) return "now: it is followed";
  return (
    <span className={css.two}>
      {as_of ? <Ago at={as_of} /> : "never known whole here"}
      <span className="muted">not reached</span>
    </span>
  );
}

function Found({ device, verified }: { device: string; verified: ReturnType<typeof useVerified>["data"] }) {
  const found = foundOf(device, verified);
  if (!found) return <span className="muted">none yet</span>;
  return (
    <span className={css.two}>
      <Badge word={found.word} />
      <span className="muted">{found.text}</span>
    </span>
  );
}

/** Devices that have the same journals show the same: the hash tells at a glance. */
function Picture() {
  const hash = useRead("journal.hash", {}, { refetchInterval: LOOK_EVERY_MS, refetchOnMount: "always" });
  return (
    <Section title="What all of them tell together">
      <Loaded query={hash} rows={1}>
        {({ hash, things }) => (
          <p className={css.hash}>
            <code>{hash}</code>{" "}
            <span className="muted">
              over {things} runs and claimed tasks. A device that has the same journals shows the same hash;{" "}
              <code>meshwork journal hash</code> tells it there.
            </span>
          </p>
        )}
      </Loaded>
    </Section>
  );
}
