// Quotas: what was used of models on this device, and of which limits; and a form for the org's, a member's or an agent's.
import { useState } from "react";
import type { Output } from "../../api/call";
import { useMay, useRead } from "../../api/query";
import { Button } from "../../ui/Button";
import { Dialog } from "../../ui/Dialog";
import { ActForm, Choice, Field } from "../../ui/Form";
import { Section } from "../../ui/Page";
import { Loaded } from "../../ui/State";
import { Table } from "../../ui/Table";
import { count } from "../../ui/words";
import { Prices, Rules } from "./Prices";

type Row = Output<"quota.show">["used"][number];

export function Quotas() {
  const quotas = useRead("quota.show", {});
  const may = useMay("quota.set");
  const [open, setOpen] = useState<Row>();
  return (
    <Section title="Use of models">
      <Loaded query={quotas} rows={3}>
        {({ used, quotas }) => (
          <>
            <Table
              label="Use of models"
              rows={used}
              keyOf={(row) => `${row.of} ${row.whose}`}
              columns={[
                { title: "Whose", cell: (row) => (row.of === "org" ? <b>The org</b> : `${row.of} ${row.whose}`) },
                { title: "Period (UTC)", cell: (row) => (row.period === "day" ? "today" : "this month") },
                {
                  title: "Tokens",
                  cell: ({ used, limit, whole }) => of(used.input_tokens + used.output_tokens, limit?.tokens, whole?.tokens),
                },
                { title: "Calls", cell: ({ used, limit, whole }) => of(used.calls, limit?.calls, whole?.calls) },
                { title: "Money", cell: (row) => <Money {...row} /> },
                { title: "This device may use", cell: ({ limit }) => limit?.share },
                {
                  title: "Change",
                  end: true,
                  cell: (row) => may && <Button onClick={() => setOpen(row)}>Limit {row.of === "org" ? "the org" : row.whose}</Button>,
                },
              ]}
            />
            <p className="muted">What this device's gateway used of its own part of each quota.</p>
            <Rules quotas={quotas} />
            <Prices prices={quotas.price ?? []} />
          </>
        )}
      </Loaded>
      {open && (
        <Dialog title={open.of === "org" ? "Limit the org" : `Limit ${open.of} ${open.whose}`} open onClose={() => setOpen(undefined)}>
          <Limit row={open} onClose={() => setOpen(undefined)} />
        </Dialog>
      )}
    </Section>
  );
}

type Maybe<T> = T | null | undefined;

/** What was used of this device's part, and the whole where that is more. */
const of = (used: number, limit: Maybe<number>, whole: Maybe<number>) =>
  limit == null ? count(used) : `${count(used)} of ${count(limit)}${inAll(limit, whole, count)}`;

const inAll = <T,>(limit: T, whole: Maybe<T>, text: (whole: T) => string) =>
  whole == null || whole === limit ? "" : ` (${text(whole)} in all)`;

function Money({ used, limit, whole }: Row) {
  const unknown = used.unpriced_calls ?? 0;
  return (
    <>
      {used.cost ?? "0.00"}
      {limit?.money && ` of ${limit.money}${inAll(limit.money, whole?.money, String)}`}
      {unknown > 0 && <span className="muted"> and {count(unknown)} calls of unknown price</span>}
    </>
  );
}

function Limit({ row, onClose }: { row: Row; onClose: () => void }) {
  const [period, setPeriod] = useState(row.period);
  const [tokens, setTokens] = useState("");
  const [calls, setCalls] = useState("");
  const [money, setMoney] = useState("");
  const number = (text: string) => (text.trim() ? Number(text.replaceAll(/[\s,_]/g, "")) : null);
  const odd = [tokens, calls].some((text) => Number.isNaN(number(text) ?? 0));
  const input = {
    member: row.of === "member" ? row.whose : null,
    agent: row.of === "agent" ? row.whose : null,
    period,
    tokens: number(tokens),
    calls: number(calls),
    money: money.trim() || null,
  };
  return (
    <ActForm action="quota.set" input={input} deed="Set it" disabled={odd} onClose={onClose}>
      <p className="muted">The whole quota, for all devices together. With nothing filled in there is no limit any more.</p>
      <Choice
        label="Period"
        options={[
          { key: "day", title: "a day" },
          { key: "month", title: "a month" },
        ]}
        value={period}
        onChange={setPeriod}
      />
      <Field label="Tokens" inputMode="numeric" value={tokens} onChange={setTokens} />
      <Field label="Calls" inputMode="numeric" value={calls} onChange={setCalls} />
      <Field
        label="Money"
        inputMode="decimal"
        placeholder="25.00"
        value={money}
        hint="With it, models of which nobody knows the price are refused."
        onChange={setMoney}
      />
    </ActForm>
  );
}
