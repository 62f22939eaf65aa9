// The webhook: what waits for a person is also posted to an address.
import { useState } from "react";
import { useAct, useRead } from "../../api/query";
import { Badge } from "../../ui/Badge";
import { Button } from "../../ui/Button";
import { Asks } from "../../ui/Dialog";
import { ActForm, Field, Opens } from "../../ui/Form";
import { Section } from "../../ui/Page";
import { Loaded } from "../../ui/State";
import { Ago } from "../../ui/Time";
import ui from "../../ui/ui.module.css";
import css from "./Settings.module.css";

export function Webhook() {
  const hook = useRead("webhook.show", {});
  const again = () => void hook.refetch();
  const set = useAct("webhook.set", { done: again });
  const test = useAct("webhook.test", { done: again });
  return (
    <Section title="Webhook">
      <Loaded query={hook} rows={1}>
        {({ host, last }) => (
          <div className={`${ui.card} ${css.card}`}>
            <p className={css.line}>
              <span>
                {host ? `What waits for a person is posted to ${host}.` : "What waits for a person can be posted to an address, as JSON."}
              </span>
              <span>
                {host && (
                  <>
                    <Button busy={test.isPending} onClick={() => test.mutate({})}>
                      Send a test
                    </Button>{" "}
                    <Asks
                      name="Remove the webhook"
                      busy={set.isPending}
                      title="Remove the webhook?"
                      text="Nothing is posted any more. Its address is forgotten."
                      deed="Remove it"
                      onYes={() => set.mutate({ url: "" })}
                    />{" "}
                  </>
                )}
                <Opens name={host ? "Change the webhook" : "Set a webhook"} title="Webhook">
                  {(close) => (
                    <Address
                      onClose={() => {
                        close();
                        again();
                      }}
                    />
                  )}
                </Opens>
              </span>
            </p>
            {last && (
              <p>
                <Badge word={last.good ? { text: "Taken", tone: "good" } : { text: "Not taken", tone: "bad" }} /> <Ago at={last.at} />{" "}
                {last.text}
              </p>
            )}
          </div>
        )}
      </Loaded>
    </Section>
  );
}

function Address({ onClose }: { onClose: () => void }) {
  const [url, setUrl] = useState("");
  return (
    <ActForm action="webhook.set" input={{ url: url.trim() }} deed="Set" disabled={!url.trim()} onClose={onClose}>
      <Field
        label="Address"
        type="url"
        value={url}
        placeholder="https://chat.example.org/hooks/…"
        hint="Kept encrypted: whoever has it can post there. It is not shown again."
        onChange={setUrl}
      />
    </ActForm>
  );
}
