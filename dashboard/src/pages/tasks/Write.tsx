// Writing tasks: a new feature, a new task, another title. Each is a commit of the member on the project's default branch.
import { useState } from "react";
import { useMay, useRead } from "../../api/query";
import { ActForm, Choice, Field, Opens } from "../../ui/Form";
import { notify } from "../../ui/Toasts";
import type { TaskView } from "./board";

/** The buttons above the board. */
export function Write({ project, feature }: { project: string; feature?: string }) {
  const task = useMay("task.add");
  const begin = useMay("feature.new");
  return (
    <>
      {begin && (
        <Opens name="New feature" title={`New feature of ${project}`}>
          {(close) => <NewFeature project={project} onClose={close} />}
        </Opens>
      )}
      {task && (
        <Opens adds name="Add a task" title={`Add a task to ${project}`}>
          {(close) => <AddTask project={project} feature={feature} onClose={close} />}
        </Opens>
      )}
    </>
  );
}

function AddTask({ project, feature, onClose }: { project: string; feature?: string; onClose: () => void }) {
  const shown = useRead("project.show", { project });
  const features = shown.data?.features ?? [];
  const [of, setOf] = useState(feature ?? "");
  const [title, setTitle] = useState("");
  const chosen = of || (features.at(-1)?.id ?? "");
  return (
    <ActForm
      action="task.add"
      input={{ project, feature: chosen, title: title.trim() }}
      deed="Add it"
      disabled={title.trim() === "" || chosen === ""}
      done={({ task }) => notify({ tone: "good", title: `${task} is written.` })}
      onClose={onClose}
    >
      <Choice label="Feature" options={features.map(({ id }) => ({ key: id, title: id }))} value={chosen} onChange={setOf} />
      <Field label="What is to be done" value={title} hint="It is written to the end of the feature’s tasks.md." onChange={setTitle} />
    </ActForm>
  );
}

function NewFeature({ project, onClose }: { project: string; onClose: () => void }) {
  const [name, setName] = useState("");
  const [description, setDescription] = useState("");
  return (
    <ActForm
      action="feature.new"
      input={{ project, name: name.trim(), description: description.trim() }}
      deed="Begin it"
      disabled={name.trim() === ""}
      done={({ feature }) => notify({ tone: "good", title: `The feature ${feature} is begun.` })}
      onClose={onClose}
    >
      <Field label="Name" value={name} placeholder="user login" onChange={setName} />
      <Field
        label="What it is for"
        value={description}
        hint="Spec-Kit’s own script makes its folder below specs; spec, plan and tasks are written there."
        onChange={setDescription}
      />
    </ActForm>
  );
}

/** Changes what one task says. */
export function EditTask({ at, title }: { at: TaskView["at"]; title: string }) {
  const may = useMay("task.edit");
  if (!may) return null;
  return (
    <Opens name="Change its words" title={`What ${at.task} says`}>
      {(close) => <Words at={at} title={title} onClose={close} />}
    </Opens>
  );
}

function Words({ at: { project, feature, task }, title, onClose }: { at: TaskView["at"]; title: string; onClose: () => void }) {
  const [text, setText] = useState(title);
  return (
    <ActForm
      action="task.edit"
      input={{ project, feature, task, title: text.trim() }}
      deed="Write it"
      disabled={text.trim() === "" || text.trim() === title}
      done={() => notify({ tone: "good", title: `${task} is written anew.` })}
      onClose={onClose}
    >
      <Field label="What is to be done" value={text} onChange={setText} />
    </ActForm>
  );
}
