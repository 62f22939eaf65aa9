// Who is signed in, how the page looks, and the way out.
import { Menu } from "@base-ui/react/menu";
import { Check, CircleUser } from "lucide-react";
import { useSession } from "../api/query";
import css from "../ui/ui.module.css";
import { setTheme, type Theme, useTheme } from "./theme";

const themes: Record<Theme, string> = { system: "Look: as the system", light: "Look: light", dark: "Look: dark" };

export function Person({ openHelp }: { openHelp: () => void }) {
  const { data } = useSession();
  const theme = useTheme();
  const name = data?.name ?? "token";
  return (
    <Menu.Root>
      <Menu.Trigger className={css.button} data-tone="plain" aria-label={`You: ${name}`}>
        <CircleUser size={16} aria-hidden />
        {name}
      </Menu.Trigger>
      <Menu.Portal>
        <Menu.Positioner align="end" sideOffset={6}>
          <Menu.Popup className={css.menu}>
            <div className={css.menuLabel}>
              {name}, {data?.role} of {data?.org}
            </div>
            <Menu.RadioGroup value={theme} onValueChange={(next) => setTheme(next as Theme)}>
              {(Object.keys(themes) as Theme[]).map((key) => (
                <Menu.RadioItem key={key} value={key} className={css.menuItem} closeOnClick>
                  {themes[key]}
                  <Menu.RadioItemIndicator>
                    <Check size={14} aria-hidden />
                  </Menu.RadioItemIndicator>
                </Menu.RadioItem>
              ))}
            </Menu.RadioGroup>
            <Menu.Item className={css.menuItem} onClick={openHelp}>
              Keyboard shortcuts
            </Menu.Item>
            <Menu.Item className={css.menuItem} onClick={() => void signOut()}>
              Sign out
            </Menu.Item>
          </Menu.Popup>
        </Menu.Positioner>
      </Menu.Portal>
    </Menu.Root>
  );
}

/** Signs this browser out, and forgets what its tabs remember of who was here. */
export async function signOut(): Promise<void> {
  try {
    sessionStorage.clear();
  } catch {
    // Where the browser forbids its store there is nothing in it.
  }
  await fetch("/sign-out", { method: "POST", redirect: "manual" });
  location.assign("/");
}
