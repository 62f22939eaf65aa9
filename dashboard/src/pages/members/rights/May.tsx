// “May X do Y?”: the answer, and the rule that decides.
import { useState } from "react";
import { actions } from "../../../api/actions";
import type { ActionName, Input, Output } from "../../../api/call";
import { useProjects } from "../../../api/projects";
import { useRead } from "../../../api/query";
import { Badge } from "../../../ui/Badge";
import { Choice, Field, Form } from "../../../ui/Form";
import { Loaded } from "../../../ui/State";
import ui from "../../../ui/ui.module.css";
import { permissions } from "./permissions";
import css from "./Rights.module.css";

type Who = Output<"policy.show">["roles"][number];

const deeds = (Object.keys(actions) as ActionName[]).map((key) => ({ key, title: `${key}: ${actions[key].summary}` }));

export function May({ roles, members }: { roles: Who[]; members: Who[] }) {
  const [who, setWho] = useState("me");
  const [action, setAction] = useState<ActionName>("patch.merge");
  const [project, setProject] = useState("");
  const [what, setWhat] = useState("");
  const [asked, ask] = useState<Input<"policy.explain">>();
  const { data: projects = [] } = useProjects();
  const { data: agents = [] } = useRead("agent.list", {});
  const { data: org } = useRead("org.show", {});
  const whos = [
    { key: "me", title: "I" },
    ...members.map((one) => ({ key: one.who, title: `member ${one.who}` })),
    ...roles.map((one) => ({ key: `role:${one.who}`, title: `anybody in the role ${one.who}` })),
    ...agents.map(({ name }) => ({ key: `agent:${name}`, title: `agent ${name}` })),
    ...(org?.devices ?? []).map(({ name }) => ({ key: `device:${name}`, title: `device ${name}` })),
  ];
  const names = projects.map(({ project: { name } }) => ({ key: name, title: `project ${name}` }));
  return (
    <div className={`${ui.card} ${css.card}`}>
      <Form deed="Ask" busy={false} onSend={() => ask({ who, action, project: project || null, what: what.trim() || null })}>
        <div className={css.fields}>
          <Choice label="Who" options={whos} value={who} onChange={setWho} />
          <Choice label="Does what" options={deeds} value={action} onChange={setAction} />
          <Choice label="Where" options={[{ key: "", title: "the whole org" }, ...names]} value={project} onChange={setProject} />
          <Field label="With what" value={what} placeholder="T012, a patch, a run, a name" onChange={setWhat} />
        </div>
      </Form>
      {asked && <Answer asked={asked} />}
    </div>
  );
}

function Answer({ asked }: { asked: Input<"policy.explain"> }) {
  const answer = useRead("policy.explain", asked);
  return (
    <div role="status" aria-label="Answer">
      <Loaded query={answer} rows={1}>
        {({ who, action, permission, allowed, why }) => (
          <>
            <p>
              <Badge word={allowed ? { text: "Yes", tone: "good" } : { text: "No", tone: "bad" }} />{" "}
              <b>
                {who}, {action}
              </b>
              , of the permission “{permissions[permission].name}”
            </p>
            <p>{why}</p>
          </>
        )}
      </Loaded>
    </div>
  );
}
