// Stop orders: those in force, and those that were lifted.
import { useState } from "react";
import { useRead } from "../../api/query";
import { Badge } from "../../ui/Badge";
import { Button } from "../../ui/Button";
import { Empty, Loaded } from "../../ui/State";
import { HaltChoice } from "../../ui/stop/Halt";
import { Lift } from "../../ui/stop/Lift";
import { useMayLift, useMayOrder, useOwnDevices } from "../../ui/stop/may";
import { halting, inForce, type Scope, type Stop, whatOf } from "../../ui/stop/stop";
import { Table } from "../../ui/Table";
import { Ago } from "../../ui/Time";
import { Who } from "../../ui/Who";

export function Orders() {
  const stops = useRead("stop.list", {});
  const scopes = useScopes(stops.data);
  const may = useMayLift();
  const [lifts, setLifts] = useState<Stop>();
  return (
    <Loaded query={stops} rows={2}>
      {(list) =>
        list.length === 0 ? (
          <>
            <Empty title="Nothing was ever halted">
              A stop order freezes an agent, a member, a device or the whole org on every device, until it is lifted. It is given here, or
              where they are listed.
            </Empty>
            <p>
              <HaltChoice scopes={scopes} />
            </p>
          </>
        ) : (
          <>
            <p>
              <HaltChoice scopes={scopes} />
            </p>
            <Table
              label="Stop orders"
              rows={list}
              keyOf={({ order }) => order.id}
              columns={[
                { title: "Halts", cell: ({ order }) => <b>{whatOf(order.scope)}</b> },
                { title: "Why", cell: ({ order }) => order.why },
                {
                  title: "Ordered",
                  cell: ({ by, order }) => (
                    <>
                      <Who did={by} /> <Ago at={order.at} />
                    </>
                  ),
                },
                { title: "State", cell: (stop) => <State stop={stop} /> },
                {
                  title: "Change",
                  end: true,
                  cell: (stop) =>
                    inForce(stop) && may(stop) && <Button onClick={() => setLifts(stop)}>Lift that for {whatOf(stop.order.scope)}</Button>,
                },
              ]}
            />
            {lifts && <Lift stop={lifts} onClose={() => setLifts(undefined)} />}
          </>
        )
      }
    </Loaded>
  );
}

/** What the person may halt, and is not halted. Their own devices first: those are what they most likely mean. */
function useScopes(stops: Stop[] = []): Scope[] {
  const may = useMayOrder();
  const own = useOwnDevices();
  const { data: org } = useRead("org.show", {});
  const { data: agents = [] } = useRead("agent.list", {});
  const all: Scope[] = [
    ...own,
    ...agents.map(({ name }) => ({ what: "agent", name }) as const),
    ...(org?.members ?? []).map(({ name, keys }) => ({ what: "member", name, keys: keys.map(({ did }) => did) }) as const),
    ...(org?.devices ?? [])
      .filter(({ did }) => !own.some(({ device }) => device === did))
      .map(({ name, did }) => ({ what: "device", name, device: did }) as const),
    { what: "org" },
  ];
  return all.filter((scope) => may(scope) && !halting(stops, scope));
}

function State({ stop: { lifted_by, lifted_at } }: { stop: Stop }) {
  if (!lifted_by) return <Badge word={{ text: "In force", tone: "warn" }} />;
  return (
    <>
      <Badge word={{ text: "Lifted", tone: "none" }} /> by <Who did={lifted_by} /> {lifted_at && <Ago at={lifted_at} />}
    </>
  );
}
