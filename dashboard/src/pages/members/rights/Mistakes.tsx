// What is wrong with files of policies. Where the file is open, a line leads to its place.
import type { Output } from "../../../api/call";
import { Button } from "../../../ui/Button";
import css from "./Rights.module.css";

type Mistake = Output<"policy.check">["mistakes"][number];

export function Mistakes({ mistakes, onLine }: { mistakes: Mistake[]; onLine?: (mistake: Mistake) => void }) {
  return (
    <ul className={css.mistakes}>
      {mistakes.map((mistake) => (
        <li key={`${mistake.file} ${mistake.line} ${mistake.message}`}>
          {onLine ? (
            <Button onClick={() => onLine(mistake)}>line {mistake.line}</Button>
          ) : (
            <code>
              {mistake.file}, line {mistake.line}
            </code>
          )}{" "}
          {mistake.message}
        </li>
      ))}
    </ul>
  );
}
