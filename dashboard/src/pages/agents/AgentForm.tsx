// The form of an agent: which engine, which model, what a run may cost.
import { useState } from "react";
import type { Output } from "../../api/call";
import { useAct, useMay, useRead } from "../../api/query";
import { Choice, Field, Form } from "../../ui/Form";
import { draftOf, fresh, inputOf, takesCommand, takesModel } from "./engine";

const others = [
  { key: "acp", title: "acp: a program that speaks the Agent Client Protocol" },
  { key: "command", title: "command: a shell command" },
  { key: "replay", title: "replay: plays a recorded session" },
];
const apis = [
  { key: "", title: "as the engine speaks" },
  { key: "responses", title: "OpenAI Responses" },
  { key: "chat", title: "OpenAI Chat Completions" },
  { key: "messages", title: "Anthropic Messages" },
  { key: "gemini", title: "Google Gemini" },
] as const;
const modes = [
  { key: "sandbox", title: "allowed: the sandbox is the boundary" },
  { key: "ask", title: "a person is asked" },
] as const;
const commandLabels: Record<string, string> = { acp: "Program", command: "Command", replay: "Recording" };

export function AgentForm({ agent, onClose }: { agent: Output<"agent.list">[number] | null; onClose: () => void }) {
  const [draft, setDraft] = useState(agent ? draftOf(agent) : fresh);
  const { data: profiles = [] } = useRead("engine.list", {});
  const secrets = useMay("credential.list");
  const { data: credentials = [] } = useRead("credential.list", {}, { enabled: secrets });
  const add = useAct("agent.add", { done: onClose });
  const set = (part: Partial<typeof draft>) => setDraft((before) => ({ ...before, ...part }));
  const engines = [...profiles.map(({ name }) => ({ key: name, title: name })), ...others];
  return (
    <Form
      deed={agent ? "Change" : "Add"}
      busy={add.isPending}
      disabled={draft.name.trim() === ""}
      onSend={() => add.mutate(inputOf(draft))}
      onClose={onClose}
    >
      <Field label="Name" value={draft.name} readOnly={agent !== null} onChange={(event) => set({ name: event.target.value })} />
      <Choice label="Engine" options={engines} value={draft.engine} onChange={(engine) => set({ engine })} />
      {takesCommand(draft.engine) && (
        <Field
          label={commandLabels[draft.engine] ?? "Command"}
          value={draft.command}
          hint={draft.engine === "replay" ? "A path in the project; {task} stands for the task's id." : "As it is seen in the sandbox."}
          onChange={(event) => set({ command: event.target.value })}
        />
      )}
      {takesModel(draft.engine) && (
        <>
          <Field label="Model" value={draft.model} onChange={(event) => set({ model: event.target.value })} />
          <Field
            label="Address"
            value={draft.base_url}
            hint="The provider's own where nothing is said."
            onChange={(event) => set({ base_url: event.target.value })}
          />
          <Choice label="Wire form" options={apis} value={draft.api} onChange={(api) => set({ api })} />
          <Field
            label="Credential"
            value={draft.credential}
            list="credentials"
            hint="Its name in this machine's vault; the key itself never goes to the engine."
            onChange={(event) => set({ credential: event.target.value })}
          />
          <datalist id="credentials">
            {credentials.map(({ name }) => (
              <option key={name} value={name} />
            ))}
          </datalist>
        </>
      )}
      <Field
        label="Tokens that a run may use"
        inputMode="numeric"
        pattern="[0-9]*"
        value={draft.tokens}
        onChange={(event) => set({ tokens: event.target.value })}
      />
      <Field
        label="Model calls that a run may make"
        inputMode="numeric"
        pattern="[0-9]*"
        value={draft.calls}
        onChange={(event) => set({ calls: event.target.value })}
      />
      <Field
        label="Money that a run may cost"
        inputMode="decimal"
        placeholder="2.50"
        value={draft.money}
        hint="With it, a model of which nobody knows the price is refused."
        onChange={(event) => set({ money: event.target.value })}
      />
      <Choice
        label="Tools that the engine asks about"
        options={modes}
        value={draft.permissions}
        onChange={(permissions) => set({ permissions })}
      />
    </Form>
  );
}
