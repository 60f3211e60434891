// `athanor tune` as a person calls it: searches in TypeScript, and what goes wrong in the module's own copy of the package.
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { athanor, interruptedAt } from "./command-line.js";

const folder = mkdtempSync(join(tmpdir(), "cli-tune-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const search = "test/tune/definition.ts"; // imports athanor from dist/, and another module in TypeScript

describe("athanor tune", { timeout: 120_000 }, () => {
  it.each([[["--workers", "2"]], [["--threads"]]])(
    "runs a search in TypeScript, with what tsx reads: %j",
    async (flags) => {
      const csv = join(folder, `${flags.length}.csv`);
      const { status, out, err } = await athanor("tune", search, "--trials", "4", "--csv", csv, ...flags);
      expect(err).toMatch(/defined {2}4\/4 trials {2}best .* in \d/);
      expect([status, out]).toEqual([0, expect.stringMatching(/^value \d\.\d+ in trial \d of 4\n\{"x":/)]);
      expect(existsSync(csv)).toBe(true);
    },
  );

  it("says that it cannot read TypeScript, and what to do, where tsx is not there", async () => {
    const [module, options] = [join(folder, "own.ts"), process.env.NODE_OPTIONS];
    writeFileSync(module, "export default 3;");
    process.env.NODE_OPTIONS = `--import ${JSON.stringify(`data:text/javascript,process.chdir(${JSON.stringify(folder)})`)}`;
    const { status, err } = await athanor("tune", module);
    process.env.NODE_OPTIONS = options ?? "";
    expect([status, err]).toEqual([1, expect.stringMatching(/does not read TypeScript; npm install tsx beside it, take Node 24, or write the module as \.mjs\n$|expected a module whose default export is a search/)]); // prettier-ignore
  });

  it.each([
    ["a folder that is not there", join(folder, "none", "study.db"), /cannot be opened as an SQLite file/],
    ["a file that is something else", "package.json", /cannot be opened as an SQLite file: file is not a database/],
  ])("a storage that fails is one sentence, without a stack: %s", async (_, storage, message) => {
    const { status, err } = await athanor("tune", search, "--storage", storage);
    expect([status, err]).toEqual([1, expect.stringMatching(message)]);
    expect(err.trimEnd().split("\n")).toHaveLength(1);
  });

  it("Ctrl-C ends it in order: exit status 130, what has ended is kept, the same call goes on", async () => {
    const storage = join(folder, "interrupted.db");
    const call = ["tune", search, "--storage", storage, "--trials", "3000"];
    const { status, err } = await interruptedAt(/best/, ...call);
    expect([status, err]).toEqual([130, expect.not.stringMatching(/\n {4}at /)]);
    const ended = Number(/(\d+)\/3000 trials[^\n]*\n$/.exec(err)?.[1]);
    expect(ended).toBeGreaterThan(0);
    const more = await athanor("tune", search, "--storage", storage, "--trials", String(ended + 8));
    expect([more.status, more.out]).toEqual([0, expect.stringContaining(` of ${ended + 8}\n`)]);
  });
});
