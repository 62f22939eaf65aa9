// What each role and member may, one line each.
import { Check } from "lucide-react";
import type { Output, Permission } from "../../../api/call";
import { Table } from "../../../ui/Table";
import { permissions } from "./permissions";
import css from "./Rights.module.css";

type Who = Output<"policy.show">["roles"][number];

export function Matrix({ roles, members }: { roles: Who[]; members: Who[] }) {
  const rows = [...roles.map((one) => ({ ...one, kind: "role" })), ...members.map((one) => ({ ...one, kind: "member" }))];
  return (
    <>
      <Table
        label="Who may what"
        scrolls
        rows={rows}
        keyOf={({ kind, who }) => `${kind} ${who}`}
        columns={[
          {
            title: "Who",
            cell: ({ kind, who }) => (
              <>
                <b>{who}</b> <span className="muted">{kind}</span>
              </>
            ),
          },
          ...(Object.keys(permissions) as Permission[]).map((key) => ({
            title: permissions[key].name,
            cell: (row: Who) => <Mark yes={row.permissions.includes(key)} />,
          })),
        ]}
      />
      <details>
        <summary>What the words mean</summary>
        <dl className={css.words}>
          {Object.values(permissions).map(({ name, says }) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd className="muted">{says}</dd>
            </div>
          ))}
        </dl>
      </details>
    </>
  );
}

function Mark({ yes }: { yes: boolean }) {
  return (
    <span className={css.mark} data-yes={yes}>
      {yes ? <Check size={15} aria-hidden /> : <span aria-hidden>·</span>}
      <span className="hidden">{yes ? "may" : "may not"}</span>
    </span>
  );
}
