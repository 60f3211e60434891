// A release as a user installs it: the packed tarballs of athanor and of this platform's engine, by npm, without a compiler, make or
// Python on the path, and without a network.
import { execFileSync, spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { findPrebuilt } from "../../lib/native/prebuilt.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const place = mkdtempSync(join(tmpdir(), "athanor-release-"));
const consumer = join(place, "consumer");
const installed = join(consumer, "node_modules", "athanor");
const platform = `${process.platform}-${process.arch}`;
const isReleased = ["linux-x64", "linux-arm64"].includes(platform);

/** The path of programs that a slim image has: Node, npm and a shell. */
const path = join(place, "bin");
function run(command: string, args: string[], env: NodeJS.ProcessEnv = {}, cwd = consumer) {
  const kept = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^npm_|^(CC|CXX)$/i.test(name)));
  return spawnSync(command, args, { cwd, encoding: "utf8", env: { ...kept, CI: "1", PATH: path, ...env } });
}

function slimPath() {
  mkdirSync(path);
  symlinkSync(process.execPath, join(path, "node"));
  for (const name of ["npm", "sh", "env", "sed", "dirname", "uname"]) {
    const { stdout } = spawnSync("sh", ["-c", `command -v ${name}`], { encoding: "utf8" });
    if (stdout.startsWith("/")) symlinkSync(stdout.trim(), join(path, name));
  }
}

const pack = (folder: string) => {
  const text = execFileSync("npm", ["pack", "--ignore-scripts", "--json", "--pack-destination", place], {
    cwd: folder,
    encoding: "utf8",
  });
  return (JSON.parse(text) as [{ filename: string }])[0].filename;
};

beforeAll(() => {
  if (!isReleased) return;
  slimPath();
  const made = ["scripts/packages.mjs", "--platform", platform, "--main", "--reuse", "--out", place];
  execFileSync(process.execPath, made, { cwd: root, stdio: "pipe" });
  // What athanor depends on, packed from here, so that npm needs no registry.
  const { dependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
    dependencies: Record<string, string>;
  };
  const tarballs: Record<string, string> = {
    athanor: readdirSync(place).find((name) => /^athanor-\d/.test(name))!,
    [`@athanor/${platform}`]: readdirSync(place).find((name) => name.startsWith(`athanor-${platform}-`))!,
  };
  for (const name of Object.keys(dependencies)) tarballs[name] = pack(join(root, "node_modules", name));
  mkdirSync(consumer);
  const files = Object.fromEntries(Object.entries(tarballs).map(([name, file]) => [name, `file:../${file}`]));
  writeFileSync(join(consumer, "package.json"), JSON.stringify({ name: "consumer", dependencies: files }));
}, 120_000);

afterAll(() => rmSync(place, { recursive: true, force: true }));

describe.runIf(isReleased)("a release", () => {
  it("is installed by npm without a compiler, and loads its prebuilt engine", { timeout: 180_000 }, () => {
    for (const program of ["g++", "gcc", "c++", "clang++", "make", "python3"])
      expect(run("sh", ["-c", `command -v ${program}`]).status, program).not.toBe(0);
    const npm = run("npm", ["install", "--offline", "--no-audit", "--no-fund", "--foreground-scripts"]);
    expect(npm.stderr).not.toContain("npm error");
    expect(npm.status).toBe(0);
    expect(npm.stdout).toContain(`@athanor/${platform}`);
    expect(existsSync(join(installed, "build"))).toBe(false);
    const source = `
      const { array, compile } = require("athanor");
      const sum = compile((x) => x.sum()).runSync(array([1, 2, 4])).item();
      console.log(JSON.stringify([sum, Object.keys(require.cache).filter((path) => path.endsWith(".node"))]));`;
    const answer = run("node", ["-e", source]);
    expect(answer.stderr).toBe("");
    const [sum, engines] = JSON.parse(answer.stdout) as [number, string[]];
    expect(sum).toBe(7);
    expect(engines).toEqual([join(consumer, "node_modules", "@athanor", platform, "athanor.node")]);
    expect(run(join(consumer, "node_modules", ".bin", "athanor"), ["--version"]).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  it("compiles when told to, and keeps the log when that fails", { timeout: 60_000 }, () => {
    const failed = run("node", ["scripts/install.mjs"], { ATHANOR_BUILD: "source" }, installed);
    expect(failed.status).toBe(1);
    expect(failed.stderr).toContain("the engine did not compile");
    expect(failed.stderr).toContain("Install a C++20 compiler");
    const log = /Read the whole log: (.*)/.exec(failed.stderr)?.[1] ?? "";
    expect(readFileSync(log, "utf8").length).toBeGreaterThan(0);
    rmSync(join(installed, "build"), { recursive: true, force: true });
  });

  it("is not used by another version of athanor", () => {
    expect(findPrebuilt(`@athanor/${platform}`, installed)).toHaveProperty("path");
    const manifest = join(consumer, "node_modules", "@athanor", platform, "package.json");
    const text = readFileSync(manifest, "utf8");
    writeFileSync(manifest, JSON.stringify({ ...(JSON.parse(text) as object), version: "0.0.9" }));
    const { reason } = findPrebuilt(`@athanor/${platform}`, installed) as { reason: string };
    expect(reason).toContain("version 0.0.9");
    const { stdout } = run("node", ["-e", 'try { require("athanor") } catch (error) { console.log(error.message) }']);
    expect(stdout).toContain("version 0.0.9");
    expect(stdout).toContain("1. Build it: npm rebuild athanor");
    writeFileSync(manifest, text);
  });
});
