// Members: the people of the org, their roles and keys; what each may; and what is halted.
import { getRouteApi } from "@tanstack/react-router";
import { Trash2 } from "lucide-react";
import { lazy, Suspense } from "react";
import type { Output } from "../../api/call";
import { useAct, useMay, useRead, useSession } from "../../api/query";
import { memberTabs } from "../../router";
import { Asks } from "../../ui/Dialog";
import { Page } from "../../ui/Page";
import { Loaded, Loading } from "../../ui/State";
import { useHalt } from "../../ui/stop/Halt";
import type { Scope } from "../../ui/stop/stop";
import { Table } from "../../ui/Table";
import { Tabs } from "../../ui/Tabs";
import { shortDid } from "../../ui/words";
import { Invite } from "./Invite";
import { Invites } from "./Invites";
import css from "./Members.module.css";
import { Orders } from "./Orders";
import { Rename, Standby } from "./Person";
import { Roles } from "./Roles";
import { Standing } from "./Standing";
import { Joiners, Proposals } from "./Waiting";

type Shown = Output<"org.show">;

const route = getRouteApi("/members");
const Rights = lazy(() => import("./rights/Rights"));
const titles = { people: "People", rights: "Rights", stops: "Stop orders" };

export default function Members() {
  const { tab = "people" } = route.useSearch();
  const navigate = route.useNavigate();
  const invites = useMay("org.invite");
  const halt = useHalt();
  return (
    <Page
      title="Members"
      actions={
        <>
          {halt.button({ what: "org" })}
          {invites && <Invite />}
        </>
      }
    >
      <Joiners />
      <Proposals />
      <Tabs
        label="Of the org"
        tabs={memberTabs.map((key) => ({ key, title: titles[key] }))}
        value={tab}
        onChange={(next) => void navigate({ search: { tab: next === "people" ? undefined : next }, replace: true })}
      >
        <div className={css.panel}>
          {tab === "people" && <Org />}
          {tab === "rights" && (
            <Suspense fallback={<Loading />}>
              <Rights />
            </Suspense>
          )}
          {tab === "stops" && <Orders />}
        </div>
      </Tabs>
    </Page>
  );
}

function Org() {
  const org = useRead("org.show", {});
  return (
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
          <Invites />
          <Standing org={known} />
        </>
      )}
    </Loaded>
  );
}

function People({ org }: { org: Shown }) {
  const { data: me } = useSession();
  const may = useMay("member.remove");
  const remove = useAct("member.remove");
  const halt = useHalt();
  const scopeOf = ({ name, keys }: Shown["members"][number]): Scope => ({ what: "member", name, keys: keys.map(({ did }) => did) });
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
              <b>{member.name}</b> {member.name === me?.name && <span className="muted">you</span>} <Rename name={member.name} />{" "}
              {halt.badge(scopeOf(member))}
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
        { title: "Stands in", cell: (member) => <Standby member={member} devices={org.devices} /> },
        {
          title: "Change",
          end: true,
          cell: (member) => (
            <>
              <Roles member={member} />
              {halt.icon(scopeOf(member))}
              {may && !member.keys.some(({ did }) => did === org.member) && (
                <Asks
                  name={`Remove ${member.name}`}
                  icon={<Trash2 size={14} aria-hidden />}
                  title={`Remove ${member.name}?`}
                  text="All their devices go with them. What they made stays."
                  deed={`Remove ${member.name}`}
                  onYes={() => remove.mutate({ name: member.name })}
                />
              )}
            </>
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
