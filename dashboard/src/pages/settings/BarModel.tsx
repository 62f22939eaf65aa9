// The command bar's model: what the grammar does not understand is asked of it, within a budget of the day.
import type { Output, Schemas } from "../../api/call";
import { useAct, useMay, useRead } from "../../api/query";
import { Asks } from "../../ui/Dialog";
import { ActForm, Choice, Field, Opens, useDraft } from "../../ui/Form";
import { Section } from "../../ui/Page";
import { Loaded } from "../../ui/State";
import ui from "../../ui/ui.module.css";
import { count } from "../../ui/words";
import css from "./Settings.module.css";

type Shown = Output<"command.settings">;

const apis: { key: Schemas["Model"]["api"]; title: string }[] = [
  { key: "responses", title: "OpenAI Responses" },
  { key: "chat", title: "OpenAI Chat Completions" },
  { key: "messages", title: "Anthropic Messages" },
];

export function BarModel() {
  const settings = useRead("command.settings", {});
  const may = useMay("command.model");
  const set = useAct("command.model");
  return (
    <Section title="Command bar">
      <Loaded query={settings} rows={1}>
        {(shown) => (
          <div className={`${ui.card} ${css.card}`}>
            <p className={css.line}>
              <span>{said(shown)}</span>
              {may && (
                <span>
                  {shown.model && (
                    <>
                      <Asks
                        name="Take the model away"
                        busy={set.isPending}
                        title="Take the model away?"
                        text="The command bar then understands the forms of its grammar only: “help” lists them."
                        deed="Take it away"
                        onYes={() => set.mutate({ model: null })}
                      />{" "}
                    </>
                  )}
                  <Opens name={shown.model ? "Change the model" : "Set a model"} title="The command bar’s model">
                    {(close) => <Model shown={shown} onClose={close} />}
                  </Opens>
                </span>
              )}
            </p>
          </div>
        )}
      </Loaded>
    </Section>
  );
}

function said({ model, budget, used }: Shown): string {
  if (!model) return "It understands the forms of its grammar. A model can be asked what the grammar does not understand.";
  const tokens = used.input_tokens + used.output_tokens;
  return (
    `What its grammar does not understand is asked of ${model.name} at ${model.base_url}. ` +
    `Used today: ${count(tokens)} of ${count(budget.tokens)} tokens, ${used.calls} of ${count(budget.calls)} calls.`
  );
}

function Model({ shown: { model, budget }, onClose }: { shown: Shown; onClose: () => void }) {
  const [draft, field] = useDraft({
    name: model?.name ?? "",
    base_url: model?.base_url ?? "",
    api: model?.api ?? ("chat" as const),
    credential: model?.credential ?? "",
    tokens: String(budget.tokens),
    calls: String(budget.calls),
  });
  const { data: credentials = [] } = useRead("credential.list", {});
  const { name, base_url, api, credential } = draft;
  const number = (text: string) => (text.trim() === "" ? 0 : Number(text));
  return (
    <ActForm
      action="command.model"
      input={{
        model: { name: name.trim(), base_url: base_url.trim(), api, credential: credential.trim() },
        budget: { tokens: number(draft.tokens), calls: number(draft.calls) },
      }}
      deed="Set"
      disabled={[name, base_url, credential].some((text) => text.trim() === "")}
      onClose={onClose}
    >
      <Field label="Model" {...field("name")} />
      <Field label="Address" type="url" placeholder="https://api.openai.com/v1" {...field("base_url")} />
      <Choice label="Wire form" options={apis} {...field("api")} />
      <Field label="Credential" list="bar-credentials" hint="Its name in this machine’s vault." {...field("credential")} />
      <datalist id="bar-credentials">
        {credentials.map((one) => (
          <option key={one.name} value={one.name} />
        ))}
      </datalist>
      <Field label="Tokens a day" inputMode="numeric" pattern="[0-9]*" {...field("tokens")} />
      <Field label="Calls a day" inputMode="numeric" pattern="[0-9]*" {...field("calls")} />
    </ActForm>
  );
}
