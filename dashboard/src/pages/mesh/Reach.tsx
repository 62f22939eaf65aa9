// The map: this device, and a line to each other one. What it shows stands in the list too; so no key leads into it.
import { type Edge, Handle, type Node, type NodeProps, Position, ReactFlow } from "@xyflow/react";
import "@xyflow/react/dist/style.css";
import type { Output, Schemas } from "../../api/call";
import { Badge } from "../../ui/Badge";
import { useWhy } from "../../ui/Verdicts";
import { wordOf } from "../../ui/verdicts";
import type { Word } from "../../ui/words";
import { reachWord } from "./devices";
import css from "./Mesh.module.css";
import { around, NODE } from "./reach";

type Device = Output<"device.list">[number];
type DeviceNode = Node<{ device: Device; word: Word }, "device">;

const nodeTypes = { device: Box };
const NO_TASK = { project: "", feature: "", task: "" };

/** With a task, each box says what placement says of its device; else whether it answers. */
export default function Reach({ devices, task }: { devices: Device[]; task: Schemas["TaskRef"] | undefined }) {
  const { data: why } = useWhy({ at: task ?? NO_TASK }, task !== undefined);
  const verdicts = new Map(task && why ? why.devices.map((one) => [one.device, wordOf(one, why)]) : []);
  const here = devices.find((one) => one.here);
  const others = devices.filter((one) => !one.here);
  const places = around(others.length);
  const node = (device: Device, position: { x: number; y: number }): DeviceNode => ({
    id: device.did,
    type: "device",
    position,
    data: { device, word: verdicts.get(device.did) ?? reachWord(device) },
    ...NODE,
  });
  const nodes = others.map((device, at) => node(device, places[at] ?? { x: 0, y: 0 }));
  if (here) nodes.unshift(node(here, { x: 0, y: 0 }));
  const lines: Edge[] = here
    ? others.map(({ did, reachable }) => ({
        id: did,
        source: here.did,
        target: did,
        type: "straight",
        className: reachable ? "" : css.lost,
      }))
    : [];
  return (
    <div className={css.map}>
      <ReactFlow
        key={devices.map(({ did }) => did).join()}
        nodes={nodes}
        edges={lines}
        nodeTypes={nodeTypes}
        nodesDraggable={false}
        nodesConnectable={false}
        nodesFocusable={false}
        edgesFocusable={false}
        elementsSelectable={false}
        panOnDrag={false}
        zoomOnScroll={false}
        zoomOnPinch={false}
        zoomOnDoubleClick={false}
        preventScrolling={false}
        fitView
        fitViewOptions={{ maxZoom: 1 }}
        minZoom={0.1}
      />
    </div>
  );
}

function Box({ data: { device, word } }: NodeProps<DeviceNode>) {
  return (
    <div className={css.node} data-here={device.here}>
      <Handle type="target" position={Position.Top} className={css.handle} />
      <b className="clip">{device.name}</b>
      <Badge word={word} />
      <Handle type="source" position={Position.Top} className={css.handle} />
    </div>
  );
}
