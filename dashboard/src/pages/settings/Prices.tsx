// What models cost, which of them may be used, and whether what they are told is kept.
import { useState } from "react";
import type { Schemas } from "../../api/call";
import { useAct, useMay } from "../../api/query";
import { Asks } from "../../ui/Dialog";
import { ActForm, Check, Field, Opens, useDraft } from "../../ui/Form";
import { Table } from "../../ui/Table";
import { several } from "../../ui/words";
import css from "./Settings.module.css";

type Quotas = Schemas["Quotas"];
type Price = NonNullable<Quotas["price"]>[number];

export function Rules({ quotas: { models = [], keep_content } }: { quotas: Quotas }) {
  const may = useMay("quota.rules");
  return (
    <p className={css.line}>
      <span className="muted">
        {models.length > 0 ? `Only these models may be used: ${models.join(", ")}.` : "Any model may be used."}{" "}
        {keep_content ? "Requests and answers are kept." : "Requests and answers are not kept."}
      </span>
      {may && (
        <Opens name="Change the rules" title="Rules for models">
          {(close) => <SetRules models={models} keep={keep_content} onClose={close} />}
        </Opens>
      )}
    </p>
  );
}

function SetRules({ models, keep, onClose }: { models: string[]; keep: boolean; onClose: () => void }) {
  const [text, setText] = useState(models.join(" "));
  const [keeps, setKeeps] = useState(keep);
  const input = { models: several(text), keep_content: keeps };
  const same = input.models.join() === models.join() && keeps === keep;
  return (
    <ActForm action="quota.rules" input={input} deed="Set them" disabled={same} onClose={onClose}>
      <Field
        label="Models that may be used"
        value={text}
        placeholder="gpt-5* claude-*"
        hint="Names, or beginnings with * at the end. Any where there is none."
        onChange={setText}
      />
      <Check label="Keep what is asked and answered, until it is erased" value={keeps} onChange={setKeeps} />
    </ActForm>
  );
}

export function Prices({ prices }: { prices: Price[] }) {
  const may = useMay("quota.price");
  const take = useAct("quota.price");
  const name = ({ model, host }: Price) => (host ? `${model} at ${host}` : model);
  return (
    <>
      {prices.length > 0 && (
        <Table
          label="Prices of models"
          rows={prices}
          keyOf={name}
          columns={[
            { title: "Model", cell: (price) => <b>{name(price)}</b> },
            { title: "A million tokens read", cell: ({ input }) => input },
            { title: "From the cache", cell: ({ cached_input }) => cached_input },
            { title: "Into the cache", cell: ({ cache_write }) => cache_write },
            { title: "Written", cell: ({ output }) => output },
            {
              title: "Change",
              end: true,
              cell: (price) =>
                may && (
                  <>
                    <Opens name={`Change the price of ${name(price)}`} title={`Price of ${name(price)}`}>
                      {(close) => <SetPrice price={price} onClose={close} />}
                    </Opens>{" "}
                    <Asks
                      name={`Take the price of ${name(price)} away`}
                      title={`Take the price of ${name(price)} away?`}
                      text="Its calls are of unknown price then, and where money is limited they are refused."
                      deed="Take it away"
                      onYes={() => take.mutate({ model: price.model, host: price.host })}
                    />
                  </>
                ),
            },
          ]}
        />
      )}
      {may && (
        <p>
          <Opens adds name="Set a price" title="Price of a model">
            {(close) => <SetPrice onClose={close} />}
          </Opens>
        </p>
      )}
    </>
  );
}

/** The model and its host say which price it is: of one that is there they stay. */
function SetPrice({ price, onClose }: { price?: Price; onClose: () => void }) {
  const [draft, field] = useDraft({
    model: price?.model ?? "",
    host: price?.host ?? "",
    input: price?.input ?? "",
    cached_input: price?.cached_input ?? "",
    cache_write: price?.cache_write ?? "",
    output: price?.output ?? "",
  });
  const said = (name: keyof typeof draft) => draft[name].trim() || null;
  const input = {
    model: draft.model.trim(),
    host: said("host"),
    input: said("input"),
    cached_input: said("cached_input"),
    cache_write: said("cache_write"),
    output: said("output"),
  };
  const odd = !input.model || !input.input || !input.output;
  return (
    <ActForm action="quota.price" input={input} deed="Set it" disabled={odd} onClose={onClose}>
      {!price && (
        <>
          <Field label="Model" placeholder="gpt-5*" hint="Its name, or its beginning with * at the end." {...field("model")} />
          <Field label="Only at this host" placeholder="api.openai.com" {...field("host")} />
        </>
      )}
      <Field label="A million tokens read" inputMode="decimal" placeholder="1.25" {...field("input")} />
      <Field label="A million tokens written" inputMode="decimal" placeholder="10.00" {...field("output")} />
      <Field label="A million from the provider’s cache" inputMode="decimal" {...field("cached_input")} />
      <Field label="A million into the provider’s cache" inputMode="decimal" {...field("cache_write")} />
    </ActForm>
  );
}
