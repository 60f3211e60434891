// Checkpoints that cannot be written, are broken off or are damaged: the last sound one is found, nothing sound is removed, and what is
// wrong is said. The whole form: `npm run test:checkpoints`.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs"; // prettier-ignore
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { array, CorruptFileError, data, FileError, loss, nn, optim, seed, train, type FitOptions } from "../../../lib/index.js"; // prettier-ignore
import { Generations } from "../../../lib/checkpoint/index.js";
import { damagedCheckpoints } from "../../resume/damaged.js";
import { failingWrites } from "../../resume/failing-writes.js";
import { canTrace } from "../../resume/system-calls.js";

let dir: string;
const warnings: string[] = [];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "damage-"));
  warnings.length = 0;
  vi.spyOn(process, "emitWarning").mockImplementation((text) => void warnings.push(String(text)));
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(dir, { recursive: true, force: true });
});

const rows = 40;
const set = data.fromArrays({
  x: array(
    Float32Array.from({ length: rows * 4 }, (_, i) => Math.sin(i * 1.7)),
    [rows, 4],
  ),
  y: array(Uint8Array.from({ length: rows }, (_, i) => i % 3)),
});
const build = (width = 8) => {
  seed(1);
  return nn.sequential(nn.linear(4, width), nn.relu(), nn.linear(width, 3));
};
const fit = (model: nn.Module, options: Partial<FitOptions>) =>
  train.fit(model, set, {
    loss: loss.crossEntropy(),
    optimizer: optim.adam({ lr: 1e-2 }),
    batchSize: 8,
    epochs: 4,
    seed: 2,
    ...options,
  });
