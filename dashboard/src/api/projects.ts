// The projects of the org. That one has arrived on this device no event tells: while one is awaited, it is looked.
import { useQuery } from "@tanstack/react-query";
import { read } from "./query";

const LOOK_EVERY_MS = 5_000;

export function useProjects() {
  return useQuery({
    ...read("project.list", {}),
    refetchInterval: ({ state }) => (state.data?.some(({ head }) => !head) ? LOOK_EVERY_MS : false),
  });
}
