// The tasks of a project.
import { getRouteApi } from "@tanstack/react-router";
import { useRead } from "../../api/query";
import { Badge } from "../../ui/Badge";
import { Page } from "../../ui/Page";
import { Empty, Loaded } from "../../ui/State";
import ui from "../../ui/ui.module.css";
import { taskWords } from "../../ui/words";

const route = getRouteApi("/tasks");

export default function Tasks() {
  const search = route.useSearch();
  const projects = useRead("project.list", {});
  const project = search.project ?? projects.data?.[0]?.project.name;
  const tasks = useRead("task.list", { project }, { enabled: !!project });
  return (
    <Page title="Tasks">
      <Loaded query={tasks}>
        {(list) =>
          list.length === 0 ? (
            <Empty title="No tasks yet" />
          ) : (
            <div className={ui.rows}>
              {list.map(({ at, task, state }) => (
                <div key={`${at.feature} ${at.task}`} className={ui.row}>
                  <Badge word={taskWords[state.state]} /> {task.id} {task.title}
                </div>
              ))}
            </div>
          )
        }
      </Loaded>
    </Page>
  );
}
