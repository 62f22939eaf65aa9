// The form of an agent: which engine, which model, what a run may cost.
import type { Output } from "../../api/call";
import { useMay, useRead } from "../../api/query";
import { ActForm, Choice, Field, useDraft } from "../../ui/Form";
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
  const [draft, field] = useDraft(agent ? draftOf(agent) : fresh);
  const { data: profiles = [] } = useRead("engine.list", {});
  const secrets = useMay("credential.list");
  const { data: credentials = [] } = useRead("credential.list", {}, { enabled: secrets });
  const engines = [...profiles.map(({ name }) => ({ key: name, title: name })), ...others];
  return (
    <ActForm
      action="agent.add"
      input={inputOf(draft)}
      deed={agent ? "Change" : "Add"}
      disabled={draft.name.trim() === ""}
      onClose={onClose}
    >
      <Field label="Name" readOnly={agent !== null} {...field("name")} />
      <Choice label="Engine" options={engines} {...field("engine")} />
      {takesCommand(draft.engine) && (
        <Field
          label={commandLabels[draft.engine] ?? "Command"}
          hint={draft.engine === "replay" ? "A path in the project; {task} stands for the task's id." : "As it is seen in the sandbox."}
          {...field("command")}
        />
      )}
      {takesModel(draft.engine) && (
        <>
          <Field label="Model" {...field("model")} />
          <Field label="Address" hint="The provider's own where nothing is said." {...field("base_url")} />
          <Choice label="Wire form" options={apis} {...field("api")} />
          <Field
            label="Credential"
            list="credentials"
            hint="Its name in this machine's vault; the key itself never goes to the engine."
            {...field("credential")}
          />
          <datalist id="credentials">
            {credentials.map(({ name }) => (
              <option key={name} value={name} />
            ))}
          </datalist>
        </>
      )}
      <Field label="Tokens that a run may use" inputMode="numeric" pattern="[0-9]*" {...field("tokens")} />
      <Field label="Model calls that a run may make" inputMode="numeric" pattern="[0-9]*" {...field("calls")} />
      <Field
        label="Money that a run may cost"
        inputMode="decimal"
        placeholder="2.50"
        hint="With it, a model of which nobody knows the price is refused."
        {...field("money")}
      />
      <Choice label="Tools that the engine asks about" options={modes} {...field("permissions")} />
    </ActForm>
  );
}
