// The permissions in words, in the order in which the matrix shows them.
import type { Permission } from "../../../api/call";

export const permissions: Record<Permission, { name: string; says: string }> = {
  view: { name: "See", says: "See projects, tasks, runs, patches and the journal" },
  run_tasks: { name: "Run", says: "Give tasks to agents" },
  steer_runs: { name: "Steer", says: "Speak to runs, pause and stop them, answer what agents ask" },
  edit_tasks: { name: "Write tasks", says: "Write tasks and features" },
  review: { name: "Review", says: "Comment on patches and review them" },
  merge: { name: "Merge", says: "Merge patches and close them" },
  manage_projects: { name: "Projects", says: "Add projects and mirrors" },
  manage_agents: { name: "Agents", says: "Add agents and engines" },
  manage_org: { name: "Org", says: "Change the org: members, devices, policy, quotas, stop orders" },
  manage_credentials: { name: "Credentials", says: "Set and remove credentials" },
  manage_tokens: { name: "Tokens", says: "Make and revoke tokens" },
  manage_device: { name: "Device", says: "Give the device back, back it up, rebuild it" },
};
