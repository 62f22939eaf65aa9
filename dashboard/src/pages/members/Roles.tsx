// The roles of a member, given and taken; where other owners must sign, it waits for them.
import { Pencil } from "lucide-react";
import { useState } from "react";
import type { Output, Schemas } from "../../api/call";
import { useMay } from "../../api/query";
import { ActForm, Check, Opens } from "../../ui/Form";

type Member = Pick<Output<"org.show">["members"][number], "name" | "roles">;

const ROLES: Schemas["Role"][] = ["owner", "maintainer", "developer", "viewer", "reviewer-bot", "agent"];

export function Roles({ member }: { member: Member }) {
  const may = useMay("member.roles");
  if (!may) return null;
  const name = `Change the roles of ${member.name}`;
  return (
    <Opens bare icon={<Pencil size={14} aria-hidden />} name={name} title={`Roles of ${member.name}`}>
      {(close) => <Edit member={member} onClose={close} />}
    </Opens>
  );
}

function Edit({ member: { name, roles }, onClose }: { member: Member; onClose: () => void }) {
  const [now, setNow] = useState(roles);
  const give = now.filter((role) => !roles.includes(role));
  const take = roles.filter((role) => !now.includes(role));
  const same = give.length + take.length === 0;
  return (
    <ActForm action="member.roles" input={{ member: name, give, take }} deed="Set them" disabled={same} onClose={onClose}>
      {ROLES.map((role) => (
        <Check
          key={role}
          label={role}
          value={now.includes(role)}
          onChange={(yes) => setNow(yes ? [...now, role] : now.filter((one) => one !== role))}
        />
      ))}
    </ActForm>
  );
}
