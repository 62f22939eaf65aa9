// A key, by the name of the member or device that it belongs to.
import { useRead } from "../api/query";
import { shortDid, shortOid, shortRun } from "./words";

export interface Known {
  name: string;
  /** A member whose reviews count, and not a stranger's key. */
  member: boolean;
  bot: boolean;
}

/** Names keys; one that nobody in the org has keeps its own, shortened. */
export function useWho(): (did: string) => Known {
  const { data } = useRead("org.show", {});
  return (did) => {
    const member = data?.members.find((one) => one.keys.some((key) => key.did === did));
    if (member) return { name: member.name, member: true, bot: member.roles.includes("reviewer-bot") };
    const device = data?.devices.find((one) => one.did === did);
    const gone = [...(data?.revoked ?? []), ...(data?.ended ?? [])].find((one) => one.did === did);
    const name = device?.name ?? (gone?.name ? `${gone.name} (removed)` : shortDid(did));
    return { name, member: false, bot: false };
  };
}

/** A sentence of the program with names where it has keys, and with short ids; a command in it keeps the whole ones. */
export const withNames = (sentence: string, who: (did: string) => Known): string =>
  sentence
    .replace(/did:key:\w+/g, (did) => who(did).name)
    .split("`")
    .map((part, at) => (at % 2 ? part : part.replace(RUN, shortRun).replace(OID, shortOid)))
    .join("`");

const RUN = /\b[0-7][0-9A-HJKMNP-TV-Z]{25}\b/g;
const OID = /\b[0-9a-f]{40}\b/g;

export function Who({ did }: { did: string }) {
  const { name, bot } = useWho()(did);
  return (
    <span title={did}>
      <b>{name}</b>
      {bot && <span className="muted"> (bot)</span>}
    </span>
  );
}
