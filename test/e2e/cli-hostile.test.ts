// What is wrong with data, paths, options and streams is said in a sentence, with an exit status, and without a stack.
import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { athanor, customers, interruptedAt, shell } from "./command-line.js";

let folder: string;
const at = (name: string) => join(folder, name);
const lines = (line: (i: number) => string, n = 60) => Array.from({ length: n }, (_, i) => line(i)).join("\n");
const side = (i: number) => (i % 2 ? "u" : "v");

const files: Readonly<Record<string, string | Uint8Array>> = {
  "empty.csv": "",
  "header.csv": "a,b,y\n",
  "one-row.csv": "a,b,y\n1,2,u\n",
  "one-class.csv": `a,b,y\n${lines((i) => `${i},${i % 7},same`)}\n`,
  "nan.csv": `a,b,y\n${lines((i) => `${i === 30 ? "NaN" : i},1,${side(i)}`)}\n`,
  "twice.csv": `a,a,y\n${lines((i) => `${i},1,${side(i)}`)}\n`,
  "ragged.csv": "a,b,y\n1,2,u\n1,2\n",
  "open-quote.csv": 'a,b,y\n1,"2,u\n',
  "no-label.csv": `a,b,y\n${lines((i) => `${i},1,${i === 9 ? "" : side(i)}`)}\n`,
  "names.csv": `id,y\n${lines((i) => `customer-${i},${side(i)}`, 300)}\n`,
  "program.csv": Uint8Array.from({ length: 4096 }, (_, i) => i % 256),
};

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "cli-hostile-"));
  await Promise.all(Object.entries(files).map(([name, content]) => writeFile(at(name), content)));
  await writeFile(at("customers.csv"), customers());
  const made = await athanor("train", at("customers.csv"), "-l", "tier", "-o", at("tier"), "-q", "-e", "20");
  expect(made).toMatchObject({ status: 0 });
}, 120_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

describe("data", () => {
  test.each([
    ["empty.csv", /expected a header line and at least one row, got nothing/],
    ["header.csv", /got the header alone/],
    ["one-row.csv", /has 1 sample; at least 5 are needed/],
    ["one-class.csv", /all labels of ".*" are "same"; there is nothing to tell apart/],
    ["nan.csv", /"NaN" at line 32.*--missing NaN, .*--one-hot a, or leave it out with --drop/],
    ["twice.csv", /two columns are called "a"/],
    ["ragged.csv", /is malformed: .*line 3/],
    ["open-quote.csv", /is malformed: .*[Qq]uote/],
    ["no-label.csv", /the label "y" is missing at line 11/],
    ["names.csv", /column "id" has 300 different texts.*--drop/],
    ["program.csv", /is not a table: it holds bytes of zero/],
    ["nosuch.csv", /there is no file or folder/],
  ])("%s", async (name, message) => {
    const { status, out, err } = await athanor("train", at(name), "--label", "y", "-o", at("never"), "--quiet");
    expect({ status, out }).toEqual({ status: 1, out: "" });
    expect(err).toMatch(message);
    expect(err).toMatch(/^athanor: [^\n]*\n$/); // one sentence, no stack
    expect(await readdir(folder)).not.toContain("never");
  });

  test("byte order marks, semicolons, CRLF and quoted line ends are read", async () => {
    const text = `\uFEFFa;b;y\r\n${Array.from({ length: 80 }, (_, i) => `${i};"two\r\nlines";${i < 40 ? "low" : "high"}`).join("\r\n")}\r\n`; // prettier-ignore
    await writeFile(at("semicolons.csv"), text);
    const { status, out } = await athanor("train", at("semicolons.csv"), "-l", "y", "-o", at("ok"), "-q", "--lr", "0.01", "--json"); // prettier-ignore
    expect(status).toBe(0);
    expect((JSON.parse(out) as { classes: string[] }).classes).toEqual(["high", "low"]);
  });
});

