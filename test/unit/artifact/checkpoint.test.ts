// Checkpoints as files and as options: what is kept, what is refused, what damage does.
import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  ArgumentError,
  array,
  data,
  loss,
  metrics,
  nn,
  optim,
  schedule,
  seed,
  train,
  type FitOptions,
} from "../../../lib/index.js";
import { readJson, writeJson } from "../../../lib/checkpoint/index.js";

let dir: string;
beforeEach(() => (dir = mkdtempSync(join(tmpdir(), "checkpoint-"))));
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const rows = 60;
const set = data.fromArrays({
  x: array(
    Float32Array.from({ length: rows * 4 }, (_, i) => Math.sin(i * 1.7)),
    [rows, 4],
  ),
  y: array(Uint8Array.from({ length: rows }, (_, i) => i % 3)),
});
const build = () => {
  seed(1);
  return nn.sequential(nn.linear(4, 8), nn.relu(), nn.dropout(0.2), nn.linear(8, 3));
};
const options = (): FitOptions => ({
  loss: loss.crossEntropy(),
  optimizer: optim.adam({ lr: schedule.cosine({ peak: 1e-2 }) }),
  batchSize: 8,
  epochs: 5,
  seed: 2,
});
const weights = (model: nn.Module) => model.parameters().map((parameter) => [...parameter.readSync().data]);
const steps = () => readdirSync(dir).sort();

describe("JSON of a checkpoint", () => {
  it("gives back every number with its bits", () => {
    const values = [0, -0, NaN, Infinity, -Infinity, 0.1, 5e-324, 1.7976931348623157e308, 2 ** 53 - 1];
    const back = readJson(writeJson({ values })) as { values: number[] };
    expect(back.values.every((value, i) => Object.is(value, values[i]))).toBe(true);
  });
});