const weights = (model: nn.Module) => model.parameters().map((parameter) => [...parameter.readSync().data]);
const names = (of = dir) => readdirSync(of).sort();
const seeded = (state: number) => (n: number) =>
  Math.floor(((state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32) * n);

describe("a damaged checkpoint", () => {
  it("is recognized by any flipped bit of any of its files, and the one before it is found", async () => {
    await fit(build(), { checkpoint: { dir, every: 10 } });
    const [older, newer] = names();
    const files = names(join(dir, newer!)).map((name) => join(dir, newer!, name));
    const below = seeded(5);
    const generations = new Generations("test", dir);
    for (let i = 0; i < 500; i++) {
      const file = files[i % files.length]!;
      const bytes = readFileSync(file);
      const flipped = Buffer.from(bytes);
      flipped[below(bytes.length)]! ^= 1 << below(8);
      writeFileSync(file, flipped);
      const { opened, damaged } = (await generations.newest())!;
      expect(opened.path).toBe(join(dir, older!));
      expect(damaged[0]!.message).toContain(join(dir, newer!));
      writeFileSync(file, bytes);
    }
  });

  it("of every kind is said, put aside, and the one before it used", async () => {
    const { tried, wrong } = await damagedCheckpoints(dir, { flips: 12, others: 1, below: seeded(9) });
    expect(wrong).toEqual([]);
    expect(Object.keys(tried)).toHaveLength(8);
  });

  // The one that a run writes has a lower number than the damaged one, and stands where the damaged one stands in the end.
  it.each([1, 2])("does not push the new ones out where %d are kept, nor stand in their place", async (keep) => {
    const whole = build();
    await fit(whole, { checkpoint: { dir, every: 5, keep: 2, best: false } });
    expect(names()).toEqual(["step-000000015", "step-000000020"]);
    writeFileSync(join(dir, "step-000000020", "state.json"), "a word in the place of the state");
    const model = build();
    const written: string[] = [];
    const onStep = () => void written.push(...names());
    await fit(model, { checkpoint: { dir, every: 1, keep, best: false }, resume: "auto", callbacks: { onStep } });
    expect(weights(model)).toEqual(weights(whole));
    expect(written).toContain("step-000000018");
    expect(names().at(-1)).toBe("step-000000020");
    const again = await fit(build(), { checkpoint: { dir }, resume: "auto" });
    expect(again.resumed).toBe(20);
    expect(existsSync(join(dir, "aside-1-step-000000020", "state.json"))).toBe(true);
  });

  it("is told to be one of several where none is sound", async () => {
    await fit(build(), { checkpoint: { dir, every: 10 } });
    for (const name of names()) truncateSync(join(dir, name, "weights.safetensors"), 50);
    const run = fit(build(), { checkpoint: { dir }, resume: "auto" });
    await expect(run).rejects.toThrow(
      /step-000000020.* is damaged: .*so are the 1 before it .*resume: false begins anew/,
    );
    await expect(run).rejects.toBeInstanceOf(CorruptFileError);
  });
});

describe("checkpoints of another run in the folder", () => {
  it("stay, whole and aside, when a run begins anew", async () => {
    await fit(build(), { checkpoint: { dir, every: 10 } });
    const model = build();
    await fit(model, { checkpoint: { dir, every: 4, keep: 1, best: false }, epochs: 1, seed: 3 });
    expect(names()).toEqual(["aside-1-step-000000010", "aside-1-step-000000020", "step-000000005"]);
    expect(warnings.join()).toMatch(/begins anew; the checkpoints of steps 10, 20 stay in .* as "aside-1-…"/);
    const { resumed } = await fit(build(), { checkpoint: { dir }, epochs: 1, seed: 3, resume: "auto" });
    expect(resumed).toBe(5);
    const old = await fit(build(), { resume: join(dir, "aside-1-step-000000010") });
    expect([old.resumed, old.steps]).toEqual([10, 20]);
  });

  it("that are later than the one that is named stay aside too", async () => {
    const whole = build();
    await fit(whole, { checkpoint: { dir, every: 5, keep: 9 } });
    const model = build();
    const resume = join(dir, "step-000000005");
    await fit(model, { checkpoint: { dir, every: 100, keep: 1, best: false }, resume });
    expect(names().filter((name) => name.startsWith("step-"))).toEqual(["step-000000020"]);
    expect(names().filter((name) => name.startsWith("aside-1-"))).toHaveLength(3);
    expect(weights(model)).toEqual(weights(whole));
  });

  it("are a loop's own", async () => {
    const model = nn.linear(4, 3);
    const loop = async (steps: number, options: object) => {
      using step = train.step(model, optim.sgd({ lr: 0.1 }), ({ x, y }) => loss.crossEntropy()(model.forward(x), y));
      const saved = train.checkpoints(step, { dir, every: 1, keep: 1, ...options });
      const { steps: from } = await saved.resume();
      await saved.save(); // nothing has been put in place yet: not to be written over what is there
      for (let i = 0; i < steps; i++) {
        await step.run({ x: set.x, y: set.y });
        await saved.offer();
      }
      await saved.close();
      return from;
    };
    expect(await loop(6, {})).toBe(0);
    expect(await loop(0, {})).toBe(6);
    expect(await loop(2, {})).toBe(6);
    expect(await loop(1, { resume: join(dir, "step-000000008") })).toBe(8);
    expect(await loop(3, { resume: false })).toBe(0);
    expect(names()).toEqual(["aside-1-step-000000009", "step-000000003"]);
  });
});

describe.skipIf(!canTrace())("a checkpoint", () => {
  it.each([
    ["ENOSPC", 5],
    ["kill", 30],
  ] as const)("that meets %s at a call leaves the one before as it was", { timeout: 240_000 }, async (how, stride) => {
    const { wrong, calls, failed, killed } = await failingWrites({ folder: dir, how, stride });
    expect(wrong).toEqual([]);
    expect(calls).toBeGreaterThan(30);
    expect(how === "kill" ? killed : failed).toBeGreaterThan(1);
  });
});

// A file system of its own in memory; only root may mount one.
function mounted(place: string, options: string): boolean {
  try {
    mkdirSync(place, { recursive: true });
    execFileSync("mount", ["-t", "tmpfs", "-o", options, "tmpfs", place], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}
const disks = mkdtempSync(join(tmpdir(), "disks-"));
const [full, closed] = [join(disks, "full"), join(disks, "closed")];
const canMount = mounted(full, "size=256k") && mounted(closed, "size=1m");
if (!canMount)
  console.log("file systems cannot be mounted here: the tests of a full disk and a read-only one are left out");
afterAll(() => {
  if (canMount) for (const place of [full, closed]) execFileSync("umount", [place]);
  rmSync(disks, { recursive: true, force: true });
});

describe.skipIf(!canMount)("a disk that is full", () => {
  it("does not end the run, keeps the last checkpoint that fitted, and is said each time", async () => {
    const [whole, model] = [build(400), build(400)]; // a checkpoint takes about 40 KiB
    await fit(whole, {});
    const place = join(full, "run");
    const filler = join(full, "filler");
    const onStep = ({ index }: train.StepEvent) => {
      if (index === 8) writeFileSync(filler, Buffer.alloc(statFree(full)));
    };
    const { steps } = await fit(model, { checkpoint: { dir: place, every: 2, keep: 2 }, callbacks: { onStep } });
    expect(steps).toBe(20);
    expect(weights(model)).toEqual(weights(whole)); // also the last checkpoint of the run: its result is not lost
    expect(warnings.length).toBeGreaterThan(3);
    for (const text of warnings) expect(text).toMatch(/cannot .* \(No space left on device\)|ENOSPC/);
    expect(warnings.at(-1)).toMatch(/the run has ended, its last checkpoint is an older one/);
    const kept = names(place);
    expect(kept.length).toBeGreaterThanOrEqual(1);
    rmSync(filler);
    const again = build(400);
    const { resumed } = await fit(again, { checkpoint: { dir: place, every: 2, keep: 2 }, resume: "auto" });
    expect(resumed).toBe(Number(kept.at(-1)!.slice(5)));
    expect(weights(again)).toEqual(weights(whole));
    expect(names(place).every((name) => name.startsWith("step-"))).toBe(true);
  });
});

const statFree = (place: string): number =>
  Number(execFileSync("df", ["--output=avail", "-B1", place], { encoding: "utf8" }).trim().split("\n").at(-1));

describe.skipIf(!canMount)("a read-only folder", () => {
  it("is told before the run takes a step, and what lies there can be read", async () => {
    const place = join(closed, "run");
    const whole = build();
    await fit(whole, { checkpoint: { dir: place, every: 10 } });
    execFileSync("mount", ["-o", "remount,ro", closed]);
    const onStep = vi.fn();
    const run = fit(build(), { checkpoint: { dir: place }, resume: "auto", callbacks: { onStep } });
    await expect(run).rejects.toThrow(
      /the folder ".*run" cannot be written \(EROFS\); give checkpoint\.dir a folder that can/,
    );
    await expect(run).rejects.toBeInstanceOf(FileError);
    expect(onStep).not.toHaveBeenCalled();
    const model = build();
    await fit(model, { checkpoint: { dir }, resume: place });
    expect(weights(model)).toEqual(weights(whole));
  });

  it("below a file is told as well", async () => {
    const file = join(dir, "file");
    writeFileSync(file, "");
    await expect(fit(build(), { checkpoint: { dir: join(file, "run") } })).rejects.toThrow(
      /cannot be made \(ENOTDIR\)/,
    );
  });
});
