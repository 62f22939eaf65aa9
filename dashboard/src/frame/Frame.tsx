// Around every page: navigation, connection, the command bar, keys, and what is announced.
import { Menu } from "@base-ui/react/menu";
import { Link, Outlet, useRouterState } from "@tanstack/react-router";
import { Command, Ellipsis, Network } from "lucide-react";
import { lazy, Suspense, useCallback, useEffect, useRef, useState } from "react";
import { useSession } from "../api/query";
import { useConnection, useLive, useReady } from "../live/live";
import { LIVE_REGION } from "../ui/announce";
import { Badge } from "../ui/Badge";
import { Tips } from "../ui/Tips";
import { leavePage, Toasts } from "../ui/Toasts";
import ui from "../ui/ui.module.css";
import { clock } from "../ui/words";
import { handOver, hold } from "./command/early";
import css from "./Frame.module.css";
import { Help } from "./Help";
import { useKeys } from "./keys";
import { usePlaces } from "./nav";
import { useNotifications } from "./notifications";
import { Person } from "./Person";
import { Stops } from "./Stops";

const CommandBar = lazy(() => import("./command/CommandBar"));

export function Frame() {
  useLive();
  useNotifications();
  const [commands, setCommands] = useState(false);
  const [help, setHelp] = useState(false);
  const openCommands = useCallback(() => {
    hold();
    setCommands(true);
  }, []);
  const closeCommands = useCallback(() => {
    handOver();
    setCommands(false);
  }, []);
  const openHelp = useCallback(() => setHelp(true), []);
  useKeys({ openCommands, openHelp });
  return (
    <div className={css.frame}>
      <a className={css.skip} href="#main">
        Skip to the page
      </a>
      <Side />
      <header className={css.top}>
        <button type="button" className={css.search} onClick={openCommands} aria-keyshortcuts="Control+K">
          <Command size={14} aria-hidden />
          <span className="clip">Find or do anything</span>
          <kbd>Ctrl K</kbd>
        </button>
        <Connection />
        <Person openHelp={openHelp} />
      </header>
      <div className={css.notes}>
        <Stale />
        <Stops />
      </div>
      <Main />
      <div id={LIVE_REGION} className="hidden" aria-live="polite" />
      <Toasts />
      <Tips />
      <Help open={help} onClose={() => setHelp(false)} />
      {commands && (
        <Suspense fallback={<Escapes onEscape={closeCommands} />}>
          <CommandBar onClose={closeCommands} />
        </Suspense>
      )}
    </div>
  );
}

/** While the bar's script is on its way: Escape gives it up. */
function Escapes({ onEscape }: { onEscape: () => void }) {
  useEffect(() => {
    const press = (event: KeyboardEvent) => event.key === "Escape" && onEscape();
    window.addEventListener("keydown", press);
    return () => window.removeEventListener("keydown", press);
  }, [onEscape]);
  return null;
}

function Side() {
  const { data } = useSession();
  const places = usePlaces();
  return (
    <nav className={css.side} aria-label="Pages">
      <div className={css.org} title={data?.org ?? undefined}>
        <Network size={17} aria-hidden />
        <span className="clip">{data?.org}</span>
      </div>
      {places.map(({ to, title, icon: Icon, key }) => (
        <Link
          key={to}
          to={to}
          className={css.place}
          activeOptions={{ exact: to === "/" }}
          data-tip={title}
          data-keys={`g ${key}`}
          data-tip-side="right"
        >
          <Icon size={16} aria-hidden />
          <span className="clip">{title}</span>
        </Link>
      ))}
      <Menu.Root>
        <Menu.Trigger className={css.more} aria-label="More pages">
          <Ellipsis size={16} aria-hidden />
          More
        </Menu.Trigger>
        <Menu.Portal>
          <Menu.Positioner side="top" align="end" sideOffset={6}>
            <Menu.Popup className={ui.menu}>
              {places.map(({ to, title, icon: Icon }) => (
                <Menu.Item key={to} className={ui.menuItem} render={<Link to={to} activeOptions={{ exact: to === "/" }} />}>
                  <Icon size={16} aria-hidden /> {title}
                </Menu.Item>
              ))}
            </Menu.Popup>
          </Menu.Positioner>
        </Menu.Portal>
      </Menu.Root>
    </nav>
  );
}

/** The focus goes to the new page, so that the keyboard begins there. */
function Main() {
  const path = useRouterState({ select: (state) => state.resolvedLocation?.pathname });
  const main = useRef<HTMLElement>(null);
  const first = useRef(true);
  const ready = useReady();
  useEffect(() => {
    leavePage();
    // Not away from a dialog that was opened meanwhile: words that are being typed would be lost.
    if (!first.current && !document.querySelector("[role=dialog]")) main.current?.focus({ preventScroll: true });
    first.current = path === undefined;
  }, [path]);
  return (
    <main id="main" ref={main} tabIndex={-1} className={css.main}>
      {ready && <Outlet />}
    </main>
  );
}

function Connection() {
  const { state } = useConnection();
  const word = {
    connecting: { text: "Connecting", tone: "none" },
    live: { text: "Live", tone: "good" },
    lost: { text: "Not live", tone: "bad" },
  } as const;
  return (
    <span className={css.connection} role="status">
      <Badge word={word[state]} />
    </span>
  );
}

function Stale() {
  const connection = useConnection();
  if (connection.state !== "lost") return null;
  return (
    <p className={css.note} role="alert">
      <span>
        The connection is lost. What you see is as of <b className="number">{clock(connection.asOf)}</b>; it goes on by itself.
      </span>
    </p>
  );
}
