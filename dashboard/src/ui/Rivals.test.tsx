import { cleanup, render, screen } from "@testing-library/react";
import { afterEach, expect, test, vi } from "vitest";
import { Rivals } from "./Rivals";

vi.mock("@tanstack/react-router", () => ({
  Link: ({
    to,
    params,
    children,
    "aria-current": current,
  }: {
    to: string;
    params: { patch: string };
    children: unknown;
    "aria-current"?: boolean;
  }) => (
    <a href={to.replace("$patch", params.patch)} aria-current={current}>
      {children as string}
    </a>
  ),
}));
vi.mock("../api/query", () => ({
  useRead: () => ({
    data: {
      members: [{ name: "bob", roles: [], keys: [{ did: "did:key:bob" }] }],
      devices: [
        { name: "adas-box", did: "did:key:a" },
        { name: "bobs-box", did: "did:key:b" },
      ],
    },
  }),
}));

const [ours, theirs] = ["a".repeat(40), "b".repeat(40)];

afterEach(cleanup);

test("open rivals are told apart by their devices, and it is said what merging one does", () => {
  const rival = { state: "open", standing: "to_review", taken_over: false } as const;
  render(
    <Rivals
      here={ours}
      rivals={[
        { ...rival, patch: ours, device: "did:key:a" },
        {
          ...rival,
          patch: theirs,
          standing: "checks_failed",
          device: "did:key:b",
          member: "did:key:bob",
          whose: { device: "did:key:b", reachable: false },
        },
      ]}
    />,
  );
  const [first, second] = screen.getAllByRole("link");
  expect(first?.textContent).toContain("adas-box");
  expect(first?.getAttribute("aria-current")).toBe("true");
  expect(second?.getAttribute("href")).toBe(`/patches/${theirs}`);
  expect(second?.textContent).toContain("bobs-box");
  expect(second?.textContent).toContain("for bob");
  expect(first?.textContent).toContain("To review");
  expect(second?.textContent).toContain("Checks failed");
  expect(second?.textContent).toContain("perhaps old, bobs-box not reached");
  expect(screen.getByText(/merging it closes the others/)).toBeTruthy();
});

test("who picked is named, and a task without rivals shows nothing", () => {
  const { container } = render(<Rivals rivals={[]} />);
  expect(container.textContent).toBe("");
  render(
    <Rivals
      rivals={[
        { patch: ours, state: "merged", standing: "merged", device: "did:key:a", taken_over: false, merged_by: "did:key:bob" },
        { patch: theirs, state: "archived", standing: "closed", device: "did:key:b", taken_over: true },
      ]}
    />,
  );
  const [first, second] = screen.getAllByRole("link");
  expect(first?.textContent).toContain("picked by bob");
  expect(second?.textContent).toContain("Closed");
  expect(second?.textContent).toContain("its task was taken over");
  expect(screen.queryByText(/merging it closes the others/)).toBeNull();
});