describe("train.fit with checkpoints", () => {
  it("keeps as many as it is told, the newest last", async () => {
    await train.fit(build(), set, { ...options(), checkpoint: { dir, every: 4, keep: 2, best: false } });
    expect(steps()).toEqual(["step-000000036", "step-000000040"]);
  });

  it("goes on from any of them to the same bits", async () => {
    const whole = build();
    await train.fit(whole, set, { ...options(), checkpoint: { dir, every: 3, keep: 100 } });
    for (const name of steps()) {
      const model = build();
      const { resumed } = await train.fit(model, set, { ...options(), resume: join(dir, name) });
      expect(resumed).toBe(Number(name.slice(5)));
      expect(weights(model)).toEqual(weights(whole));
    }
  });

  it("gives the result of a run that had ended, and takes no step", async () => {
    const first = await train.fit(build(), set, { ...options(), checkpoint: { dir } });
    const model = build();
    const again = await train.fit(model, set, { ...options(), checkpoint: { dir }, resume: "auto" });
    expect({ ...again, resumed: undefined, seconds: 0 }).toEqual({ ...first, seconds: 0 });
  });

  it("restores the best weights of before the kill", async () => {
    const stopping: Partial<FitOptions> = {
      validate: { on: set, metrics: { accuracy: metrics.accuracy() } },
      earlyStopping: { monitor: "val.loss" as never, patience: 100 },
    };
    const whole = build();
    const full = { ...options(), ...stopping, epochs: 12, optimizer: optim.sgd({ lr: 0.9 }) };
    const { best } = await train.fit(whole, set, { ...full, checkpoint: { dir, every: "epoch", keep: 100 } });
    for (const name of steps().slice(-4)) {
      const model = build();
      const result = await train.fit(model, set, { ...full, resume: join(dir, name) });
      expect(result.best).toEqual(best);
      expect(weights(model)).toEqual(weights(whole));
    }
  });

  describe("of another run", () => {
    beforeEach(async () => {
      await train.fit(build(), set, { ...options(), checkpoint: { dir, every: 5 } });
    });
    const other = data.fromArrays({ x: set.x, y: array(Uint8Array.from({ length: rows }, (_, i) => (i + 1) % 3)) });
    const resumed = (model: nn.Module, samples: data.Samples, changed: Partial<FitOptions>) => async () =>
      train.fit(model, samples, { ...options(), ...changed, checkpoint: { dir }, resume: "auto" });

    it.each([
      [
        "model",
        () => resumed(nn.sequential(nn.linear(4, 9), nn.relu(), nn.linear(9, 3)), set, {}),
        /model: 0\.weight was "f32 \[8, 4\]", is "f32 \[9, 4\]"/,
      ],
      ["data", () => resumed(build(), other, {}), /data: content was/],
      ["optimizer", () => resumed(build(), set, { optimizer: optim.adam({ lr: 1e-2 }) }), /optimizer: at step 16 was/],
      ["loss", () => resumed(build(), set, { loss: loss.crossEntropy({ labelSmoothing: 0.1 }) }), /loss: graph was/],
      ["length", () => resumed(build(), set, { epochs: 6 }), /length: steps was 40, is 48/],
      ["options", () => resumed(build(), set, { seed: 3 }), /options: seed was 2, is 3/],
    ])("refuses another %s, and says what differs", async (_, run, message) => {
      const failure = await run()().catch((thrown: unknown) => thrown);
      expect(failure).toBeInstanceOf(ArgumentError);
      expect((failure as Error).message).toMatch(message);
      expect((failure as Error).message).toMatch(/allow: \[/);
    });

    it("takes what is allowed: a longer run", async () => {
      const constant = { optimizer: optim.adam({ lr: 1e-2 }) };
      const { resumed: from, steps: taken } = await train.fit(build(), set, {
        ...options(),
        ...constant,
        epochs: 6,
        checkpoint: { dir },
        resume: "auto",
        allow: ["length", "optimizer"],
      });
      expect([from, taken]).toEqual([40, 48]);
    });
  });

  it("uses the one before where the newest is damaged, and says so", async () => {
    const whole = build();
    await train.fit(whole, set, { ...options(), checkpoint: { dir, every: 10, keep: 100 } });
    const newest = join(dir, steps().at(-1)!);
    truncateSync(join(newest, "weights.safetensors"), 100);
    const warning = vi.spyOn(process, "emitWarning").mockImplementation(() => undefined);
    const model = build();
    const { resumed } = await train.fit(model, set, { ...options(), checkpoint: { dir, keep: 100 }, resume: "auto" });
    expect(resumed).toBe(30);
    expect(String(warning.mock.calls[0]?.[0])).toMatch(/is damaged: .*step-000000030" is used instead/);
    expect(weights(model)).toEqual(weights(whole));
    warning.mockRestore();
  });

  it.each([
    [{ checkpoint: {} }, /dir must be the path of a folder/],
    [{ checkpoint: { dir: "" } }, /dir must be the path of a folder/],
    [{ checkpoint: { dir: "x", every: 0 } }, /every must be "epoch", a number of steps from 1 on/],
    [{ checkpoint: { dir: "x", every: "5 minutes" } }, /a time such as "5 min", got "5 minutes"/],
    [{ checkpoint: { dir: "x", keep: 0 } }, /keep must be a whole number from 1 on/],
    [{ checkpoint: { dir: "x", evry: 3 } }, /did you mean "every"/],
    [{ resume: "auto" }, /give checkpoint/],
    [{ resume: true }, /"auto", the path of a checkpoint, or false/],
    [{ resume: "nowhere/at/all" }, /there is no checkpoint at "nowhere\/at\/all"/],
    [{ allow: ["modle"] }, /allow must be a list of "model"/],
  ])("refuses %j", async (given, message) => {
    const run = async () => train.fit(build(), set, { ...options(), ...(given as Partial<FitOptions>) });
    await expect(run()).rejects.toThrow(message);
  });
});

describe("train.checkpoints", () => {
  const batch = (i: number) => ({ x: set.x, y: array(Uint8Array.from({ length: rows }, (_, k) => (k + i) % 3)) });
  const loop = async (until: number, ahead: boolean) => {
    const model = build();
    using step = train.step(model, optim.adam({ lr: 1e-2 }), ({ x, y }) => loss.crossEntropy()(model.forward(x), y));
    const saved = train.checkpoints(step, { dir, every: 7 });
    const { steps: taken, extra } = await saved.resume();
    const batches = Array.from({ length: until - taken }, (_, i) => batch(taken + i));
    if (ahead) {
      for await (const _ of step.over(batches)) await saved.offer({ note: "kept" });
    } else {
      for (const each of batches) {
        await step.run(each);
        await saved.offer({ note: "kept" });
      }
    }
    await saved.close();
    return { taken, extra, model };
  };

  it.each([false, true])("goes on to the same bits, a step ahead of its reader: %s", async (ahead) => {
    const whole = await loop(30, ahead);
    rmSync(dir, { recursive: true });
    await loop(17, ahead);
    const rest = await loop(30, ahead);
    expect(rest.taken).toBe(14);
    expect(rest.extra).toEqual({ note: "kept" });
    expect(weights(rest.model)).toEqual(weights(whole.model));
  });
});

describe("the tensors of a checkpoint", () => {
  // The format's own words (huggingface/safetensors): 8 bytes of length, a JSON header, then the bytes at the offsets of the header.
  const readSafetensors = (path: string) => {
    const bytes = readFileSync(path);
    const length = Number(bytes.readBigUInt64LE(0));
    const header = JSON.parse(bytes.subarray(8, 8 + length).toString()) as Record<
      string,
      { dtype: string; shape: number[]; data_offsets: [number, number] }
    >;
    return Object.entries(header).flatMap(([name, tensor]) => {
      if (name === "__metadata__") return [];
      const [from, until] = tensor.data_offsets;
      const copy = Uint8Array.from(bytes.subarray(8 + length + from, 8 + length + until));
      return [{ name, ...tensor, values: new Float32Array(copy.buffer) }];
    });
  };

  it("are a plain safetensors file, the model's by their names and the optimizer's beside them", async () => {
    const model = build();
    await train.fit(model, set, { ...options(), checkpoint: { dir, keep: 1, best: false } });
    const tensors = readSafetensors(join(dir, steps().at(-1)!, "weights.safetensors"));
    for (const [name, { shape, data: values }] of Object.entries(model.stateDict())) {
      const stored = tensors.find((tensor) => tensor.name === `model.${name}`);
      expect(stored?.shape).toEqual([...shape]);
      expect(stored?.values).toEqual(values);
    }
    expect(tensors.filter(({ name }) => name.startsWith("optimizer."))).toHaveLength(8);
  });
});
