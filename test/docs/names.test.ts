// Names that the code once had for what the field calls otherwise are nowhere but in the glossary (docs/internals/glossary.md).
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { root } from "./markdown.js";

/** Where each is looked for, and what it is called now. */
const former: readonly (readonly [name: RegExp, folders: RegExp, now: string])[] = [
  [/\b(native|lib)Rooms\b|\brooms\.mjs\b/, /^(scripts|docs|lib|test)\//, "modules"],
  [/\.figures\b|\bfigures:|\b(Step|last)Figures\b/, /^(lib|examples|bench|docs|test)\//, "metrics"],
  [/\bServed\b/, /^(lib|test|docs)\//, "LoadedModel"],
  [/\bCompanions?\b|\bcompanionModules?\b/, /^(lib|native|docs)\//, "auxiliary module"],
  [/\bPace\b|\bpace\.js\b/, /^lib\//, "ChunkSizer"],
  [/\bwithTaps?\b|\bclass Tap\b/, /^lib\//, "hook"],
  [/\b(struct|class|enum class) (Room|\w+Room|Way|Head|Form)\b/, /^(native|bench)\//, "workspace layout, layout, header, parametrization"], // prettier-ignore
  [/\bcheck(Whole|Count|Flag|Object|Between)\b|\bguidance\/given\b/, /^lib\//, "require… of guidance/arguments.ts"],
];

const files = execFileSync("git", ["ls-files", "lib", "native", "scripts", "docs", "test", "examples", "bench"], {
  cwd: root,
  encoding: "utf8",
})
  .split("\n")
  .filter((path) => /\.(ts|mjs|cc|h|def|md)$/.test(path) && !/glossary\.md$|names\.test\.ts$/.test(path));

it("a former name is in the glossary alone", () => {
  const found: string[] = [];
  for (const path of files) {
    const names = former.filter(([, folders]) => folders.test(path));
    if (names.length === 0) continue;
    const text = readFileSync(join(root, path), "utf8");
    for (const [name, , now] of names) {
      const [word] = name.exec(text) ?? [];
      if (word !== undefined) found.push(`${path}: "${word}" is ${now}`);
    }
  }
  expect(found).toEqual([]);
});
