// The log: only what is on screen is drawn, so that 100,000 lines scroll like ten. At its end it follows what comes.
import { useVirtualizer } from "@tanstack/react-virtual";
import { ArrowDown, ChevronDown, ChevronUp } from "lucide-react";
import {
  memo,
  type ReactNode,
  type RefObject,
  useCallback,
  useDeferredValue,
  useEffect,
  useLayoutEffect,
  useMemo,
  useRef,
  useState,
} from "react";
import { pieces, plain } from "../../ui/ansi";
import { Button, IconButton } from "../../ui/Button";
import { Empty, Loading, ProblemView } from "../../ui/State";
import ui from "../../ui/ui.module.css";
import { clock, plural } from "../../ui/words";
import css from "./LogView.module.css";
import type { Line, LineKind, Transcript } from "./transcript";
import type { Followed } from "./useTranscript";

const LINE_PX = 20;
/** A wide letter, and what stands before a line. */
const LETTER_PX = 9;
const TIME_PX = 104;
/** So near to the end, the view sticks to it. */
const END_PX = 30;

const shows: Record<string, (kind: LineKind) => boolean> = {
  All: () => true,
  Agent: (kind) => kind === "person" || kind === "message" || kind === "thought",
  Tools: (kind) => kind === "tool",
  Output: (kind) => kind === "output" || kind === "check",
  Problems: (kind) => kind === "bad",
};

/** `waiting`: what people said and the agent has not got, at the end. */
export function LogView({ followed, waiting }: { followed: Followed; waiting: readonly Line[] }) {
  const { transcript, version, complete, problem, retry } = followed;
  const [kind, setKind] = useState("All");
  const [query, setQuery] = useState("");
  const [at, setAt] = useState(0);
  const sought = useDeferredValue(query.toLowerCase());

  const spoken = shows[kind]?.("person") ? waiting.length : 0;
  // After the end nothing comes any more: what was said stands by its own time.
  const last = complete ? 0 : spoken;

  // biome-ignore lint/correctness/useExhaustiveDependencies: the transcript grows in place; its version says when
  const lines = useMemo(() => {
    const shown = kind === "All" ? transcript.lines : transcript.lines.filter((l) => shows[kind]?.(l.kind));
    if (spoken === 0) return shown;
    return last > 0 ? [...shown, ...waiting] : byTime(shown, waiting);
  }, [transcript, version, kind, waiting, spoken, last]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: as above
  const hits = useMemo(() => find(lines, sought), [lines, sought, version]);
  const hit = hits[Math.min(at, hits.length - 1)];
  const step = (by: number) => setAt((Math.min(at, hits.length - 1) + by + hits.length) % Math.max(hits.length, 1));

  return (
    <div className={css.log}>
      {problem && <ProblemView problem={problem} retry={retry} />}
      <div className={css.bar}>
        <input
          type="search"
          className={ui.input}
          placeholder="Search the log"
          aria-label="Search the log"
          value={query}
          onChange={(event) => {
            setQuery(event.target.value);
            setAt(0);
          }}
          onKeyDown={(event) => event.key === "Enter" && step(event.shiftKey ? -1 : 1)}
        />
        {sought && (
          <span className={css.hits}>
            <span className="muted number" role="status">
              {hits.length === 0 ? "Not found" : `${Math.min(at, hits.length - 1) + 1} of ${hits.length}`}
            </span>
            <IconButton label="Previous match" keys="Shift+Enter" onClick={() => step(-1)} disabled={hits.length === 0}>
              <ChevronUp size={15} />
            </IconButton>
            <IconButton label="Next match" keys="Enter" onClick={() => step(1)} disabled={hits.length === 0}>
              <ChevronDown size={15} />
            </IconButton>
          </span>
        )}
        <fieldset className={css.kinds}>
          <legend className="hidden">Which lines</legend>
          {Object.keys(shows).map((name) => (
            <button key={name} type="button" aria-pressed={name === kind} onClick={() => setKind(name)}>
              {name}
            </button>
          ))}
        </fieldset>
        <span className={`${css.count} muted number`}>{plural(lines.length, "line")}</span>
      </div>
      {lines.length === 0 && !problem && (complete ? <Empty title="Nothing to read here" /> : <Loading />)}
      {lines.length > 0 && (
        <Lines
          key={spoken > last ? "whole" : "grows"}
          transcript={transcript}
          version={version}
          lines={lines}
          last={last}
          sought={sought}
          hit={hit}
        />
      )}
    </div>
  );
}

/** Puts lines, oldest first, each before the first that is younger. */
export function byTime(lines: readonly Line[], more: readonly Line[]): Line[] {
  const left = [...more].sort((a, b) => a.at - b.at);
  const all: Line[] = [];
  for (const line of lines) {
    while (left[0] && left[0].at < line.at) all.push(left.shift() as Line);
    all.push(line);
  }
  return [...all, ...left];
}

/** How many letters surely fit into one line: only longer ones must be measured. */
function useColumns(box: RefObject<HTMLElement | null>): number {
  const [columns, setColumns] = useState(0);
  useEffect(() => {
    const look = new ResizeObserver(([entry]) => entry && setColumns(Math.floor((entry.contentRect.width - TIME_PX) / LETTER_PX)));
    if (box.current) look.observe(box.current);
    return () => look.disconnect();
  }, [box]);
  return columns;
}

const holds = ({ text, more = "" }: Line, sought: string): boolean =>
  plain(text).toLowerCase().includes(sought) || more.toLowerCase().includes(sought);

function find(lines: readonly Line[], sought: string): number[] {
  if (!sought) return [];
  const found: number[] = [];
  for (const [index, line] of lines.entries()) if (holds(line, sought)) found.push(index);
  return found;
}

interface LinesProps {
  transcript: Transcript;
  version: number;
  lines: readonly Line[];
  /** So many at the end stay there, whatever comes before them. */
  last: number;
  sought: string;
  hit: number | undefined;
}

function Lines({ transcript, version, lines, last, sought, hit }: LinesProps) {
  const box = useRef<HTMLDivElement>(null);
  const [following, setFollowing] = useState(true);
  const columns = useColumns(box);
  const from = lines.length - last;
  const keyOf = useCallback((index: number) => (index < from ? index : `last ${index - from}`), [from]);
  const view = useVirtualizer({
    count: lines.length,
    getScrollElement: () => box.current,
    estimateSize: () => LINE_PX,
    overscan: 12,
    // A line's measured height must not stay behind at its place.
    ...(last > 0 && { getItemKey: keyOf }),
  });
  const total = view.getTotalSize();

  // biome-ignore lint/correctness/useExhaustiveDependencies: after every arrival, and when lines turn out taller than guessed
  useLayoutEffect(() => {
    if (following && box.current) box.current.scrollTop = box.current.scrollHeight;
  }, [version, total, following, lines.length]);
  useEffect(() => {
    if (hit === undefined) return;
    setFollowing(false);
    view.scrollToIndex(hit, { align: "center" });
  }, [hit, view]);

  // Who opens a line reads there.
  const stay = useCallback(() => setFollowing(false), []);
  const scrolled = () => {
    const { scrollTop, clientHeight, scrollHeight } = box.current as HTMLDivElement;
    setFollowing(scrollTop + clientHeight >= scrollHeight - END_PX);
  };
  return (
    <div className={css.frame}>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reached by the keyboard */}
      <div ref={box} className={css.box} onScroll={scrolled} role="log" aria-label="Log" aria-live="off" tabIndex={0}>
        <div className={css.all} style={{ height: total }}>
          {view.getVirtualItems().map(({ index, start, key }) => {
            const line = lines[index] as Line;
            const status = line.kind === "tool" && line.tool ? transcript.tools.get(line.tool)?.status : line.status;
            const letters = line.text.length + (line.who?.length ?? 0) + (line.status?.length ?? 0);
            return (
              <div
                key={key}
                data-index={index}
                ref={line.more || letters > columns ? view.measureElement : undefined}
                className={css.place}
                style={{ transform: `translateY(${start}px)` }}
              >
                <Row line={line} text={line.text} status={status} sought={sought} current={index === hit} onOpen={stay} />
              </div>
            );
          })}
        </div>
      </div>
      {!following && (
        <Button className={css.follow} onClick={() => setFollowing(true)}>
          <ArrowDown size={14} aria-hidden /> To the end
        </Button>
      )}
    </div>
  );
}

