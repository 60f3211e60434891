// Every code block of README.md and docs/ is run, or says in a hidden comment why not. A page's programs run in this Node.js
// against dist/ as an installed package would be, so that `npm run test:nodes` runs them verbatim on each version.
import { mkdtempSync, rmSync } from "node:fs";
import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { faultsOf, faultsOfSpan, linesOf, runLine } from "./commands.js";
import { blocksOf, pages, root } from "./markdown.js";
import { complaints, givenOf, placeOf, programBlocks, runProgram } from "./programs.js";

const all = pages();
const blocks = all.flatMap((page) => page.blocks.map((block) => ({ place: placeOf(page, block), page, ...block })));
const withBlocks = all.filter(({ blocks }) => blocks.some(({ language }) => ["js", "ts", "sh"].includes(language)));
/** Not code: metrics of what is where, and shapes of files. */
const notCode = ["text"];

describe("code blocks of README.md and docs/", () => {
  it("have a language that this test runs, or a reason not to be run", () => {
    const run = new Set(["js", "ts", "sh", "json", ...notCode]);
    expect(blocks.filter(({ language, notRun }) => !run.has(language) && !notRun).map(({ place }) => place)).toEqual(
      [],
    );
    const marked = blocks.filter(({ notRun }) => notRun !== undefined);
    const code = blocks.filter(({ language }) => !notCode.includes(language)).length;
    console.log(
      `${code - marked.length} of ${code} blocks of code are run (of shell: athanor run, the rest checked)${marked.length ? "; not run:" : ""}`,
    );
    for (const { place, notRun } of marked) console.log(`  ${place}: ${notRun ?? ""}`);
    expect(marked.filter(({ notRun }) => !notRun?.trim())).toEqual([]);
    expect(code).toBeGreaterThan(15);
  });

  it("are JSON where they say so", () => {
    for (const { code, language, notRun, place } of blocks)
      if (language === "json" && !notRun) expect(() => JSON.parse(code) as unknown, place).not.toThrow();
  });

  it("compile", { timeout: 120_000 }, () => {
    expect(complaints(all.filter((page) => programBlocks(page).length > 0))).toEqual([]);
  });

  describe("run", () => {
    let folder = "";
    beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), "athanor-docs-"))));
    afterAll(() => rmSync(folder, { recursive: true, force: true }));

    it.each(withBlocks.map((page) => [page.path, page] as const))("%s", { timeout: 120_000 }, async (path, page) => {
      const own = mkdtempSync(join(folder, "page-"));
      if (programBlocks(page).length > 0 || givenOf(page)) await runProgram(page, own);
      for (const { code, language, line, notRun } of page.blocks) {
        if (language !== "sh" || notRun) continue;
        for (const command of linesOf(code)) {
          expect(faultsOf(command), `${path}:${line}: ${command}`).toEqual([]);
          runLine(command, own);
        }
      }
    });
  });
});

describe("what README.md and docs/ name", () => {
  it.each(all.map((page) => [page.path, page] as const))("commands, options and paths of %s are there", (_, page) => {
    const prose = page.text.replace(/^ *```[^]*?^ *```/gm, "");
    expect([...prose.matchAll(/`([^`\n]+)`/g)].flatMap(([, span]) => faultsOfSpan(span!))).toEqual([]);
  });

  it.each(all.map((page) => [page.path, page] as const))("links of %s lead somewhere", (_, page) => {
    for (const [, target] of page.text.matchAll(/\]\((?!https?:)([^)]*)\)/g)) {
      const [path, heading] = target!.split("#");
      const file = path ? resolve(root, dirname(page.path), path) : resolve(root, page.path);
      expect(existsSync(file), target).toBe(true);
      const linked = all.find(({ path }) => resolve(root, path) === file);
      if (!heading || !linked) continue;
      const headings = [...linked.text.matchAll(/^#+ (.*)$/gm)].map(([, text]) =>
        text!
          .toLowerCase()
          .replace(/[^\w\s-]/g, "")
          .replaceAll(" ", "-"),
      );
      expect(headings, target).toContain(heading);
    }
  });
});

describe("the test of the blocks itself", () => {
  it.each([
    ["a block that is not closed", "```js\n1", "not closed"],
    ["a mark that it does not know", "<!-- test: skip -->\n```js\n1\n```", "neither"],
    ["a replacement of what is not there", '<!-- test: replace "2" with "3" -->\n```js\n1\n```', "does not have"],
    ["a mark above a sentence", "<!-- test: not run: because -->\nHere.", "not a block of code"],
  ])("refuses %s", (_, text, says) => {
    expect(() => blocksOf(text, "page.md")).toThrow(says);
  });

  it.each([
    ["npm run nothing", "script"],
    ["npm run bench -- --unheard-of", "--unheard-of"],
    ["npm install left-pad", "left-pad"],
    ["npx athanor destroy out/model", "destroy"],
    ["npx athanor prune out/model --unheard-of 3", "--unheard-of"],
    ["node scripts/run-ts.mjs examples/nothing.ts", "nothing.ts"],
  ])("finds fault with %s", (line, says) => {
    expect(faultsOf(line)?.join()).toContain(says);
  });
});
