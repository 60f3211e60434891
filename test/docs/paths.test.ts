// What README.md and docs/ say lies somewhere lies there: paths in backticks from the root of the repository or of native/, and links
// from one page to another.
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, it } from "vitest";
import { pages, root } from "./markdown.js";

/** Written by a build or by a run. */
const made = /^(build|dist|out|runs|node_modules)\//;
const path = /`((?:native|lib|cuda|scripts|test|docs|bench|examples)\/[\w./-]*[\w/])`/g;
// Within native/, pages leave the first folder out.
const inNative = /`((?:graph|ops|kernels|runtime|comm|optim|formats|update_rules|train|io|device|bindings|tune|base|simd|quant|sparse)\/[\w./-]+\.(?:cc|h|def|inl\.h))`/g; // prettier-ignore
const link = /\]\(([\w./-]+)(?:#[\w-]*)?\)/g;

const found = pages().flatMap((page) => [
  ...[...page.text.matchAll(path)].map(([, at]) => ({ page: page.path, at: at!, from: root })),
  ...[...page.text.matchAll(inNative)].map(([, at]) => ({ page: page.path, at: at!, from: join(root, "native") })),
  ...[...page.text.matchAll(link)].map(([, at]) => ({ page: page.path, at: at!, from: dirname(join(root, page.path)) })), // prettier-ignore
]);

it("every path that a page names is there", () => {
  expect(found.length).toBeGreaterThan(200);
  const gone = found.filter(({ at, from }) => !made.test(at) && !existsSync(join(from, at)));
  expect(gone.map(({ page, at }) => `${page}: ${at}`)).toEqual([]);
});
