// Closing a patch without merging it, and opening it again.
import { useAct, useMay } from "../../api/query";
import { Button } from "../../ui/Button";
import { Asks } from "../../ui/Dialog";
import { notify } from "../../ui/Toasts";
import type { Shown } from "./facts";

export function CloseButton({ patch }: { patch: Shown }) {
  const may = useMay("patch.close");
  const close = useAct("patch.close", { quiet: true, done: () => notify({ tone: "good", title: "The patch is closed." }) });
  if (!may) return null;
  return (
    <Asks
      name="Close …"
      tone="plain"
      busy={close.isPending}
      title="Close this patch without merging it?"
      text="Nothing of it comes into the project. Its commits stay in the repository."
      deed="Close the patch"
      onYes={() => close.mutate({ project: patch.project, patch: patch.id })}
    />
  );
}

export function ReopenButton({ patch }: { patch: Shown }) {
  const may = useMay("patch.reopen");
  const reopen = useAct("patch.reopen", { quiet: true, done: () => notify({ tone: "good", title: "The patch is open again." }) });
  if (!may) return null;
  return (
    <Button busy={reopen.isPending} onClick={() => reopen.mutate({ project: patch.project, patch: patch.id })}>
      Open again
    </Button>
  );
}
