// Removing a file of policies: first it is looked what nobody could do any more without it, and that is said before it is removed.
import type { Output } from "../../../api/call";
import { useRead } from "../../../api/query";
import { ActForm } from "../../../ui/Form";
import { Loaded } from "../../../ui/State";
import { nameOf, withoutFile } from "./file";
import { Warnings } from "./Warnings";

type Files = Output<"policy.show">["files"];

export function RemoveFile({ files, path, onClose }: { files: Files; path: string; onClose: () => void }) {
  const name = nameOf(path);
  const check = useRead("policy.check", { files: withoutFile(files, path) }, { refetchOnMount: "always" });
  return (
    <Loaded query={check} rows={2}>
      {({ warnings }) => (
        <ActForm
          action="policy.set"
          input={{ name, text: null, anyway: warnings.length > 0 }}
          deed={warnings.length > 0 ? "Remove it all the same" : `Remove ${name}`}
          tone="danger"
          onClose={onClose}
        >
          <p className="muted">Its rules count no more. Where other owners must sign, it is proposed to them.</p>
          {warnings.length > 0 && <Warnings title="Without it somebody is locked out." warnings={warnings} />}
        </ActForm>
      )}
    </Loaded>
  );
}
