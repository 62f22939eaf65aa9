import { QueryClient, QueryObserver } from "@tanstack/react-query";
import { expect, it, vi } from "vitest";
import { Refresher } from "./refresher";
import { isTouched, touched } from "./touched";

/** A read that answers when it is told to, with the state that was when it was asked. */
function watched(client: QueryClient, key: unknown[]) {
  const asked: (() => void)[] = [];
  const world = { state: 0 };
  const observer = new QueryObserver(client, {
    queryKey: key,
    queryFn: () => {
      const seen = world.state;
      return new Promise<number>((answer) => asked.push(() => answer(seen)));
    },
    staleTime: Number.POSITIVE_INFINITY,
  });
  observer.subscribe(() => {});
  return { world, observer, asked };
}

it("reads again what was touched while it was being read, so that nothing is missed", async () => {
  const client = new QueryClient();
  const { world, observer, asked } = watched(client, ["run.list", {}]);
  await vi.waitFor(() => expect(asked.length).toBe(1));
  const refresher = new Refresher(client);

  world.state = 1; // While the very first read is under way.
  refresher.touch([{ action: "run.list" }]);
  asked[0]?.();
  await vi.waitFor(() => expect(asked.length).toBe(2));
  world.state = 2; // After the question, before the answer.
  refresher.touch([{ action: "run.list" }]);
  refresher.touch([{ action: "run.list" }]);
  asked[1]?.();
  await vi.waitFor(() => expect(asked.length).toBe(3));
  asked[2]?.();
  await vi.waitFor(() => expect(observer.getCurrentResult().data).toBe(2));
  expect(asked.length).toBe(3);
});

it("touches a run's own reads and lists, and no other run's", () => {
  const touches = touched({
    version: 1,
    at: 0,
    actor: "d",
    type: "model_called",
    run: "A",
    model: "m",
    status: 200,
    usage: {} as never,
    duration_ms: 1,
    admitted: 0,
  });
  expect(isTouched(["run.show", { run: "A" }], touches)).toBe(true);
  expect(isTouched(["run.show", { run: "B" }], touches)).toBe(false);
  expect(isTouched(["run.list", { all: true }], touches)).toBe(true);
  expect(isTouched(["journal.search", {}], touches)).toBe(true);
  expect(isTouched(["task.list", {}], touches)).toBe(false);
});

it("takes an event of a newer program for one that may touch anything", () => {
  const touches = touched({ version: 1, at: 0, actor: "d", type: "from_the_future" } as never);
  expect(isTouched(["task.list", {}], touches)).toBe(true);
  expect(isTouched(["org.show", {}], touches)).toBe(true);
});
