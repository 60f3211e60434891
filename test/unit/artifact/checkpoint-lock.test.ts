// Two runs do not write their checkpoints to one folder: the second is refused, whatever process it is of; a dead one keeps nobody out.
import { fork } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { array, data, FileError, loss, nn, optim, train } from "../../../lib/index.js";
import { compiled } from "../../programs.js";

let dir: string;
beforeEach(() => (dir = mkdtempSync(join(tmpdir(), "lock-"))));
afterEach(() => rmSync(dir, { recursive: true, force: true }));
const lock = () => join(dir, "lock.json");

const set = data.fromArrays({ x: array(new Float32Array(64 * 8).fill(0.5), [64, 8]), y: array(new Uint8Array(64)) });
const run = (more: object = {}) =>
  train.fit(nn.linear(8, 2), set, { loss: loss.crossEntropy(), optimizer: optim.sgd({ lr: 1e-3 }), batchSize: 8, epochs: 3, checkpoint: { dir }, ...more }); // prettier-ignore
const loop = () => {
  const model = nn.linear(8, 2);
  const step = train.step(model, optim.sgd({ lr: 1e-3 }), ({ x, y }) => loss.crossEntropy()(model.forward(x), y));
  return train.checkpoints(step, { dir });
};

describe("a folder of checkpoints that a run writes to", () => {
  it("is refused to another run of the process, and free again after it", async () => {
    let second: unknown;
    const onEpoch = async () => void (second ??= await run().catch((thrown: unknown) => thrown));
    await run({ callbacks: { onEpoch } });
    expect(second).toBeInstanceOf(FileError);
    expect(String(second)).toMatch(/train\.fit: another run of this process is writing its checkpoints to ".*lock-.*"; wait until .* or give checkpoint\.dir another folder/); // prettier-ignore
    expect(readdirSync(dir).filter((name) => !name.startsWith("step-"))).toEqual([]);
    expect((await run({ resume: "auto" })).resumed).toBe(24);
  });

  it("is refused to a loop of one's own until it is closed", async () => {
    const first = loop();
    await first.resume();
    await expect(loop().resume()).rejects.toThrow(/until its checkpoints were closed/);
    await expect(run()).rejects.toThrow(/another run of this process/);
    await first.close();
    expect((await run()).steps).toBe(24);
  });

  it("is refused to the other kind of run that would go on from it", async () => {
    await run();
    await expect(loop().resume()).rejects.toThrow(/step-000000024" is of a run of train\.fit, not of a loop/);
    rmSync(dir, { recursive: true });
    const saved = loop();
    await saved.resume();
    await saved.save();
    await saved.close();
    await expect(run({ resume: "auto" })).rejects.toThrow(
      /is of a loop of train\.checkpoints, not of a run of train\.fit/,
    );
  });

  it("is refused to other processes while its own lives, and free after a kill", { timeout: 120_000 }, async () => {
    const program = compiled(new URL("../../resume/interrupted.ts", import.meta.url));
    const other = fork(program, [dir, "uncaught"], { stdio: ["ignore", "ignore", "inherit", "ipc"] }); // prettier-ignore
    try {
      await new Promise((settle) => other.once("message", settle)); // it trains
      await expect(run()).rejects.toThrow(`train.fit: process ${other.pid} is writing its checkpoints to`);
      // A process that ends meanwhile, as that of a job which is started again, is waited for.
      setTimeout(() => other.kill("SIGKILL"), 300);
      expect((await run()).steps).toBe(24);
    } finally {
      other.kill("SIGKILL");
    }
    expect(existsSync(lock())).toBe(false);
  });

  it.each([
    ["another machine", { place: "elsewhere" }],
    ["a process whose number another one has now", { begun: "1" }],
    ["a process that is gone", { pid: 2 ** 22 + 1 }],
    ["nobody", { pid: "none" }],
  ])("is free where the lock is of %s", async (_, change) => {
    const first = loop();
    await first.resume();
    const held = JSON.parse(readFileSync(lock(), "utf8")) as object;
    writeFileSync(lock(), JSON.stringify({ ...held, ...change }));
    await run();
    await first.close();
  });

  it("is free where the lock is no JSON, or only read", async () => {
    writeFileSync(lock(), "torn");
    await run();
    expect(existsSync(lock())).toBe(false);
  });
});
