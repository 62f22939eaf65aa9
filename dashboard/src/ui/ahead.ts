// Parts of a page with a script of their own: it is fetched while the page reads what the part will show, not after that.
import { useEffect } from "react";

/** Fetches a part's script as soon as it is `wanted`. That it does not come is said where the part is drawn. */
export function useAhead(load: () => Promise<unknown>, wanted: boolean): void {
  useEffect(() => {
    if (wanted) load().catch(() => {});
  }, [load, wanted]);
}
