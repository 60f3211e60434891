// The parts of the install script that need no compiler.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const script = async (name: string) =>
  (await import(pathToFileURL(join(root, "scripts", name)).href)) as Record<string, (...args: unknown[]) => unknown>;

describe("the units of the engine", () => {
  const units = execFileSync(process.execPath, ["scripts/install/units.mjs"], { cwd: root, encoding: "utf8" })
    .trim()
    .split("\n");
  const filesOf = (unit: string) =>
    [...readFileSync(join(root, unit), "utf8").matchAll(/#include "(.*)"/g)].map(([, path]) => `native/${path}`);

  it("hold every source once", () => {
    const listed = readFileSync(join(root, "native/sources.gypi"), "utf8").match(/native\/[\w/]+\.cc/g) ?? [];
    expect(units.flatMap(filesOf).sort()).toEqual([...listed].sort());
    expect(units.length).toBeLessThan(listed.length / 4);
  });

  it("keep apart what has one name in two files", () => {
    for (const unit of units) {
      const definers = filesOf(unit).filter((path) => /^void infer\(/m.test(readFileSync(join(root, path), "utf8")));
      expect(definers.length, unit).toBeLessThanOrEqual(1);
    }
  });
});

it("leaves nothing of a build but the addon and its stamp", async () => {
  const folder = mkdtempSync(join(tmpdir(), "athanor-"));
  for (const path of ["Release/obj.target/a", "Release/.deps", "node-headers", "units"])
    mkdirSync(join(folder, path), { recursive: true });
  const files = [
    "Release/athanor.node",
    "Release/athanor.stamp.json",
    "Release/obj.target/a/b.o",
    "Makefile",
    "install.log",
  ];
  for (const path of files) writeFileSync(join(folder, path), "x");
  const { removeAllButAddon } = await script("install/clean.mjs");
  removeAllButAddon!(folder);
  expect(files.filter((path) => existsSync(join(folder, path)))).toEqual(files.slice(0, 2));
  for (const path of ["node-headers", "units", "Release/.deps"]) expect(existsSync(join(folder, path))).toBe(false);
  rmSync(folder, { recursive: true });
});

it("reads from an ELF file which versions of the system's libraries it needs", async () => {
  const folder = mkdtempSync(join(tmpdir(), "athanor-"));
  const names = ["GLIBC_2.2.5", "GLIBC_2.34", "GLIBC_2.9", "GLIBCXX_3.4.9", "GLIBCXX_3.4.30", "GLIBC_PRIVATE"];
  writeFileSync(join(folder, "elf"), `\0${names.join("\0")}\0`);
  const { neededVersions } = await script("packages/needs.mjs");
  expect(neededVersions!(join(folder, "elf"))).toEqual({ GLIBC: "2.34", GLIBCXX: "3.4.30" });
  rmSync(folder, { recursive: true });
});
