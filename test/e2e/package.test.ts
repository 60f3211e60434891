// What a user gets from npm: the tarball, unpacked below build/ so that it finds its dependencies, with the engine at hand.
import { execFileSync, spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
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

  it("has types for ES modules and for CommonJS", () => {
    const source = `
      const error: AthanorError = new ShapeError("no");
      const code: "ERR_ATHANOR_SHAPE" extends typeof error.code ? true : false = true;
      const v: string = version;
      // @ts-expect-error a version is no number
      const n: number = version;
      void [code, v, n];`;
    writeFileSync(join(consumer, "esm.mts"), `import { AthanorError, ShapeError, version } from "athanor";${source}`);
    writeFileSync(join(consumer, "cjs.cts"), `import { AthanorError, ShapeError, version } from "athanor";${source}`);
    const tsc = createRequire(import.meta.url).resolve("typescript/bin/tsc");
    const flags = [
      "--noEmit",
      "--strict",
      "--module",
      "nodenext",
      "--target",
      "es2022",
      "--lib",
      "es2023,esnext.disposable",
    ];
    const { stdout, status } = node(tsc, ...flags, "esm.mts", "cjs.cts");
    expect(stdout).toBe("");
    expect(status).toBe(0);
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
