// Starts the page.
import { CSPProvider } from "@base-ui/react/csp-provider";
import { QueryClientProvider } from "@tanstack/react-query";
import { createRoot } from "react-dom/client";
import { App } from "./App";
import { makeClient } from "./api/query";
import { applyTheme } from "./frame/theme";
import "./style/base.css";

applyTheme();
const root = document.getElementById("root");
if (root) {
  createRoot(root).render(
    <CSPProvider disableStyleElements>
      <QueryClientProvider client={makeClient()}>
        <App />
      </QueryClientProvider>
    </CSPProvider>,
  );
}
