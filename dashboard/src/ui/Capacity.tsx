// What a device lends, and how much of it is taken.
import type { Output } from "../api/call";
import css from "./Capacity.module.css";
import ui from "./ui.module.css";
import { bytes, plural } from "./words";

export function Capacity({ device: { capacity } }: { device: Output<"device.capacity">[number] }) {
  if (!capacity) return null;
  const { total, free, runtimes } = capacity;
  const cores = (milli: number) => (milli / 1_000).toFixed(milli % 1_000 ? 1 : 0);
  return (
    <div className={`${ui.card} ${css.meters}`}>
      <Meter name="Runs at once" total={capacity.slots} taken={capacity.slots - capacity.slots_free} text={String} />
      <Meter name="Processor" total={total.cpu_milli} taken={total.cpu_milli - free.cpu_milli} text={cores} unit=" cores" />
      <Meter name="Memory" total={total.memory_bytes} taken={total.memory_bytes - free.memory_bytes} text={bytes} />
      <Meter name="Disk" total={total.disk_bytes} taken={total.disk_bytes - free.disk_bytes} text={bytes} />
      {runtimes.length === 0 && <span className="muted">No sandbox works on it, so it gets no runs: see “meshwork doctor” there.</span>}
      {total.gpus > 0 && <span className="muted">{plural(total.gpus, "GPU")}</span>}
    </div>
  );
}

function Meter({
  name,
  total,
  taken,
  text,
  unit = "",
}: {
  name: string;
  total: number;
  taken: number;
  text: (n: number) => string;
  unit?: string;
}) {
  return (
    <div className={css.meter}>
      <span>
        {name}
        <span className="muted number">
          {text(total - taken)} of {text(total)}
          {unit} free
        </span>
      </span>
      <progress className={css.bar} value={taken} max={Math.max(total, 1)} aria-label={name} />
    </div>
  );
}
