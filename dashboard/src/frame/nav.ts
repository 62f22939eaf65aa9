// The pages of the side navigation, each with the letter that follows `g`. A page stands here once its facts exist.
import {
  Activity,
  BookOpenText,
  Bot,
  FolderGit2,
  GitPullRequest,
  House,
  KeyRound,
  ListTodo,
  type LucideIcon,
  Server,
  Settings,
  Users,
} from "lucide-react";
import type { ActionName } from "../api/call";
import { allows, useSession } from "../api/query";

export interface Place {
  to: "/" | "/tasks" | "/patches" | "/runs" | "/projects" | "/mesh" | "/agents" | "/members" | "/journal" | "/credentials" | "/settings";
  title: string;
  key: string;
  icon: LucideIcon;
  /** Shown only to those who may carry this out. */
  needs?: ActionName;
}

export const places: Place[] = [
  { to: "/", title: "Home", key: "h", icon: House },
  { to: "/tasks", title: "Tasks", key: "t", icon: ListTodo },
  { to: "/patches", title: "Patches", key: "p", icon: GitPullRequest },
  { to: "/runs", title: "Runs", key: "r", icon: Activity },
  { to: "/projects", title: "Projects", key: "o", icon: FolderGit2 },
  { to: "/mesh", title: "Mesh", key: "m", icon: Server },
  { to: "/agents", title: "Agents", key: "a", icon: Bot },
  { to: "/members", title: "Members", key: "e", icon: Users },
  { to: "/journal", title: "Journal", key: "j", icon: BookOpenText },
  { to: "/credentials", title: "Credentials", key: "c", icon: KeyRound, needs: "credential.list" },
  { to: "/settings", title: "Settings", key: "s", icon: Settings },
];

/** The pages that are something for this person. */
export function usePlaces(): Place[] {
  const { data } = useSession();
  return places.filter(({ needs }) => !needs || (data && allows(data.permissions, needs)));
}
