// Projects: the code repositories of the org, their features, checks, and mirrors.
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import type { Output } from "../../api/call";
import { useProjects } from "../../api/projects";
import { useAct, useMay, useRead } from "../../api/query";
import { Button } from "../../ui/Button";
import { Coded } from "../../ui/Coded";
import { ActForm, Check, Field, Opens } from "../../ui/Form";
import { Page, Section } from "../../ui/Page";
import { Empty, Loaded } from "../../ui/State";
import ui from "../../ui/ui.module.css";
import { forPage, several, shortOid } from "../../ui/words";
import { GateDeeds, gateWords } from "./Gate";
import css from "./Projects.module.css";

type View = Output<"project.list">[number];

export default function Projects() {
  const projects = useProjects();
  const may = useMay("project.add");
  return (
    <Page
      title="Projects"
      actions={
        may && (
          <Opens tone="primary" adds name="Add a project" title="Add a project">
            {(close) => <Add onClose={close} />}
          </Opens>
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
    </Page>
  );
}

function ProjectCard({ view: { project, head, absent, problem } }: { view: View }) {
  return (
    <Section title={project.name} note={<Deeds project={project} />}>
      <div className={`${ui.card} ${css.card}`}>
        <p className={css.facts}>
          <span className="mono">{project.rid}</span>
          <span>
            {project.branch}
            {head && " at "}
            {head && <code>{shortOid(head)}</code>}
          </span>
          <span>{project.mirror ? `mirrored to ${project.mirror}` : "not mirrored"}</span>
        </p>
        {head && <Details project={project.name} />}
        {!head && !problem && <p className="muted">It is not on this device yet: it comes from the devices that have it.</p>}
        {!head && problem && <p className="muted">It cannot be read.</p>}
        {!head && (problem ?? absent) && (
          <p className={css.notice}>
            <Coded text={forPage(problem ?? absent ?? "")} />
          </p>
        )}
      </div>
    </Section>
  );
}

/** What its repository says. */
function Details({ project }: { project: string }) {
  const shown = useRead("project.show", { project });
  return (
    <Loaded query={shown} rows={2}>
      {({ features, checks, notices, gate }) => (
        <>
          {gate && <p className="muted">{gateWords(gate)}</p>}
          {notices.map((notice) => (
            <p key={notice} className={css.notice}>
              {notice}
            </p>
          ))}
          {features.length === 0 && <p className="muted">It has no features in its folder specs yet.</p>}
          <ul className={css.list}>
            {features.map((feature) => (
              <li key={feature.id}>
                <Link to="/tasks" search={{ project, feature: feature.id }} className="link">
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
  );
}

function Deeds({ project }: { project: View["project"] }) {
  const may = useMay("project.sync");
  const pulls = useMay("project.pull");
  const shares = useMay("project.share");
  const sync = useAct("project.sync");
  if (!may) return null;
  return (
    <>
      {project.mirror && (
        <Button busy={sync.isPending} onClick={() => sync.mutate({ project: project.name })}>
          Sync {project.name}
        </Button>
      )}{" "}
      {pulls && (
        <Opens name="Pull" title={`Pull into ${project.name}`}>
          {(close) => <Pull project={project} onClose={close} />}
        </Opens>
      )}{" "}
      <Opens name={project.mirror ? "Change the mirror" : "Mirror"} title={`Mirror of ${project.name}`}>
        {(close) => <Mirror project={project} onClose={close} />}
      </Opens>{" "}
      {shares && (
        <Opens name="Share" title={`Share ${project.name}`}>
          {(close) => <Share project={project} onClose={close} />}
        </Opens>
      )}{" "}
      <GateDeeds project={project.name} gated={(project.gates ?? []).length > 0} />
    </>
  );
}

/** Takes over commits that were made in a working copy of this machine. */
function Pull({ project, onClose }: { project: View["project"]; onClose: () => void }) {
  const [from, setFrom] = useState("");
  const input = { project: project.name, from: from.trim() };
  return (
    <ActForm action="project.pull" input={input} deed="Pull" disabled={!input.from} onClose={onClose}>
      <Field
        label="Working copy"
        value={from}
        placeholder="/home/you/code"
        hint="Its folder on this machine: what it has on its branch is taken over."
        onChange={setFrom}
      />
    </ActForm>
  );
}

/** Lets other nodes read a private project. */
function Share({ project, onClose }: { project: View["project"]; onClose: () => void }) {
  const [keys, setKeys] = useState("");
  const input = { project: project.name, with: several(keys) };
  return (
    <ActForm action="project.share" input={input} deed="Share" disabled={input.with.length === 0} onClose={onClose}>
      <Field
        label="Radicle nodes"
        value={keys}
        placeholder="did:key:z6Mk…"
        hint="Their keys, several between blanks. A device of the org needs that too before it takes work of a private project."
        onChange={setKeys}
      />
    </ActForm>
  );
}

function Mirror({ project, onClose }: { project: View["project"]; onClose: () => void }) {
  const [remote, setRemote] = useState(project.mirror ?? "");
  const input = { project: project.name, remote: remote.trim() };
  return (
    <ActForm action="project.mirror" input={input} deed={input.remote ? "Mirror" : "End the mirror"} onClose={onClose}>
      <Field
        label="Git remote"
        value={remote}
        hint="It gets the merged default branch, and what changes there comes back. Empty ends the mirror."
        onChange={setRemote}
      />
    </ActForm>
  );
}

function Add({ onClose }: { onClose: () => void }) {
  const [source, setSource] = useState("");
  const [name, setName] = useState("");
  const [seeds, setSeeds] = useState("");
  const [isPublic, setPublic] = useState(false);
  const input = { source: source.trim(), name: name.trim() || null, public: isPublic, seeds: several(seeds) };
  return (
    <ActForm action="project.add" input={input} deed="Add" disabled={!input.source} onClose={onClose}>
      <Field
        label="Folder or Radicle id"
        value={source}
        hint="The folder of a git working copy on this machine, or rad:z…"
        onChange={setSource}
      />
      <Field label="Name" value={name} hint="The folder's name where nothing is said." onChange={setName} />
      {source.startsWith("rad:") && <Field label="Where to clone from" value={seeds} hint="did:key:z6Mk…@host:port" onChange={setSeeds} />}
      <Check label="Everybody may read it" value={isPublic} onChange={setPublic} />
    </ActForm>
  );
}
