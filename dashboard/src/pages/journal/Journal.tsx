// Journal: what happened on this device and on the others, searched, verified, exported; and how much of each journal is here.
import { useQueryClient } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { Download, ShieldCheck } from "lucide-react";
import { useState } from "react";
import { problemOf } from "../../api/call";
import { useAct, useMay } from "../../api/query";
import { journalTabs } from "../../router";
import { Button } from "../../ui/Button";
import { Asks } from "../../ui/Dialog";
import { Page } from "../../ui/Page";
import { Tabs } from "../../ui/Tabs";
import { notify } from "../../ui/Toasts";
import { Copies } from "./Copies";
import { Events } from "./Events";
import { exportJournal } from "./export";
import { foundBy, rebuiltWords, useVerified } from "./verified";

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
      <Rebuild />
      <Button busy={verified.isFetching} onClick={() => void verify()}>
        <ShieldCheck size={14} aria-hidden /> Verify
      </Button>
      <Button busy={exports} onClick={() => void take()}>
        <Download size={14} aria-hidden /> Export
      </Button>
    </>
  );
}

/** What is shown comes from the journal: so it can be made anew from it. */
function Rebuild() {
  const may = useMay("journal.rebuild");
  const client = useQueryClient();
  const rebuild = useAct("journal.rebuild", {
    done: (rebuilt) => {
      notify({ tone: "good", ...rebuiltWords(rebuilt) });
      void client.invalidateQueries();
    },
  });
  if (!may) return null;
  return (
    <Asks
      name="Rebuild"
      tone="plain"
      busy={rebuild.isPending}
      title="Make what is shown anew?"
      text="All that is shown here is made again from the journal, as after a fault of the disk. Nothing of the journal is changed; with a long one it takes a while."
      deed="Rebuild"
      onYes={() => rebuild.mutate({})}
    />
  );
}
