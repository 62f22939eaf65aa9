// The files of the policy with their text; a changed one is checked before it is set, and may wait for owners.
import { useState } from "react";
import type { Output } from "../../../api/call";
import { useMay } from "../../../api/query";
import { Button } from "../../../ui/Button";
import { Dialog } from "../../../ui/Dialog";
import { Opens } from "../../../ui/Form";
import { Section } from "../../../ui/Page";
import { Empty } from "../../../ui/State";
import ui from "../../../ui/ui.module.css";
import { FileForm } from "./FileForm";
import { nameOf } from "./file";
import { RemoveFile } from "./RemoveFile";
import css from "./Rights.module.css";

type File = Output<"policy.show">["files"][number];

export function Files({ files }: { files: File[] }) {
  const may = useMay("policy.set");
  const [gone, setGone] = useState<string>();
  const add = may && (
    <Opens adds name="Add a file" title="Add a file of policies">
      {(close) => <FileForm files={files} onClose={close} />}
    </Opens>
  );
  return (
    <Section title="Files of the policy" note={add}>
      {files.length === 0 && <Empty title="No files">The usual rules count until there is one.</Empty>}
      <div className={ui.rows}>
        {files.map(({ path, text }) => (
          <details key={path} className={css.file}>
            <summary className={ui.row} data-row>
              <code>{path}</code>
            </summary>
            {may && (
              <p className={css.deeds}>
                <Opens name={`Edit ${nameOf(path)}`} title={`Edit ${path}`}>
                  {(close) => <FileForm files={files} path={path} onClose={close} />}
                </Opens>{" "}
                <Button tone="danger" onClick={() => setGone(path)}>
                  Remove {nameOf(path)}
                </Button>
              </p>
            )}
            {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by the keyboard */}
            <section className={css.text} tabIndex={0} aria-label={path}>
              <pre>{text}</pre>
            </section>
          </details>
        ))}
      </div>
      {gone && (
        <Dialog title={`Remove ${nameOf(gone)}?`} open onClose={() => setGone(undefined)}>
          <RemoveFile files={files} path={gone} onClose={() => setGone(undefined)} />
        </Dialog>
      )}
    </Section>
  );
}
