// Where commands save to: a variable that is not set, or a way back to the working folder, costs nothing but a sentence.
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readdir, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { artifact, nn } from "../../lib/index.js";

const main = fileURLToPath(new URL("../../dist/cjs/cli/main.js", import.meta.url));
let root: string;
let work: string;
beforeAll(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), "athanor-cli-out-")));
  work = join(root, "work");
  await mkdir(join(work, "notes"), { recursive: true });
  await writeFile(join(work, "thesis.tex"), "years of work");
  await writeFile(join(work, "notes", "graph.json"), "{}");
  await artifact.save(nn.linear(2, 2), join(work, "model"), { input: { dtype: "f32", shape: [2] } });
});
afterAll(() => rm(root, { recursive: true, force: true }));

const athanor = (...args: string[]) =>
  new Promise<{ status: number; err: string }>((settle) => {
    execFile(process.execPath, [main, ...args], { cwd: work }, (error, _, err) => {
      settle({ status: error ? Number(error.code) : 0, err });
    });
  });

describe("--out", () => {
  it.each([
    ["", /^athanor: --out: expected the path of a folder.* got an empty string; is a variable not set\?/],
    [".", /^athanor: --out: "\." is the working folder/],
    ["missing/..", /^athanor: --out: "missing\/\.\." goes through .* does not exist/],
    ["..", /^athanor: --out: "\.\." is a folder that the working folder is in/],
    ["notes", /"graph\.json" that is not an artifact's, which saving would remove/],
  ])("of %j removes nothing", async (out, message) => {
    for (const command of ["quantize", "prune"].slice(0, out === "" ? 2 : 1)) {
      const { status, err } = await athanor(command, "model", "--out", out, "--quiet");
      expect(err).toMatch(message);
      expect(status).toBe(1);
      expect((await readdir(work)).sort()).toEqual(["model", "notes", "thesis.tex"]);
      expect(await readdir(join(work, "notes"))).toEqual(["graph.json"]);
    }
  });
});
