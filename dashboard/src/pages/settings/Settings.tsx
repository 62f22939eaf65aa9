// Settings: how the page looks, how one is told, tokens for scripts, and this machine's own affairs.
import { useMay, useSession } from "../../api/query";
import { setNotifications, useWish, type Wish } from "../../frame/notifications";
import { setTheme, type Theme, useTheme } from "../../frame/theme";
import { Button } from "../../ui/Button";
import { Choice } from "../../ui/Form";
import { Page, Section } from "../../ui/Page";
import ui from "../../ui/ui.module.css";
import { Backup } from "./Backup";
import { BarModel } from "./BarModel";
import { Browsers } from "./Browsers";
import css from "./Settings.module.css";
import { Tokens } from "./Tokens";
import { Webhook } from "./Webhook";

export default function Settings() {
  const { data: session } = useSession();
  const webhook = useMay("webhook.set");
  const tokens = useMay("token.list");
  const browsers = useMay("session.list");
  const backup = useMay("backup.create");
  return (
    <Page title="Settings">
      <Section title="This browser">
        <div className={`${ui.card} ${css.card}`}>
          <Look />
          <Notifications />
        </div>
      </Section>
      <BarModel />
      {browsers && <Browsers />}
      {webhook && <Webhook />}
      {tokens && <Tokens />}
      {backup && <Backup />}
      <p className="muted">Meshwork {session?.version}</p>
    </Page>
  );
}

const looks: { key: Theme; title: string }[] = [
  { key: "system", title: "as the system" },
  { key: "light", title: "light" },
  { key: "dark", title: "dark" },
];

function Look() {
  return <Choice label="Look" options={looks} value={useTheme()} onChange={setTheme} />;
}

const wishes: Record<Wish, string> = {
  on: "What waits for you comes as a notification while no tab of this page is in view.",
  off: "What waits for you can come as a notification of this browser.",
  denied: "This browser was told to show no notifications of this page; its site settings change that.",
  impossible: "This browser shows notifications only over HTTPS or on this machine itself (localhost, 127.0.0.1).",
};

function Notifications() {
  const wish = useWish();
  return (
    <p className={css.line}>
      <span>{wishes[wish]}</span>
      {wish === "off" && <Button onClick={() => void setNotifications(true)}>Turn notifications on</Button>}
      {wish === "on" && <Button onClick={() => void setNotifications(false)}>Turn notifications off</Button>}
    </p>
  );
}
