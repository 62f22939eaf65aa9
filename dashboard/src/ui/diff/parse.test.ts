import { expect, test } from "vitest";
import { parse } from "./parse";

const DIFF = `diff --git a/my notes.txt b/my notes.txt
index c4c0417..44d850b 100644
--- a/my notes.txt
+++ b/my notes.txt
@@ -1,3 +1,3 @@
 hello
-- not a head
+++ nor this
 there
diff --git "a/gr\\303\\274n \\"x\\".md" "b/gr\\303\\274n \\"x\\".md"
new file mode 100644
index 0000000..cf1410e
--- /dev/null
+++ "b/gr\\303\\274n \\"x\\".md"
@@ -0,0 +1,2 @@
+diff --git a/fake b/fake
+last
\\ No newline at end of file
diff --git a/old.txt b/lib/new.txt
similarity index 97%
rename from old.txt
rename to lib/new.txt
diff --git a/logo.bin b/logo.bin
new file mode 100644
index 0000000..c8b49c8
Binary files /dev/null and b/logo.bin differ
diff --git a/bin/a run b/bin/a run
old mode 100644
new mode 100755
diff --git a/gone b/gone
deleted file mode 100644
index bf6d0a2..0000000
--- a/gone
+++ /dev/null
@@ -1 +0,0 @@
-was here
`;

test("files are named, counted and told apart, whatever they are called and hold", () => {
  const { files, cut } = parse(DIFF);
  expect(cut).toBeUndefined();
  expect(files.map(({ path, from, kind, added, removed }) => [path, from, kind, added, removed])).toEqual([
    ["my notes.txt", "my notes.txt", "changed", 1, 1],
    ['grün "x".md', 'grün "x".md', "added", 2, 0],
    ["lib/new.txt", "old.txt", "renamed", 0, 0],
    ["logo.bin", "logo.bin", "added", 0, 0],
    ["bin/a run", "bin/a run", "changed", 0, 0],
    ["gone", "gone", "removed", 0, 1],
  ]);
  expect(files.map((file) => file.binary)).toEqual([false, false, false, true, false, false]);
  expect(files[4]?.mode).toBe("100644 → 100755");
  expect(files[0]?.blobs).toEqual(["c4c0417", "44d850b"]);
  expect(files[0]?.hunks[0]?.changes.map((change) => change.content)).toEqual(["hello", "- not a head", "++ nor this", "there"]);
});

test("a diff that the program cut says so, and shows what there is", () => {
  const text = "diff --git a/x b/x\nnew file mode 100644\n--- /dev/null\n+++ b/x\n@@ -0,0 +1,9 @@\n+one\n+tw";
  const { files, cut } = parse(`${text}\n[cut here: the diff is longer than 4 MiB]\n`);
  expect(cut).toBe("cut here: the diff is longer than 4 MiB");
  expect(files[0]?.hunks[0]?.changes.map((change) => change.content)).toEqual(["one", "tw"]);
});

test("nothing changed is no file", () => {
  expect(parse("").files).toEqual([]);
});
