// An engine in words, and an agent as the form has it.
import type { Input, Schemas } from "../../api/call";

export function engineText(engine: Schemas["EngineChoice"]): string {
  switch (engine.kind) {
    case "profile":
      return engine.name;
    case "acp":
      return `acp: ${engine.command.join(" ")}`;
    case "command":
      return `command: ${engine.command}`;
    case "replay":
      return `replay: ${engine.recording}`;
  }
}

/** What the form holds: texts, as typed. */
export interface Draft {
  name: string;
  engine: string;
  command: string;
  model: string;
  base_url: string;
  api: Schemas["ModelApi"] | "";
  credential: string;
  tokens: string;
  calls: string;
  money: string;
  /** Not shown in the form, and kept. */
  price: Schemas["Price"] | null;
  permissions: Schemas["PermissionMode"];
}

export const fresh: Draft = {
  name: "",
  engine: "codex",
  command: "",
  model: "",
  base_url: "",
  api: "",
  credential: "",
  tokens: "",
  calls: "",
  money: "",
  price: null,
  permissions: "sandbox",
};

export const takesCommand = (engine: string): boolean => ["acp", "command", "replay"].includes(engine);
export const takesModel = (engine: string): boolean => !["command", "replay"].includes(engine);

export function draftOf({ name, engine, model, budget, permissions }: Schemas["AgentView"]): Draft {
  const command = engine.kind === "acp" ? engine.command.join(" ") : engine.kind === "command" ? engine.command : "";
  return {
    name,
    engine: engine.kind === "profile" ? engine.name : engine.kind,
    command: engine.kind === "replay" ? engine.recording : command,
    model: model?.name ?? "",
    base_url: model?.base_url ?? "",
    api: model?.api ?? "",
    credential: model?.credential ?? "",
    tokens: String(budget.tokens),
    calls: String(budget.calls),
    money: budget.money ?? "",
    price: model?.price ?? null,
    permissions,
  };
}

export function inputOf(draft: Draft): Input<"agent.add"> {
  const { name, engine, permissions } = draft;
  const text = (value: string) => value.trim() || null;
  const number = (value: string) => (value.trim() ? Number(value) : null);
  const model = takesModel(engine);
  return {
    name: name.trim(),
    engine,
    permissions,
    command: takesCommand(engine) ? text(draft.command) : null,
    model: model ? text(draft.model) : null,
    base_url: model ? text(draft.base_url) : null,
    api: model && draft.api ? draft.api : null,
    credential: model ? text(draft.credential) : null,
    tokens: number(draft.tokens),
    calls: number(draft.calls),
    money: text(draft.money),
    price: model ? draft.price : null,
  };
}
