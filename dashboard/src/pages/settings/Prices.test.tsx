import { screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test } from "vitest";
import { program, sent, shown } from "../../../tests/program";
import { Prices, Rules } from "./Prices";

program(() => ({ "session/show": { permissions: ["manage_org"] } }));

const user = userEvent.setup();
const show = () =>
  shown(
    <>
      <Rules quotas={{ version: 1, keep_content: false, models: ["gpt-5*"] }} />
      <Prices prices={[{ model: "gpt-5", host: "api.openai.com", input: "1.25", output: "10.00" }]} />
    </>,
  );

test("a price is changed where it stands, and taken away by saying neither part of it", async () => {
  show();
  await user.click(await screen.findByRole("button", { name: "Change the price of gpt-5 at api.openai.com" }));
  expect(screen.queryByRole("textbox", { name: "Model" })).toBeNull();
  const output = screen.getByRole("textbox", { name: "A million tokens written" });
  await user.clear(output);
  expect(screen.getByRole("button", { name: "Set it" })).toHaveProperty("disabled", true);
  await user.type(output, "12.00{Enter}");
  const price = { model: "gpt-5", host: "api.openai.com", input: "1.25", cached_input: null, cache_write: null, output: "12.00" };
  await waitFor(() => expect(sent).toEqual([["/api/v1/quota/price", price]]));
  await user.click(screen.getByRole("button", { name: "Take the price of gpt-5 at api.openai.com away" }));
  await user.click(screen.getByRole("button", { name: "Take it away" }));
  await waitFor(() => expect(sent.at(-1)).toEqual(["/api/v1/quota/price", { model: "gpt-5", host: "api.openai.com" }]));
});

test("which models may be used is set, none named being any", async () => {
  show();
  await user.click(await screen.findByRole("button", { name: "Change the rules" }));
  expect(screen.getByRole("button", { name: "Set them" })).toHaveProperty("disabled", true);
  await user.clear(screen.getByRole("textbox", { name: "Models that may be used" }));
  await user.click(screen.getByRole("button", { name: "Set them" }));
  await waitFor(() => expect(sent).toEqual([["/api/v1/quota/rules", { models: [], keep_content: false }]]));
});
