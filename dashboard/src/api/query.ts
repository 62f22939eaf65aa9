// Reads and acts: what the server owns lives in the query cache alone, under `[action, input]`. Nothing there grows old by itself;
// `live/` marks what an event touched.
import { QueryCache, QueryClient, queryOptions, useMutation, useQuery } from "@tanstack/react-query";
import { notify } from "../ui/Toasts";
import { actions } from "./actions";
import { type ActionName, ApiError, call, type Input, type Output, type Permission, type Problem, problemOf } from "./call";

export function makeClient(): QueryClient {
  const client: QueryClient = new QueryClient({
    queryCache: new QueryCache({
      // Signed out elsewhere, or the program was restarted: `App` shows how to sign in.
      onError: (error, query) => {
        const session = query.queryKey[0] === "session.show";
        if (!session && problemOf(error).kind === "unauthenticated") void client.resetQueries({ queryKey: ["session.show"] });
      },
    }),
    defaultOptions: {
      queries: {
        staleTime: Number.POSITIVE_INFINITY,
        networkMode: "always",
        refetchOnWindowFocus: false,
        refetchOnReconnect: false,
        retry: (count, error) => count < 2 && error instanceof ApiError && error.problem.kind === "unavailable",
        retryDelay: 500,
      },
      mutations: { networkMode: "always" },
    },
  });
  return client;
}

/** A read of an action, for `useQuery`, `useQueries` and prefetching. */
export function read<N extends ActionName>(name: N, input: Input<N>) {
  return queryOptions<Output<N>>({ queryKey: [name, input], queryFn: ({ signal }) => call(name, input, signal) });
}

interface ReadOptions {
  enabled?: boolean;
  refetchOnMount?: "always";
  /** Milliseconds until it is read anew: for what no event tells of. */
  refetchInterval?: number;
}

export function useRead<N extends ActionName>(name: N, input: Input<N>, options: ReadOptions = {}) {
  return useQuery({ ...read(name, input), ...options });
}

interface ActOptions<N extends ActionName> {
  done?: (output: Output<N>) => void;
  failed?: (problem: Problem) => void;
  /** Who uses it says by itself that it was done. */
  quiet?: boolean;
}

/** Carries out an action that changes something, and says how it went. Events bring what it changed. */
export function useAct<N extends ActionName>(name: N, options: ActOptions<N> = {}) {
  return useMutation({
    mutationFn: (input: Input<N>) => call(name, input),
    onSuccess: (output) => {
      const said = output as { message?: string };
      if (said.message && !options.quiet) notify({ tone: "good", title: said.message });
      options.done?.(output);
    },
    onError: (error) => {
      const problem = problemOf(error);
      const { what, why, next } = problem;
      options.failed?.(problem);
      notify({ tone: "bad", title: what, text: [why, next].filter(Boolean).join(" ") });
    },
  });
}

export const useSession = () => useRead("session.show", {});

/** Whether the person may carry an action out: what they may not is not shown. */
export function useMay(action: ActionName): boolean {
  const { data } = useSession();
  return data ? allows(data.permissions, action) : false;
}

export function allows(permissions: readonly Permission[], action: ActionName): boolean {
  return permissions.includes(actions[action].permission);
}
