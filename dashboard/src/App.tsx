// Before any page: who is signed in, and whether this machine has an org.
import { RouterProvider } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import css from "./App.module.css";
import { problemOf } from "./api/call";
import { useAct, useSession } from "./api/query";
import { router } from "./router";
import { Button } from "./ui/Button";
import { ProblemView } from "./ui/State";
import { Toasts } from "./ui/Toasts";
import ui from "./ui/ui.module.css";

export function App() {
  const session = useSession();
  if (session.data?.org) return <RouterProvider router={router} />;
  return (
    <main className={css.alone}>
      {session.data ? <NoOrg retry={() => void session.refetch()} /> : session.error && <Refused session={session} />}
      <Toasts />
    </main>
  );
}

function Refused({ session }: { session: ReturnType<typeof useSession> }) {
  const problem = problemOf(session.error);
  const signedOut = problem.kind === "unauthenticated";
  return (
    <>
      <h1>{signedOut ? "You are signed out" : "Meshwork"}</h1>
      {signedOut && (
        <p>
          On the machine where Meshwork runs: <code>meshwork open</code>. It prints a link that works once.
        </p>
      )}
      <ProblemView problem={problem} retry={() => void session.refetch()} />
    </>
  );
}

function NoOrg({ retry }: { retry: () => void }) {
  const [name, setName] = useState("");
  const create = useAct("org.create", { done: retry });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    create.mutate({ name });
  };
  return (
    <>
      <h1>Make an org</h1>
      <p className="muted">This machine belongs to no org yet. An org is a group of people and their machines; it can be you alone.</p>
      <form className={css.form} onSubmit={submit}>
        <label htmlFor="org">Its name</label>
        <input id="org" className={ui.input} value={name} onChange={(event) => setName(event.target.value)} placeholder="crew" required />
        <Button type="submit" tone="primary" busy={create.isPending}>
          Make it
        </Button>
      </form>
    </>
  );
}
