// A button that puts a text where it can be pasted from; only a secure page may, and the browser can refuse it all the same.
import { Copy as Icon } from "lucide-react";
import { Button } from "./Button";
import { notify } from "./Toasts";

export function Copy({ name, text }: { name: string; text: string }) {
  if (!window.isSecureContext) return null;
  const done = () => notify({ tone: "good", title: "Copied." });
  const refused = () => notify({ tone: "bad", title: "The browser did not let it be copied", text });
  return (
    <Button onClick={() => void navigator.clipboard.writeText(text).then(done, refused)}>
      <Icon size={14} aria-hidden /> {name}
    </Button>
  );
}