interface RowProps {
  line: Line;
  /** Beside the line, because an open line grows in place. */
  text: string;
  status: string | undefined;
  sought: string;
  current: boolean;
  onOpen: () => void;
}

const Row = memo(function Row({ line, text, status, sought, current, onOpen }: RowProps) {
  return (
    <div className={css.row} data-kind={line.kind} data-status={status} data-current={current || undefined}>
      <time className={css.time} aria-hidden={!text || undefined} data-empty={!text || undefined}>
        {clock(line.at)}
      </time>
      <span className={css.text}>
        {line.who && <b>{line.who}: </b>}
        {sought ? <Marked text={plain(text)} sought={sought} /> : <Coloured text={text} />}
        {status && status !== "completed" && <i className={css.status}> {status.replaceAll("_", " ")}</i>}
        {line.more && <More text={line.more} sought={sought} onOpen={onOpen} />}
      </span>
    </div>
  );
});

/** The rest of what was said; open where what is sought is in it. */
function More({ text, sought, onOpen }: { text: string; sought: string; onOpen: () => void }) {
  const found = sought !== "" && text.toLowerCase().includes(sought);
  const [open, setOpen] = useState(false);
  const press = () => {
    if (!open) onOpen();
    setOpen(!open);
  };
  return (
    <>
      {" "}
      {!found && (
        <button type="button" className={css.more} aria-expanded={open} onClick={press}>
          {open ? "Show less" : `Show all (${plural(text.split("\n").length, "more line")})`}
        </button>
      )}
      {(open || found) && <span className={css.rest}>{found ? <Marked text={text} sought={sought} /> : text}</span>}
    </>
  );
}

function Coloured({ text }: { text: string }): ReactNode {
  const parts = pieces(text);
  if (parts.length === 1 && parts[0] && !parts[0].fg && !parts[0].bg && !parts[0].bold) return parts[0].text;
  return parts.map(({ text, fg, bg, bold, dim, italic, underline }, at) => {
    const rgb = (colour: string | undefined) => (colour?.includes(",") ? `rgb(${colour})` : undefined);
    const marks = [bold && "b", dim && "d", italic && "i", underline && "u"].filter(Boolean).join(" ");
    return (
      // biome-ignore lint/suspicious/noArrayIndexKey: pieces of one text have no other name
      <span key={at} data-fg={fg} data-bg={bg} data-marks={marks || undefined} style={{ color: rgb(fg), background: rgb(bg) }}>
        {text}
      </span>
    );
  });
}

function Marked({ text, sought }: { text: string; sought: string }): ReactNode {
  const parts: ReactNode[] = [];
  const lower = text.toLowerCase();
  let from = 0;
  for (let at = lower.indexOf(sought); at >= 0; at = lower.indexOf(sought, from)) {
    parts.push(text.slice(from, at), <mark key={at}>{text.slice(at, at + sought.length)}</mark>);
    from = at + sought.length;
  }
  return [...parts, text.slice(from)];
}
