// Which reads an event makes stale. Pure: a new event or action gets its line here.
import type { ActionName } from "../api/call";
import type { JournalEntry } from "./stream";

/** A read that an event touched; with `run`, only where the read is about this run (or about none in particular). */
export interface Touch {
  action: ActionName;
  run?: string;
}

type Body = JournalEntry["event"];

const all = (...actions: ActionName[]): Touch[] => actions.map((action) => ({ action }));

/** What the journals of other devices may have changed. */
export const OF_OTHERS: Touch[] = all(
  "run.list",
  "run.show",
  "task.list",
  "task.show",
  "task.why",
  "patch.list",
  "patch.show",
  "quota.show",
  "attention.list",
  "journal.copies",
  "journal.search",
);

export function touched(event: Body): Touch[] {
  return [...all("journal.search"), ...byKind(event)];
}

function byKind(event: Body): Touch[] {
  switch (event.type) {
    case "run_queued":
      return [...all("run.list", "task.list", "task.show", "task.why", "attention.list"), ...run(event.run.id)];
    case "task_taken_over":
      return all("task.list", "task.show", "task.why", "patch.list", "patch.show", "attention.list");
    case "run_moved":
      return [
        ...all("task.list", "task.show", "task.why", "attention.list", "device.capacity", "device.lending", "device.pods"),
        ...run(event.run),
        { action: "run.diff", run: event.run },
      ];
    case "run_leased":
      return [
        ...(event.asked ? all("run.list", "task.list", "task.show", "task.why", "attention.list") : []),
        ...all("device.capacity", "device.lending", "device.pods"),
        ...run(event.run),
      ];
    case "run_recovered":
      return [...all("device.capacity", "device.lending", "device.pods"), ...run(event.run)];
    case "pause_asked":
    case "run_paused":
      return [...all("device.pods"), ...run(event.run)];
    case "question_asked":
    case "question_answered":
      return [...all("attention.list"), ...run(event.run)];
    case "run_checkpointed":
    case "run_committed":
      return [...run(event.run), { action: "run.diff", run: event.run }];
    case "checks_ended":
      return [...all("patch.list", "patch.show", "attention.list"), ...run(event.run)];
    case "patch_published":
      return [...all("patch.list", "patch.show", "patch.diff", "task.list", "task.show", "attention.list"), ...run(event.run)];
    case "run_placed":
    case "run_refused":
    case "run_delegated":
    case "run_end_asked":
    case "lease_renewed":
    case "checkpoint_goes":
    case "checkpoint_dropped":
    case "work_kept":
    case "work_dropped":
    case "message_sent":
    case "message_delivered":
    case "message_refused":
    case "sandbox_stopped":
    case "model_called":
      return run(event.run);
    case "patch_reviewed":
    case "patch_revised":
    case "patch_commented":
    case "patch_reopened":
    case "patch_merged":
    case "patch_closed":
    case "line_rejoined":
      return all("patch.list", "patch.show", "patch.diff", "task.list", "task.show", "project.list", "project.show", "attention.list");
    case "tasks_edited":
    case "mirror_pulled":
    case "project_added":
      return all("project.list", "project.show", "task.list", "task.show", "patch.list", "patch.show", "attention.list");
    case "mirror_pushed":
    case "mirror_reached":
    case "mirror_failed":
      return all("project.list", "project.show");
    case "agent_set":
      return all("agent.list", "quota.show");
    case "quotas_set":
    case "shares_taken":
      return all("quota.show", "agent.list");
    case "credential_set":
    case "credential_removed":
      return all("credential.list", "agent.list", "webhook.show");
    case "stop_ordered":
      return all("stop.list");
    case "org_changed":
    case "org_moved":
    case "proposal_approved":
    case "proposal_rejected":
      return all(
        "org.show",
        "org.proposals",
        "org.joiners",
        "agent.list",
        "project.list",
        "project.show",
        "session.show",
        "policy.show",
        "policy.explain",
        "quota.show",
        "device.list",
        "patch.list",
        "patch.show",
        "attention.list",
      );
    case "invited":
    case "invite_withdrawn":
    case "knocked":
    case "joiner_decided":
      return all("org.invites", "org.joiners");
    case "org_joined":
      return all("org.show", "session.show");
    case "project_fetching":
      return all("project.list");
    case "command_model_set":
    case "command_model_called":
      return all("command.settings");
    case "token_created":
    case "token_revoked":
      return all("token.list");
    case "browser_signed_in":
    case "browser_signed_out":
      return all("session.list");
    case "org_created":
      return all("session.show", "org.show");
    case "device_started":
    case "device_stopped":
    case "backed_up":
    case "restored":
    case "journal_mended":
      return all("org.show");
    default:
      return everything(event);
  }
}

const run = (id: string): Touch[] => [{ action: "run.list" }, { action: "run.show", run: id }];

/** An event of a kind that this page does not know: it may have touched anything. */
function everything(_: never): Touch[] {
  return all("org.show", "project.list", "task.list", "run.list", "patch.list", "agent.list", "attention.list");
}

/** Whether a read, by its key in the query cache, is among those touched. */
export function isTouched(key: readonly unknown[], touches: Iterable<Touch>): boolean {
  const [action, input] = key as [string, { run?: string } | undefined];
  for (const touch of touches) {
    if (touch.action === action && (!touch.run || !input?.run || touch.run === input.run)) return true;
  }
  return false;
}
