// Asks before a stop order is lifted.
import { useAct } from "../../api/query";
import { Ask } from "../Dialog";
import { type Stop, whatOf } from "./stop";

export function Lift({ stop: { order }, onClose }: { stop: Stop; onClose: () => void }) {
  const lift = useAct("stop.lift");
  return (
    <Ask
      title={`Lift the stop order for ${whatOf(order.scope)}?`}
      text={`It was given because: ${order.why} What it halted goes on, on every device, unless another order halts it too.`}
      deed="Lift it"
      open
      onClose={onClose}
      onYes={() => lift.mutate({ id: order.id })}
    />
  );
}
