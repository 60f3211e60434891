import { mkdtempSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import * as data from "../../lib/data/index.js";
import * as loss from "../../lib/loss/index.js";
import * as nn from "../../lib/nn/index.js";
import * as optim from "../../lib/optim/index.js";
import { array, seed } from "../../lib/tensor/index.js";
import * as train from "../../lib/train/index.js";
import { tune } from "../../lib/tune/index.js";
import type { Trial } from "../../lib/tune/study/trial.js";
import { tableOf } from "./table.js";

const n = 64;
const x = array(Float32Array.from({ length: n * 4 }, (_, i) => Math.sin(i * 1.7)), [n, 4]); // prettier-ignore
const y = array(Float32Array.from({ length: n }, (_, i) => Math.cos(i * 0.3)), [n, 1]); // prettier-ignore
const set = data.fromArrays({ x, y });
const space = { lr: tune.logUniform(1e-4, 1e-1), units: tune.int(4, 16) };
type Given = { readonly params: { readonly lr: number; readonly units: number } };

/** `stopAt`: breaks off trial 1 after so many epochs, once. */
function objective(stopAt?: { epochs: number; control: AbortController; epochsRun: number[] }) {
  return async (trial: Trial, { params }: Given) => {
    seed(trial.number);
    const model = nn.sequential(nn.linear(4, params.units), nn.tanh(), nn.linear(params.units, 1));
    const result = await train.fit(model, set, {
      loss: loss.mse(),
      optimizer: optim.adam({ lr: params.lr }),
      batchSize: 16,
      epochs: 8,
      validate: { on: set },
      trial,
      callbacks: {
        onEpoch: ({ epoch }) => {
          if (trial.number === 1) stopAt?.epochsRun.push(epoch);
          if (trial.number === 1 && epoch + 1 === stopAt?.epochs) stopAt.control.abort();
        },
      },
    });
    return result.history.at(-1)!.metrics["val.loss"]!;
  };
}

describe("train.fit({ trial })", () => {
  it("reports val.loss after every epoch, and ends where the pruner says so", async () => {
    const study = await tune(space, objective(), {
      trials: 8,
      lag: 1,
      pruner: tune.asha({ min: 2, max: 8, factor: 2 }),
    });
    const complete = study.trials.filter(({ state }) => state === "complete");
    for (const { intermediate, value } of complete) {
      expect(intermediate.map(({ step }) => step)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
      expect(intermediate.at(-1)!.value).toBe(value);
    }
    const pruned = study.trials.filter(({ state }) => state === "pruned");
    expect(pruned.length).toBeGreaterThan(0);
    for (const { intermediate } of pruned) expect([2, 4]).toContain(intermediate.length);
  });

  it("★ a trial that was broken off goes on from its checkpoint, to the same bits and the same reports", async () => {
    const storage = new tune.MemoryStorage();
    const checkpoints = mkdtempSync(join(tmpdir(), "athanor-trials-"));
    const control = new AbortController();
    const stop = { epochs: 4, control, epochsRun: [] as number[] };
    await expect(tune(space, objective(stop), { trials: 3, lag: 1, storage, checkpoints, signal: control.signal })).rejects.toThrow("aborted"); // prettier-ignore
    const study = await tune(space, objective({ ...stop, epochs: -1 }), { trials: 3, lag: 1, storage, checkpoints });
    const whole = await tune(space, objective(), { trials: 3, lag: 1 });
    expect(tableOf(study)).toEqual(tableOf(whole));
    // No more than the epoch whose checkpoint was being written is trained again.
    expect(stop.epochsRun.length).toBeGreaterThanOrEqual(8);
    expect(stop.epochsRun.length).toBeLessThanOrEqual(9);
    expect(readdirSync(join(checkpoints, "study"))).toEqual(["trial-00000", "trial-00001", "trial-00002"]);
  });

  it("refuses what is no trial", () => {
    const options = { loss: loss.mse(), optimizer: optim.sgd({ lr: 0.1 }), trial: 3 as never };
    expect(() => train.fit(nn.linear(4, 1), set, options)).toThrow(
      /trial: expected the trial that an objective is given, got 3/,
    );
  });
});
