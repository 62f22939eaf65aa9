// Halting an agent, a member, a device or the whole org, from wherever it is shown; and lifting that again.
import { OctagonPause, Play } from "lucide-react";
import { useState } from "react";
import { useRead } from "../../api/query";
import { Badge } from "../Badge";
import { Button, IconButton } from "../Button";
import { Dialog } from "../Dialog";
import { ActForm, Area, Choice } from "../Form";
import { notify } from "../Toasts";
import { Lift } from "./Lift";
import { useMayLift, useMayOrder } from "./may";
import { effectOf, halting, orderOf, type Scope, type Stop, whatOf } from "./stop";

/** As `WHY_BYTES_MAX` of the program. */
const WHY_MAX = 400;

/** How rows show that their thing is halted, and the icon that halts it or lifts that; one look at the orders for all rows. */
export function useHalt() {
  const { data: stops } = useRead("stop.list", {});
  const mayOrder = useMayOrder();
  const mayLift = useMayLift();
  const stopOf = (scope: Scope) => stops && halting(stops, scope);
  return {
    badge: (scope: Scope) => {
      const stop = stopOf(scope);
      return (
        stop && (
          <span title={stop.order.why}>
            <Badge word={{ text: "Halted", tone: "warn" }} />
          </span>
        )
      );
    },
    icon: (scope: Scope) => {
      const stop = stopOf(scope);
      return (
        stops && (stop ? mayLift(stop) : mayOrder(scope)) && <HaltIcon key={stop?.order.id ?? whatOf(scope)} scope={scope} stop={stop} />
      );
    },
    button: (scope: Scope) => stops && !stopOf(scope) && mayOrder(scope) && <HaltButton scope={scope} />,
  };
}

function HaltIcon({ scope, stop }: { scope: Scope; stop?: Stop }) {
  const [open, setOpen] = useState(false);
  const close = () => setOpen(false);
  const Icon = stop ? Play : OctagonPause;
  return (
    <>
      <IconButton label={stop ? `Lift the stop order for ${whatOf(scope)}` : `Halt ${whatOf(scope)}`} onClick={() => setOpen(true)}>
        <Icon size={14} aria-hidden />
      </IconButton>
      {open && (stop ? <Lift stop={stop} onClose={close} /> : <Why scope={scope} onClose={close} />)}
    </>
  );
}

function HaltButton({ scope }: { scope: Scope }) {
  const [open, setOpen] = useState(false);
  return (
    <>
      <Button tone="danger" onClick={() => setOpen(true)}>
        <OctagonPause size={14} aria-hidden /> Halt {whatOf(scope)}
      </Button>
      {open && <Why scope={scope} onClose={() => setOpen(false)} />}
    </>
  );
}

/** Halts whatever of these is chosen: where orders are listed. */
export function HaltChoice({ scopes }: { scopes: readonly Scope[] }) {
  const [open, setOpen] = useState(false);
  const [first] = scopes;
  if (!first) return null;
  return (
    <>
      <Button tone="danger" onClick={() => setOpen(true)}>
        <OctagonPause size={14} aria-hidden /> Give a stop order
      </Button>
      {open && <Why scope={first} among={scopes} onClose={() => setOpen(false)} />}
    </>
  );
}

/** `among`: what else could be halted instead. What was chosen stays, also where somebody halts it meanwhile. */
function Why({ scope: first, among, onClose }: { scope: Scope; among?: readonly Scope[]; onClose: () => void }) {
  const [why, setWhy] = useState("");
  const [scope, choose] = useState(first);
  const what = whatOf(scope);
  const scopes = among?.some((one) => whatOf(one) === what) ? among : [scope, ...(among ?? [])];
  return (
    <Dialog title={among ? "Give a stop order" : `Halt ${what}?`} open onClose={onClose}>
      <ActForm
        action="stop.order"
        input={orderOf(scope, why.trim())}
        deed="Halt"
        tone="danger"
        disabled={why.trim() === ""}
        done={() => notify({ tone: "good", title: `Halted: ${what}.` })}
        onClose={onClose}
      >
        {among && (
          <Choice
            label="What"
            options={scopes.map((one) => ({ key: whatOf(one), title: whatOf(one) }))}
            value={what}
            onChange={(key) => choose(scopes.find((one) => whatOf(one) === key) ?? scope)}
          />
        )}
        <p className="muted">{effectOf(scope)}</p>
        <Area label="Why" rows={2} maxLength={WHY_MAX} value={why} hint="Everybody who waits is shown it." onChange={setWhy} />
      </ActForm>
    </Dialog>
  );
}
