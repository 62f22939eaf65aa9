// Members: the people of the org, their roles and keys, and the devices they own.
import { Trash2, UserPlus } from "lucide-react";
import { useState } from "react";
import type { Output } from "../../api/call";
import { useAct, useMay, useRead, useSession } from "../../api/query";
import { Button, IconButton } from "../../ui/Button";
import { Ask } from "../../ui/Dialog";
import { Page, Section } from "../../ui/Page";
import { Loaded } from "../../ui/State";
import { Table } from "../../ui/Table";
import ui from "../../ui/ui.module.css";
import { shortDid } from "../../ui/words";
import { Invite } from "./Invite";
import css from "./Members.module.css";
import { Joiners, Proposals } from "./Waiting";

type Org = Output<"org.show">;

export default function Members() {
  const org = useRead("org.show", {});
  const [inviting, invite] = useState(false);
  const may = useMay("org.invite");
  return (
    <Page
      title="Members"
      actions={
        may && (
          <Button tone="primary" onClick={() => invite(true)}>
            <UserPlus size={14} aria-hidden /> Invite
          </Button>
        )
      }
    >
      {inviting && <Invite onClose={() => invite(false)} />}
      <Joiners />
      <Proposals />
      <Loaded query={org} rows={4}>
        {(known) => (
          <>
            {known.refused && (
              <p role="alert">
                <b>The newest commit of the org repository does not count; the state before it is in force.</b>{" "}
                {[known.refused.what, known.refused.why, known.refused.next].filter(Boolean).join(" ")}
              </p>
            )}
            <People org={known} />
            <Devices org={known} />
            <Section title="Where it stands">
              <dl className={`${ui.card} ${css.facts}`}>
                <dt>Owners who must sign a change</dt>
                <dd>{known.threshold}</dd>
                <dt>Org repository</dt>
                <dd className="mono">{known.rid}</dd>
                <dt>Radicle node</dt>
                <dd className="mono">{known.radicle ?? "does not listen"}</dd>
                <dt>RAD_HOME for the stock rad</dt>
                <dd className="mono">{known.rad_home}</dd>
              </dl>
            </Section>
          </>
        )}
      </Loaded>
    </Page>
  );
}

function Devices({ org }: { org: Org }) {
  const may = useMay("device.remove");
  const remove = useAct("device.remove");
  const [gone, setGone] = useState<string>();
  return (
    <Section title="Devices">
      <Table
        label="Devices"
        rows={org.devices}
        keyOf={(device) => device.did}
        columns={[
          { title: "Device", cell: (device) => <b>{device.name}</b> },
          { title: "Owner", cell: (device) => device.owner },
          { title: "Key", cell: (device) => <Key did={device.did} own={device.did === org.device} /> },
          { title: "Promised", cell: (device) => tags(device.tags) },
          {
            title: "Change",
            end: true,
            cell: (device) =>
              may &&
              device.did !== org.device && (
                <IconButton label={`Remove ${device.name}`} onClick={() => setGone(device.name)}>
                  <Trash2 size={14} aria-hidden />
                </IconButton>
              ),
          },
        ]}
      />
      {gone && (
        <Ask
          title={`Remove ${gone}?`}
          text="It may read and do nothing of the org any more. To come back it needs a new ticket and new keys. If its keys were stolen, use “meshwork org remove --device --lost”."
          deed={`Remove ${gone}`}
          open
          onClose={() => setGone(undefined)}
          onYes={() => remove.mutate({ name: gone })}
        />
      )}
    </Section>
  );
}

const tags = (all: Record<string, string> | undefined) =>
  Object.entries(all ?? {})
    .map(([name, value]) => `${name}=${value}`)
    .join(", ");

function People({ org }: { org: Org }) {
  const { data: me } = useSession();
  const may = useMay("member.remove");
  const remove = useAct("member.remove");
  const [gone, setGone] = useState<string>();
  return (
    <>
      <Table
        label="Members"
        rows={org.members}
        keyOf={(member) => member.name}
        columns={[
          {
            title: "Member",
            cell: (member) => (
              <>
                <b>{member.name}</b> {member.name === me?.name && <span className="muted">you</span>}
              </>
            ),
          },
          { title: "Roles", cell: (member) => member.roles.join(", ") },
          {
            title: "Keys",
            cell: (member) => (
              <span className={css.keys}>
                {member.keys.map(({ did }) => (
                  <Key key={did} did={did} own={did === org.member} />
                ))}
              </span>
            ),
          },
          {
            title: "Change",
            end: true,
            cell: (member) =>
              may &&
              !member.keys.some(({ did }) => did === org.member) && (
                <IconButton label={`Remove ${member.name}`} onClick={() => setGone(member.name)}>
                  <Trash2 size={14} aria-hidden />
                </IconButton>
              ),
          },
        ]}
      />
      {gone && (
        <Ask
          title={`Remove ${gone}?`}
          text="All their devices go with them. What they made stays."
          deed={`Remove ${gone}`}
          open
          onClose={() => setGone(undefined)}
          onYes={() => remove.mutate({ name: gone })}
        />
      )}
    </>
  );
}

function Key({ did, own }: { did: string; own: boolean }) {
  return (
    <span>
      <code title={did}>{shortDid(did)}</code> {own && <span className="muted">here</span>}
    </span>
  );
}
