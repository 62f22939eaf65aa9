// The pages of the side navigation, each with the letter that follows `g`. A page stands here once its facts exist.
import { Activity, House, ListTodo, type LucideIcon } from "lucide-react";

export interface Place {
  to: "/" | "/tasks" | "/runs";
  title: string;
  key: string;
  icon: LucideIcon;
}

export const places: Place[] = [
  { to: "/", title: "Home", key: "h", icon: House },
  { to: "/tasks", title: "Tasks", key: "t", icon: ListTodo },
  { to: "/runs", title: "Runs", key: "r", icon: Activity },
];
