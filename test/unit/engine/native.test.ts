import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { describe, expect, it } from "vitest";
import { LoadError, adopt, UnsupportedError } from "../../../lib/errors.js";
import { addon } from "../../../lib/native/index.js";
import { candidates, load, packageRoot } from "../../../lib/native/loader.js";

describe("the addon", () => {
  it("says which instruction set it runs, and switches to every one it offers", () => {
    const all = addon.isas();
    expect(all).toContain("scalar");
    expect(all).toContain(addon.isa());
    const before = addon.isa();
    for (const isa of all) {
      addon.setIsa(isa);
      expect(addon.isa()).toBe(isa);
    }
    addon.setIsa(before);
  });

  it("throws errors with a code that the registry knows", () => {
    let thrown: unknown;
    try {
      addon.setIsa("mmx" as "scalar");
    } catch (error) {
      thrown = adopt(error);
    }
    expect(thrown).toBeInstanceOf(UnsupportedError);
    expect((thrown as Error).message).toContain('"mmx" is not available here; available:');
  });

  it("loads in several worker threads at once, and again after they are gone", async () => {
    const path = candidates(packageRoot())[0] ?? "";
    const source = `const { parentPort } = require("node:worker_threads"); parentPort.postMessage(require(${JSON.stringify(path)}).isa());`;
    for (let round = 0; round < 3; ++round) {
      const answers = await Promise.all(
        Array.from({ length: 4 }, () => {
          const worker = new Worker(source, { eval: true });
          return new Promise((resolve, reject) => worker.once("message", resolve).once("error", reject));
        }),
      );
      expect(answers).toEqual(Array(4).fill(addon.isa()));
    }
  });
});

describe("load", () => {
  it("names every attempt and numbered remedies when nothing loads", () => {
    const folder = mkdtempSync(join(tmpdir(), "athanor-"));
    const broken = join(folder, "broken.node");
    writeFileSync(broken, "not a shared object");
    const missing = join(folder, "missing.node");
    let error: unknown;
    try {
      load([missing, broken]);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(LoadError);
    const { message } = error as LoadError;
    expect(message).toContain(`${missing}: no such file`);
    expect(message).toContain(`${broken}: `);
    expect(message).toMatch(/ {2}1\. .*\n {2}2\. /);
  });
});
