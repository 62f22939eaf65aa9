// Journal: what happened on this device and on the others, searched, verified, exported; and how much of each journal is here.
import { getRouteApi } from "@tanstack/react-router";
import { Download, ShieldCheck } from "lucide-react";
import { useState } from "react";
import { problemOf } from "../../api/call";
import { useMay } from "../../api/query";
import { journalTabs } from "../../router";
import { Button } from "../../ui/Button";
import { Page } from "../../ui/Page";
import { Tabs } from "../../ui/Tabs";
import { notify } from "../../ui/Toasts";
import { Copies } from "./Copies";
import { Events } from "./Events";
import { exportJournal } from "./export";
import { foundBy, useVerified } from "./verified";

const route = getRouteApi("/journal");
const titles = { events: "Events", copies: "Journals of all devices" };

export default function Journal() {
  const { tab = "events", device } = route.useSearch();
  const navigate = route.useNavigate();
  return (
    <Page title="Journal" actions={<Deeds device={device} />}>
      <Tabs
        label="Journal"
        tabs={journalTabs.map((key) => ({ key, title: titles[key] }))}
        value={tab}
        onChange={(next) =>
          void navigate({ search: (before) => ({ ...before, tab: next === "events" ? undefined : next }), replace: true })
        }
      >
        {tab === "events" ? <Events /> : <Copies />}
      </Tabs>
    </Page>
  );
}

function Deeds({ device }: { device: string | undefined }) {
  const may = useMay("journal.verify");
  const verified = useVerified();
  const [exports, setExports] = useState(false);
  const tell = (error: unknown) => {
    const { what: title, why, next } = problemOf(error);
    notify({ tone: "bad", title, text: [why, next].filter(Boolean).join(" ") });
  };
  const verify = async () => {
    const { data, error } = await verified.refetch();
    if (error) tell(error);
    else if (data) notify(foundBy(data));
  };
  const take = async () => {
    setExports(true);
    await exportJournal(device).catch(tell);
    setExports(false);
  };
  if (!may) return null;
  return (
    <>
      <Button busy={verified.isFetching} onClick={() => void verify()}>
        <ShieldCheck size={14} aria-hidden /> Verify
      </Button>
      <Button busy={exports} onClick={() => void take()}>
        <Download size={14} aria-hidden /> Export
      </Button>
    </>
  );
}
