// What a user gets from npm: the tarball, unpacked below build/ so that it finds its dependencies, with the engine at hand.
import { execFileSync, spawnSync } from "node:child_process";
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));
const consumer = join(root, "build", "package-test");
const installed = join(consumer, "node_modules", "athanor");
const addon = join("build", "Release", "athanor.node");

const node = (...args: string[]) => spawnSync(process.execPath, args, { cwd: consumer, encoding: "utf8" });

beforeAll(() => {
  rmSync(consumer, { recursive: true, force: true });
  mkdirSync(join(installed, "build", "Release"), { recursive: true });
  const packed = execFileSync("npm", ["pack", "--ignore-scripts", "--json", "--pack-destination", consumer], {
    cwd: root,
    encoding: "utf8",
  });
  const [{ filename }] = JSON.parse(packed) as [{ filename: string }];
  execFileSync("tar", ["xzf", join(consumer, filename), "--strip-components=1", "-C", installed]);
  copyFileSync(join(root, addon), join(installed, addon));
  writeFileSync(join(consumer, "package.json"), '{ "name": "consumer", "private": true }');
});

describe("the package", () => {
  it("is the same through import and require", () => {
    const file = join(consumer, "both.mjs");
    writeFileSync(
      file,
      `import * as imported from "athanor";
       import { createRequire } from "node:module";
       const required = createRequire(import.meta.url)("athanor");
       const names = Object.keys(required).filter((name) => name !== "__esModule");
       console.log(JSON.stringify({
         same: names.every((name) => imported[name] === required[name]),
         missing: names.filter((name) => !(name in imported)),
         count: names.length,
       }));`,
    );
    const { stdout, stderr } = node(file);
    expect(stderr).toBe("");
    const answer = JSON.parse(stdout) as { same: boolean; missing: string[]; count: number };
    expect(answer).toMatchObject({ same: true, missing: [] });
    expect(answer.count).toBeGreaterThan(10);
  });

  const typesSource = `
    import { AthanorError, ShapeError, version } from "athanor";
    import { textTable } from "athanor/report";
    const error: AthanorError = new ShapeError("no");
    const code: "ERR_ATHANOR_SHAPE" extends typeof error.code ? true : false = true;
    const v: string = version;
    // @ts-expect-error a version is no number
    const n: number = version;
    void [code, v, n, textTable];`;
  // With nothing but the language, and beside the declarations of Node, of browsers and of explicit resource management.
  const surroundings: Record<string, object> = {
    "the language of 2022 alone": { lib: ["es2022"], types: [] },
    "Node, the DOM and disposable resources": { lib: ["es2023", "dom", "esnext.disposable"], types: ["node"] },
  };
  it.each(Object.entries(surroundings))("has strict types beside %s", { timeout: 300_000 }, (_, options) => {
    writeFileSync(join(consumer, "esm.mts"), typesSource);
    writeFileSync(join(consumer, "cjs.cts"), typesSource);
    const strict = { strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true };
    const compilerOptions = { noEmit: true, module: "nodenext", target: "es2022", skipLibCheck: false, ...strict };
    writeFileSync(
      join(consumer, "tsconfig.json"),
      JSON.stringify({ compilerOptions: { ...compilerOptions, ...options }, files: ["esm.mts", "cjs.cts"] }),
    );
    const { stdout, status } = node(createRequire(import.meta.url).resolve("typescript/bin/tsc"), "-p", ".");
    expect(stdout).toBe("");
    expect(status).toBe(0);
  });

  it("is the same through its doors", () => {
    const source = `
      const [root, report] = [require("athanor"), require("athanor/report")];
      const names = Object.keys(root.report).sort();
      console.log(names.every((name) => root.report[name] === report[name]), names.join() === Object.keys(report).sort().join());`;
    expect(node("-e", source).stdout).toBe("true true\n");
  });

  it("loads few modules, and no library of reports or of the command line", () => {
    const { stdout } = node("-e", 'require("athanor"); console.log(JSON.stringify(Object.keys(require.cache)))');
    const loaded = JSON.parse(stdout) as string[];
    expect(loaded.length).toBeLessThanOrEqual(40);
    expect(loaded.filter((path) => /observablehq|linkedom|fast-png|commander|d3-/.test(path))).toEqual([]);
  });

  it("depends on little, and says what to install for reports", () => {
    const { dependencies } = JSON.parse(readFileSync(join(installed, "package.json"), "utf8")) as {
      dependencies: Record<string, string>;
    };
    expect(Object.keys(dependencies).sort()).toEqual([
      "csv-parse",
      "fastest-levenshtein",
      "node-addon-api",
      "node-api-headers",
      "signal-exit",
    ]);
    // A copy outside the repository, with what npm would install beside it and nothing else.
    const bare = mkdtempSync(join(tmpdir(), "athanor-bare-"));
    const modules = join(bare, "node_modules");
    cpSync(installed, join(modules, "athanor"), { recursive: true });
    for (const name of Object.keys(dependencies))
      cpSync(join(root, "node_modules", name), join(modules, name), { recursive: true });
    const run = (...args: string[]) => spawnSync(process.execPath, args, { cwd: bare, encoding: "utf8" });
    const source = `require("athanor").report.plotSchedule(() => 1, { steps: 10 }).then(console.log, (error) => console.log(error.code, error.message))`;
    const answer = run("-e", source).stdout;
    expect(answer).toContain("ERR_ATHANOR_UNSUPPORTED");
    expect(answer).toContain("npm install @observablehq/plot linkedom");
    const help = run(join(modules, "athanor", "dist", "cjs", "cli", "main.js"), "--help");
    expect(help.stderr).toBe("");
    expect(help.stdout).toContain("Usage: athanor");
    rmSync(bare, { recursive: true });
  });

  it("offers what its documents speak of, and no name of its inside", () => {
    const names = JSON.parse(node("-p", 'JSON.stringify(Object.keys(require("athanor")))').stdout) as string[];
    const namespaces = [
      "artifact",
      "data",
      "device",
      "distill",
      "loss",
      "metrics",
      "nn",
      "ops",
      "optim",
      "parallel",
      "report",
      "schedule",
      "train",
      "tune",
    ];
    const functions = [
      ...["array", "compile", "dtypes", "explain", "grad", "isa", "isas", "nativeBytes", "prune", "quantize", "seed"],
      ...["setThreads", "threads", "valueAndGrad", "version", "zeros"],
    ];
    const classes = ["Compiled", "NdArray", "Parameter", "Program", "Tensor"];
    const isKnown = (name: string) =>
      [...namespaces, ...functions, ...classes].includes(name) || /^[A-Z]\w+Error$/.test(name);
    expect(names.filter((name) => name !== "__esModule" && !isKnown(name))).toEqual([]);
  });

  it("has no link in its documents that leads out of it", () => {
    const pages = [
      "README.md",
      ...readdirSync(join(installed, "docs"), { recursive: true, encoding: "utf8" })
        .filter((name) => name.endsWith(".md"))
        .map((name) => join("docs", name)),
    ];
    expect(pages.length).toBeGreaterThan(10);
    const broken = pages.flatMap((page) => {
      const text = readFileSync(join(installed, page), "utf8").replace(/```[^]*?```/g, "");
      const links = [...text.matchAll(/\]\(([^)#\s]+)[^)]*\)/g)].map(([, to]) => to!);
      const lost = links.filter((to) => !/^[a-z]+:/.test(to) && !existsSync(join(installed, dirname(page), to)));
      // Documents name files as code, from the root: `docs/guide/pruning.md`.
      const named = [...text.matchAll(/`((?:docs|examples)\/[\w./-]+)`/g)].map(([, to]) => to!);
      return [...lost, ...named.filter((to) => !existsSync(join(installed, to)))].map((to) => `${page}: ${to}`);
    });
    expect(broken).toEqual([]);
  });

  it("holds all that its install script compiles, and no tests", () => {
    const list = readFileSync(join(installed, "native", "sources.gypi"), "utf8");
    const sources = list.match(/native\/[\w/]+\.cc/g) ?? [];
    expect(sources.length).toBeGreaterThan(0);
    for (const path of [
      ...sources,
      "binding.gyp",
      "native/flags.json",
      "scripts/install.mjs",
      "scripts/install/headers.mjs",
      "LICENSE",
      "README.md",
    ])
      expect(existsSync(join(installed, path)), path).toBe(true);
    expect(existsSync(join(installed, "native", "test"))).toBe(false);
    expect(existsSync(join(installed, "test"))).toBe(false);
  });

  it("says what to do where there is no engine", () => {
    rmSync(join(installed, addon));
    const { stdout } = node(
      "-e",
      'try { require("athanor") } catch (error) { console.log(error.name, error.code, error.message) }',
    );
    expect(stdout).toContain("LoadError ERR_ATHANOR_LOAD");
    expect(stdout).toContain("1. Build it: npm rebuild athanor");
    expect(stdout).toContain(`${join(installed, addon)}: no such file`);
  });
});
