// A task that is run again: as its run before was wanted, unless the person says otherwise. Pure.
import type { Input, Schemas } from "../../api/call";
import { tagsOf, tagsText } from "../words";

export type Run = Schemas["Run"];

/** What is wanted of a run: texts as they stand in the fields, empty where nothing is said. */
export interface Wanted {
  agent: string;
  priority: Schemas["Priority"];
  /** The device; none: whichever suits best. */
  on: string;
  tags: string;
  /** The run on whose device it must not be. */
  apart: string;
}

export const wantedOf = (run: Run | undefined): Wanted => ({
  agent: run?.agent ?? "",
  priority: run?.priority ?? "normal",
  on: run?.on ?? "",
  tags: tagsText(run?.tags),
  apart: run?.apart?.run ?? "",
});

export const inputOf = ({ project, feature, task }: Schemas["TaskRef"], wanted: Wanted): Input<"task.run"> => ({
  project,
  feature,
  tasks: [task],
  agent: wanted.agent || null,
  priority: wanted.priority,
  on: wanted.on || null,
  tags: tagsOf(wanted.tags),
  apart_from: wanted.apart || null,
});
