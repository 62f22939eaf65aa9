import { screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test } from "vitest";
import { program, sent, shown } from "../../../tests/program";
import { Protect } from "./Protect";

program(() => ({ "session/show": { permissions: ["manage_credentials"] } }));

test("a passphrase is written twice before it locks the vault, and is not sent where a key file opens it", async () => {
  const user = userEvent.setup();
  shown(<Protect />);
  await user.click(await screen.findByRole("button", { name: "What unlocks them" }));
  const by = screen.getByRole("combobox", { name: "By" });
  await user.selectOptions(by, "A passphrase");
  const set = screen.getByRole("button", { name: "Set it" });
  await user.type(screen.getByLabelText("Passphrase"), "correct horse");
  await user.type(screen.getByLabelText("Once more"), "correct hors");
  expect(set).toHaveProperty("disabled", true);
  await user.type(screen.getByLabelText("Once more"), "e");
  expect(set).toHaveProperty("disabled", false);
  await user.selectOptions(by, "A key file");
  await user.click(set);
  await waitFor(() => expect(sent.map(([, body]) => body)).toEqual([{ by: "key-file", passphrase: null }]));
});
