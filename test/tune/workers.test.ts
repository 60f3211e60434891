import { existsSync } from "node:fs";
import { afterEach, describe, expect, it } from "vitest";
import { tune } from "../../lib/tune/index.js";
import definition from "./definition.js";
import { freshFile } from "./storages.js";
import { tableOf } from "./table.js";

// The module runs in processes of its own, which need a loader of TypeScript.
process.execArgv = ["--import", "tsx"];
const module = new URL("definition.ts", import.meta.url);
const alone = definition.run({});
afterEach(() => {
  delete process.env.ATHANOR_TEST_CRASH;
  delete process.env.ATHANOR_TEST_THROW;
});

describe("tune.workers", { timeout: 120_000 }, () => {
  it.each([
    ["process" as const, 1],
    ["process" as const, 3],
    ["thread" as const, 2],
  ])("★ in workers of kind %s, %d of them: the same table as alone", async (kind, workers) => {
    // prettier-ignore
    const study = await tune.workers(module, { workers, kind });
    expect(tableOf(study)).toEqual(tableOf(await alone));
  });

  it("a process that dies is replaced, and its trial goes on", async () => {
    process.env.ATHANOR_TEST_CRASH = freshFile();
    const storage = freshFile();
    const study = await tune.workers(module, { workers: 2, storage });
    expect(existsSync(process.env.ATHANOR_TEST_CRASH)).toBe(true);
    expect(tableOf(study)).toEqual(tableOf(await alone));
    expect(study.records[5]).toMatchObject({ losses: 1, fence: 2 });
  });

  it("rejects with what the objective throws, and keeps the rest", async () => {
    process.env.ATHANOR_TEST_THROW = "1";
    const storage = freshFile();
    await expect(tune.workers(module, { workers: 2, storage })).rejects.toMatchObject({
      name: "TypeError",
      message: "four",
    });
    expect((await tune.load(storage, "defined")).trials[4]).toMatchObject({
      state: "failed",
      error: { message: "four" },
    });
  });

  it("ends by its signal", async () => {
    await expect(tune.workers(module, { workers: 2, signal: AbortSignal.timeout(50) })).rejects.toThrow("aborted");
  });

  it("refuses with a sentence", async () => {
    await expect(tune.workers(new URL("table.ts", import.meta.url))).rejects.toThrow(/default export is a search, got undefined; write export default tune\.define/); // prettier-ignore
    await expect(tune.workers(module, { workers: 0 })).rejects.toThrow(
      /workers: expected a whole number of 1 or more, got 0/,
    );
  });
});
