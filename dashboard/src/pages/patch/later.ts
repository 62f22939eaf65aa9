// Actions that this program may not have yet: nothing is shown for one that is not in its table.
import { actions } from "../../api/actions";
import type { ActionName } from "../../api/call";
import { useAct, useMay } from "../../api/query";

export function useLater(name: "patch.comment" | "patch.reopen", done?: () => void) {
  const known = name in actions;
  const action = (known ? name : "patch.close") as ActionName;
  const may = useMay(action);
  const act = useAct(action, { done });
  if (!known || !may) return undefined;
  return {
    busy: act.isPending,
    go: (input: { project: string; patch: string; body?: string; reply_to?: string }) => act.mutate(input as never),
  };
}
