// One function for every action of the program's table. Its types come from the OpenAPI document.
import { actions } from "./actions";
import type { components, paths } from "./schema";

export type Schemas = components["schemas"];
export type Problem = Schemas["Problem"];
export type Permission = Schemas["Permission"];
export type ActionName = keyof typeof actions;

type PathOf<N extends ActionName> = N extends `${infer R}.${infer V}` ? `/api/v1/${R}/${V}` : never;
type Item<N extends ActionName> = PathOf<N> extends keyof paths ? paths[PathOf<N>] : never;
type Operation<N extends ActionName> = Item<N> extends { post: infer P extends object } ? P : Item<N> extends { get: infer G } ? G : never;
type Json<T> = T extends { content: { "application/json": infer J } } ? J : never;
type Asked<O> = O extends { requestBody?: infer B } ? Json<NonNullable<B>> : never;
type Queried<O> = O extends { parameters: { query?: infer Q } } ? NonNullable<Q> : never;

/** What an action takes. */
export type Input<N extends ActionName> = [Asked<Operation<N>>] extends [never]
  ? [Queried<Operation<N>>] extends [never]
    ? Record<string, never>
    : Queried<Operation<N>>
  : Asked<Operation<N>>;
/** What an action answers. */
export type Output<N extends ActionName> = Operation<N> extends { responses: { 200: infer R } } ? Json<R> : never;

/** A refusal of the program, or that it could not be reached. */
export class ApiError extends Error {
  readonly problem: Problem;
  constructor(problem: Problem) {
    super(problem.what);
    this.problem = problem;
  }
}

/** Whatever was thrown, in the program's form of a problem. */
export function problemOf(error: unknown): Problem {
  if (error instanceof ApiError) return error.problem;
  const why = error instanceof Error ? error.message : String(error);
  return { kind: "internal", what: "This page made a mistake.", why, next: "Load it again; if it comes back, tell us what you did." };
}

const unreachable: Problem = {
  kind: "unavailable",
  what: "Meshwork cannot be reached.",
  why: "The program behind this page does not answer.",
  next: "Is `meshwork up` running? The page goes on by itself when it is.",
};

/** Reads whose input is what a person wrote: it does not belong into an address. */
const written: ReadonlySet<ActionName> = new Set<ActionName>(["command.understand", "command.complete", "policy.check"]);

/** Carries an action out. Throws an `ApiError`. */
export async function call<N extends ActionName>(name: N, input: Input<N>, signal?: AbortSignal): Promise<Output<N>> {
  const path = `/api/v1/${name.replace(".", "/")}`;
  const response = await (actions[name].changes || written.has(name)
    ? send(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(input), signal })
    : send(path + query(input), { signal }));
  const body = await response.json().catch(() => null);
  if (response.ok) return body as Output<N>;
  throw new ApiError(body?.error ?? { ...unreachable, why: `The answer was ${response.status} ${response.statusText}.` });
}

async function send(url: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url, init);
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new ApiError(unreachable);
  }
}

function query(input: object): string {
  const pairs = new URLSearchParams();
  for (const [name, value] of Object.entries(input)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== undefined && one !== null) pairs.append(name, String(one));
    }
  }
  const text = pairs.toString();
  return text && `?${text}`;
}
