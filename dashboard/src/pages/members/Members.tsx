// Members: the people of the org, their roles and keys, and the devices they own.
import type { Output } from "../../api/call";
import { useRead, useSession } from "../../api/query";
import { Page, Section } from "../../ui/Page";
import { Loaded } from "../../ui/State";
import { Table } from "../../ui/Table";
import ui from "../../ui/ui.module.css";
import { shortDid } from "../../ui/words";
import css from "./Members.module.css";

type Org = Output<"org.show">;

export default function Members() {
  const org = useRead("org.show", {});
  return (
    <Page title="Members">
      <Loaded query={org} rows={4}>
        {(known) => (
          <>
            <People org={known} />
            <Section title="Devices">
              <Table
                label="Devices"
                rows={known.devices}
                keyOf={(device) => device.did}
                columns={[
                  { title: "Device", cell: (device) => <b>{device.name}</b> },
                  { title: "Owner", cell: (device) => device.owner },
                  { title: "Key", cell: (device) => <Key did={device.did} own={device.did === known.device} /> },
                ]}
              />
            </Section>
            <Section title="Where it stands">
              <dl className={`${ui.card} ${css.facts}`}>
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

function People({ org }: { org: Org }) {
  const { data: me } = useSession();
  return (
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
      ]}
    />
  );
}

function Key({ did, own }: { did: string; own: boolean }) {
  return (
    <span>
      <code title={did}>{shortDid(did)}</code> {own && <span className="muted">here</span>}
    </span>
  );
}
