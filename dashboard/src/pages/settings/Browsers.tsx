// The browsers that are signed in: each can be signed out, or all at once, when one was lost or left open somewhere.
import type { Output } from "../../api/call";
import { useAct, useRead } from "../../api/query";
import { signOut } from "../../frame/Person";
import { Button } from "../../ui/Button";
import { Asks } from "../../ui/Dialog";
import { Section } from "../../ui/Page";
import { Empty, Loaded } from "../../ui/State";
import { Table } from "../../ui/Table";
import { Ago } from "../../ui/Time";

type Browser = Output<"session.list">[number];

export function Browsers() {
  const browsers = useRead("session.list", {});
  const endAll = useAct("session.end_all", { done: () => void signOut() });
  return (
    <Section
      title="Signed-in browsers"
      note={
        <Asks
          name="Sign out everywhere"
          busy={endAll.isPending}
          title="Sign out everywhere?"
          text="Every browser is signed out at once, this one too. `meshwork open` on the machine prints a link to sign in again. Tokens of scripts go on."
          deed="Sign out everywhere"
          onYes={() => endAll.mutate({})}
        />
      }
    >
      <Loaded query={browsers} rows={2}>
        {(list) => <List browsers={list} />}
      </Loaded>
    </Section>
  );
}

function List({ browsers }: { browsers: Browser[] }) {
  const end = useAct("session.end");
  if (browsers.length === 0) return <Empty title="No browser is signed in">A one-time link signs one in: meshwork open.</Empty>;
  return (
    <Table
      label="Signed-in browsers"
      rows={browsers}
      keyOf={({ id }) => id}
      columns={[
        {
          title: "Browser",
          cell: (one) => (
            <>
              <b>{one.label}</b> {one.this && <span className="muted">this one</span>}
            </>
          ),
        },
        { title: "Signed in", cell: ({ since }) => <Ago at={since} /> },
        { title: "Until", cell: ({ until }) => (until ? new Date(until).toLocaleDateString() : "it is signed out") },
        {
          title: "Change",
          end: true,
          cell: (one) =>
            one.this ? (
              <Button tone="danger" onClick={() => void signOut()}>
                Sign out
              </Button>
            ) : (
              <Asks
                name={`Sign out ${one.label}`}
                title={`Sign ${one.label} out?`}
                text="It is cut off at once, and shows nothing more until somebody signs in there again."
                deed="Sign it out"
                onYes={() => end.mutate({ id: one.id })}
              />
            ),
        },
      ]}
    />
  );
}
