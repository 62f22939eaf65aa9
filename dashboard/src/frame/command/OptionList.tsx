// The list under the field. The field keeps the focus; the chosen one is named to screen readers from there.
import { CornerDownLeft, TextCursorInput } from "lucide-react";
import { useEffect, useRef } from "react";
import css from "./CommandBar.module.css";
import type { Option } from "./options";

interface Props {
  options: readonly Option[];
  chosen: Option | undefined;
  onTake: (option: Option) => void;
  onPick: (option: Option) => void;
}

export function Options({ options, chosen, onTake, onPick }: Props) {
  const list = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (chosen) list.current?.querySelector(`#${CSS.escape(optionId(chosen))}`)?.scrollIntoView({ block: "nearest" });
  }, [chosen]);
  return (
    <div id="found" ref={list} className={css.list} role="listbox" aria-label="Found">
      {options.map((option) => (
        // biome-ignore lint/a11y/useKeyWithClickEvents: the field above has the keyboard
        <div
          key={option.id}
          id={optionId(option)}
          role="option"
          tabIndex={-1}
          aria-selected={option.id === chosen?.id}
          className={css.item}
          onClick={() => onTake(option)}
          onMouseMove={() => option.id !== chosen?.id && onPick(option)}
        >
          <Row option={option} />
        </div>
      ))}
    </div>
  );
}

function Row({ option }: { option: Option }) {
  if (option.kind === "ask") {
    return (
      <>
        <span className={css.kind}>Ask</span>
        <span className="clip">“{option.text}”</span>
        <CornerDownLeft className={css.mark} size={13} aria-hidden />
      </>
    );
  }
  if (option.kind === "complete") {
    const { label, what } = option.completion;
    return (
      <>
        <span className={css.kind}>Write</span>
        <span className={css.label}>{label}</span>
        <span className={`${css.hint} clip`}>{what}</span>
        <TextCursorInput className={css.mark} size={13} aria-hidden />
      </>
    );
  }
  const { kind, title, hint } = option.found;
  return (
    <>
      <span className={css.kind}>{kind}</span>
      <span className="clip">{title}</span>
      {hint && <span className={`${css.hint} clip`}>{hint}</span>}
    </>
  );
}

export const optionId = (option: Option): string => `found-${option.id.replace(/[^\w-]/g, "_")}`;