describe("paths and options", () => {
  test.each([
    [["quantize", "TIER", "-o", "TIER"], 1, /is what the command reads; give another folder, or --force/],
    [["prune", "TIER", "-o", "TIER/.", "-d", "x.csv"], 1, /is what the command reads/],
    [["quantize", "TIER", "-o", ""], 1, /got an empty string; is a variable not set\?/],
    [["eval", "TIER"], 1, /say which data, with --data <set>/],
    [["prune", "TIER", "-o", "X"], 1, /prune: say which data, with --data/],
    [["quantize", "TIER", "-o", "X", "--method", "gptq"], 1, /--method gptq looks at samples; say which, with --data/],
    [["prune", "TIER", "-o", "X", "--daat", "y"], 2, /Did you mean --data\?/],
    [["quantise", "TIER"], 2, /Did you mean quantize\?/],
    [["prune", "TIER", "-o", "X", "-a", "90"], 2, /expected a share from 0 to below 1, got "90"; 90 % is 0\.9/],
    [["train", "-o", "X"], 2, /missing required argument 'data'/],
    [["predict", "TIER", "nosuch.csv"], 1, /cannot read "nosuch\.csv"/],
    [["inspect", "NOSUCH"], 1, /there is no such/],
  ] as const)("%j", async (args, status, message) => {
    const given = args.map((arg) => arg.replace("TIER", at("tier")).replace(/^X$/, at("x")));
    const result = await athanor(...given);
    expect(result).toMatchObject({ status, out: "" });
    expect(result.err).toMatch(message);
    expect(result.err).not.toMatch(/\n\s+at /);
  });

  test("a folder that may not be written is told before any work is done", async () => {
    await mkdir(at("locked"));
    await chmod(at("locked"), 0o555);
    const { status, err } = await athanor("train", at("customers.csv"), "-l", "tier", "-o", at("locked/model"));
    if (process.getuid?.() === 0) return; // who may do anything is not refused
    expect(status).toBe(1);
    expect(err).toMatch(/nothing can be written in ".*locked" \(EACCES\)/);
  });
});

describe("a model that collapses", () => {
  test("is saved with a warning and exit status 3, and says how much it lost", async () => {
    const args = ["--data", at("customers.csv"), "-q", "--json", "-e", "0", "-a", "0.98"];
    const { status, out, err } = await athanor("prune", at("tier"), "-o", at("gone"), ...args);
    expect(status).toBe(3);
    expect(err).toMatch(/warning: .*gone went from \d+\.\d+ % to \d+\.\d+ % on the test part, more than --max-drop 5/);
    const { collapsed, before, after, layers } = JSON.parse(out) as { collapsed: boolean; before: { accuracy: number }; after: { accuracy: number }; layers: { nonzero: number }[] }; // prettier-ignore
    expect(collapsed).toBe(true);
    expect(before.accuracy - after.accuracy).toBeGreaterThan(0.05);
    for (const { nonzero } of layers) expect(nonzero).toBeGreaterThan(0);
    expect(await athanor("prune", at("tier"), "-o", at("gone"), ...args, "--max-drop", "100")).toMatchObject({ status: 0, err: "" }); // prettier-ignore
  });
});

describe("streams and signals", () => {
  test.skipIf(process.platform !== "linux")("a full disk behind > is a sentence", async () => {
    for (const args of [`inspect ${at("tier")}`, "--help", `predict ${at("tier")} ${at("customers.csv")}`]) {
      const { status, err } = await shell(`$ATHANOR ${args} > /dev/full`);
      expect(status).toBe(1);
      expect(err).toMatch(/^athanor: cannot write the result to standard output: .*no space left/);
      expect(err).not.toMatch(/\n\s+at /);
    }
  });

  test("a reader that goes away early is no fault", async () => {
    const { out, err } = await shell(`$ATHANOR predict ${at("tier")} ${at("customers.csv")} | head -1`);
    expect({ out, err }).toEqual({ out: "row,class,probability\n", err: "" });
  });

  test("Ctrl-C ends training with status 130 and saves nothing", async () => {
    const run = ["train", at("customers.csv"), "-l", "tier", "-o", at("half"), "-e", "100000", "--patience", "100000"];
    const { status, out, err } = await interruptedAt(/val\.loss|epoch|loss/, ...run);
    expect({ status, out }).toEqual({ status: 130, out: "" });
    expect(err).toContain("Stopping; nothing half-written stays.");
    expect(await readdir(folder)).not.toContain("half");
  });

  test("every command's help has examples", async () => {
    for (const command of ["train", "predict", "inspect", "eval", "prune", "quantize", "distill"]) {
      const { status, out } = await athanor(command, "--help");
      expect(status).toBe(0);
      expect(out).toMatch(new RegExp(`Examples:\\n(.*\\n)*?.*athanor ${command} `));
    }
  });
});
