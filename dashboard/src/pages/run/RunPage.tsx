// One run: where it is, what the agent does, what it changed.
import { getRouteApi } from "@tanstack/react-router";
import { useRead } from "../../api/query";
import { Badge } from "../../ui/Badge";
import { Page } from "../../ui/Page";
import { Loaded } from "../../ui/State";
import { runWord, shortRun } from "../../ui/words";

const route = getRouteApi("/runs/$run");

export default function RunPage() {
  const { run } = route.useParams();
  const query = useRead("run.show", { run });
  const title = `${query.data?.task?.task ?? "Checks"} · run ${shortRun(run)}`;
  return (
    <Page title={title} before={query.data && <Badge word={runWord(query.data)} />}>
      <Loaded query={query}>{(shown) => <p>{shown.why}</p>}</Loaded>
    </Page>
  );
}
