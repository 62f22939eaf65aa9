// Stop orders: those in force, and those that were lifted.
import { useState } from "react";
import { useMay, useRead } from "../../api/query";
import { Badge } from "../../ui/Badge";
import { Button } from "../../ui/Button";
import { Empty, Loaded } from "../../ui/State";
import { Lift } from "../../ui/stop/Lift";
import { inForce, type Stop, whatOf } from "../../ui/stop/stop";
import { Table } from "../../ui/Table";
import { Ago } from "../../ui/Time";
import { Who } from "../../ui/Who";

export function Orders() {
  const stops = useRead("stop.list", {});
  const may = useMay("stop.lift");
  const [lifts, setLifts] = useState<Stop>();
  return (
    <Loaded query={stops} rows={2}>
      {(list) =>
        list.length === 0 ? (
          <Empty title="Nothing was ever halted">
            A stop order freezes an agent, a member, a device or the whole org on every device, until it is lifted. It is given where they
            are listed.
          </Empty>
        ) : (
          <>
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
                    may && inForce(stop) && <Button onClick={() => setLifts(stop)}>Lift that for {whatOf(stop.order.scope)}</Button>,
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

function State({ stop: { lifted_by, lifted_at } }: { stop: Stop }) {
  if (!lifted_by) return <Badge word={{ text: "In force", tone: "warn" }} />;
  return (
    <>
      <Badge word={{ text: "Lifted", tone: "none" }} /> by <Who did={lifted_by} /> {lifted_at && <Ago at={lifted_at} />}
    </>
  );
}
