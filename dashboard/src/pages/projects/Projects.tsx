// Projects: the code repositories of the org, their features, checks, and mirrors.
import { Link } from "@tanstack/react-router";
import { Plus } from "lucide-react";
import { useState } from "react";
import type { Output } from "../../api/call";
import { useAct, useMay, useRead } from "../../api/query";
import { Button } from "../../ui/Button";
import { Dialog } from "../../ui/Dialog";
import { Field, Form } from "../../ui/Form";
import { Page, Section } from "../../ui/Page";
import { Empty, Loaded } from "../../ui/State";
import ui from "../../ui/ui.module.css";
import { shortOid } from "../../ui/words";
import css from "./Projects.module.css";

type View = Output<"project.list">[number];

export default function Projects() {
  const projects = useRead("project.list", {});
  const may = useMay("project.add");
  const [adds, setAdds] = useState(false);
  return (
    <Page
      title="Projects"
      actions={
        may && (
          <Button tone="primary" onClick={() => setAdds(true)}>
            <Plus size={14} aria-hidden /> Add a project
          </Button>
        )
      }
    >
      <Loaded query={projects} rows={4}>
        {(list) =>
          list.length === 0 ? (
            <Empty title="No projects yet">A project is a git repository with Spec-Kit features in its folder specs.</Empty>
          ) : (
            list.map((view) => <ProjectCard key={view.project.name} view={view} />)
          )
        }
      </Loaded>
      {adds && (
        <Dialog title="Add a project" open onClose={() => setAdds(false)}>
          <Add onClose={() => setAdds(false)} />
        </Dialog>
      )}
    </Page>
  );
}

function ProjectCard({ view: { project, head } }: { view: View }) {
  const shown = useRead("project.show", { project: project.name });
  return (
    <Section title={project.name} note={<Deeds project={project} />}>
      <div className={`${ui.card} ${css.card}`}>
        <p className={css.facts}>
          <span className="mono">{project.rid}</span>
          <span>
            {project.branch} at <code>{shortOid(head)}</code>
          </span>
          <span>{project.mirror ? `mirrored to ${project.mirror}` : "not mirrored"}</span>
        </p>
        <Loaded query={shown} rows={2}>
          {({ features, checks, notices }) => (
            <>
              {notices.map((notice) => (
                <p key={notice} className={css.notice}>
                  {notice}
                </p>
              ))}
              {features.length === 0 && <p className="muted">It has no features in its folder specs yet.</p>}
              <ul className={css.list}>
                {features.map((feature) => (
                  <li key={feature.id}>
                    <Link to="/tasks" search={{ project: project.name, feature: feature.id }} className="link">
                      {feature.id}
                    </Link>{" "}
                    {feature.title} <span className="muted number">{`${feature.done} of ${feature.tasks} tasks done`}</span>
                    {feature.problems.map((problem) => (
                      <p key={problem} className={css.notice}>
                        {problem}
                      </p>
                    ))}
                  </li>
                ))}
              </ul>
              <p className="muted">
                Checks:{" "}
                {checks.length === 0
                  ? "none"
                  : checks.map(({ name, command }) => (
                      <code key={name} title={name}>
                        {command}{" "}
                      </code>
                    ))}
              </p>
            </>
          )}
        </Loaded>
      </div>
    </Section>
  );
}

function Deeds({ project }: { project: View["project"] }) {
  const may = useMay("project.sync");
  const sync = useAct("project.sync");
  const [mirrors, setMirrors] = useState(false);
  if (!may) return null;
  return (
    <>
      {project.mirror && (
        <Button busy={sync.isPending} onClick={() => sync.mutate({ project: project.name })}>
          Sync {project.name}
        </Button>
      )}{" "}
      <Pull project={project} /> <Button onClick={() => setMirrors(true)}>{project.mirror ? "Change the mirror" : "Mirror"}</Button>
      {mirrors && (
        <Dialog title={`Mirror of ${project.name}`} open onClose={() => setMirrors(false)}>
          <Mirror project={project} onClose={() => setMirrors(false)} />
        </Dialog>
      )}
    </>
  );
}

/** Takes over commits that were made in a working copy of this machine. */
function Pull({ project }: { project: View["project"] }) {
  const may = useMay("project.pull");
  const [open, setOpen] = useState(false);
  const [from, setFrom] = useState("");
  const pull = useAct("project.pull", { done: () => setOpen(false) });
  if (!may) return null;
  return (
    <>
      <Button onClick={() => setOpen(true)}>Pull</Button>
      {open && (
        <Dialog title={`Pull into ${project.name}`} open onClose={() => setOpen(false)}>
          <Form
            deed="Pull"
            busy={pull.isPending}
            disabled={from.trim() === ""}
            onSend={() => pull.mutate({ project: project.name, from: from.trim() })}
            onClose={() => setOpen(false)}
          >
            <Field
              label="Working copy"
              value={from}
              placeholder="/home/you/code"
              hint="Its folder on this machine: what it has on its branch is taken over."
              onChange={(event) => setFrom(event.target.value)}
            />
          </Form>
        </Dialog>
      )}
    </>
  );
}

function Mirror({ project, onClose }: { project: View["project"]; onClose: () => void }) {
  const [remote, setRemote] = useState(project.mirror ?? "");
  const mirror = useAct("project.mirror", { done: onClose });
  return (
    <Form
      deed={remote.trim() ? "Mirror" : "End the mirror"}
      busy={mirror.isPending}
      onSend={() => mirror.mutate({ project: project.name, remote: remote.trim() })}
      onClose={onClose}
    >
      <Field
        label="Git remote"
        value={remote}
        hint="It gets the merged default branch, and what changes there comes back. Empty ends the mirror."
        onChange={(event) => setRemote(event.target.value)}
      />
    </Form>
  );
}

function Add({ onClose }: { onClose: () => void }) {
  const [source, setSource] = useState("");
  const [name, setName] = useState("");
  const [seeds, setSeeds] = useState("");
  const [isPublic, setPublic] = useState(false);
  const add = useAct("project.add", { done: onClose });
  const send = () =>
    add.mutate({
      source: source.trim(),
      name: name.trim() || null,
      public: isPublic,
      seeds: seeds.split(/[\s,]+/).filter(Boolean),
    });
  return (
    <Form deed="Add" busy={add.isPending} disabled={!source.trim()} onSend={send} onClose={onClose}>
      <Field
        label="Folder or Radicle id"
        value={source}
        hint="The folder of a git working copy on this machine, or rad:z…"
        onChange={(event) => setSource(event.target.value)}
      />
      <Field label="Name" value={name} hint="The folder's name where nothing is said." onChange={(event) => setName(event.target.value)} />
      {source.startsWith("rad:") && (
        <Field
          label="Where to clone from"
          value={seeds}
          hint="did:key:z6Mk…@host:port"
          onChange={(event) => setSeeds(event.target.value)}
        />
      )}
      <label>
        <input type="checkbox" checked={isPublic} onChange={(event) => setPublic(event.target.checked)} /> Everybody may read it
      </label>
    </Form>
  );
}
