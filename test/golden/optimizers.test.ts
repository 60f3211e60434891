// A hundred steps of every update rule beside PyTorch's, with two groups, decay, clipping and scheduled rates. The loss is Σ p · g with
// the stored g fed in, so that g is the gradient to the bit. What counts is PyTorch's float64 run; its own float32 run is off by
// `drift`, and so may we be, a few times over.
import { describe, expect, it } from "vitest";
import type { DeviceName } from "../../lib/device/index.js";
import { array, nn, optim, train, Parameter, type NdArray, type Tensor } from "../../lib/index.js";
import { UnsupportedOpError } from "../../lib/errors.js";
import { onPlatform, platforms } from "../platforms.js";
import { driftFactor } from "../tolerances.js";
import { readGolden, type OptimizerCase } from "./read.js";

const golden = readGolden("optimizers");
const { record, tensor } = golden;

class Bag extends nn.Module {
  values = record.parameters.map((name) => {
    const { shape } = tensor(record.start[name]!);
    return new Parameter(shape);
  });
  forward(x: Tensor): Tensor {
    return x;
  }
}

// PyTorch's option names, and where a factory has another one.
function options(given: OptimizerCase["options"]): Record<string, unknown> {
  const names: Record<string, string> = {
    weight_decay: "weightDecay",
    lr_decay: "lrDecay",
    initial_accumulator_value: "initialAccumulator",
    momentum_decay: "momentumDecay",
    decoupled_weight_decay: "decoupledWeightDecay",
    beta2_decay: "beta2Decay",
    ns_steps: "nsSteps",
    adam_lr: "adamLr",
    adam_weight_decay: "adamWeightDecay",
    adam_betas: "betas",
    adam_eps: "eps",
    warmup_steps: "warmupSteps",
    use_bias_correction: "biasCorrection",
    safeguard_warmup: "safeguardWarmup",
    d_coef: "dCoef",
    growth_rate: "growthRate",
  };
  return Object.fromEntries(
    Object.entries(given)
      .filter(([name]) => !["lr", "weight_decay"].includes(name))
      .flatMap(([name, value]): (readonly [string, unknown])[] => {
        const [a, b, c] = Array.isArray(value) ? (value as number[]) : [];
        if (name === "eps" && b !== undefined) return [["eps1", a], ["eps2", b]]; // prettier-ignore
        if (name === "ns_coefficients") return [["nsA", a], ["nsB", b], ["nsC", c]]; // prettier-ignore
        if (name === "adjust_lr_fn") return [["matchRms", value === "match_rms_adamw"]];
        if (name === "etas") return [["etaMinus", a], ["etaPlus", b]]; // prettier-ignore
        if (name === "step_sizes") return [["minStep", a], ["maxStep", b]]; // prettier-ignore
        if (c !== undefined) return [["betas", [a, b]], ["beta3", c]]; // prettier-ignore
        return [[names[name] ?? name, value]];
      }),
  );
}

const factories: Record<OptimizerCase["optimizer"], (given: never) => optim.Optimizer> = {
  SGD: optim.sgd,
  Adam: optim.adam,
  AdamW: optim.adamW,
  RMSprop: optim.rmsProp,
  Adagrad: optim.adagrad,
  NAdam: optim.nadam,
  RAdam: optim.radam,
  Adamax: optim.adamax,
  Adadelta: optim.adadelta,
  ASGD: optim.asgd,
  Rprop: optim.rprop,
  Lion: optim.lion,
  AdEMAMix: optim.ademamix,
  LAMB: optim.lamb,
  LARS: optim.lars,
  Adafactor: optim.adafactor,
  Muon: optim.muon,
  Prodigy: optim.prodigy,
  SGDScheduleFree: optim.scheduleFreeSgd,
  AdamWScheduleFree: optim.scheduleFreeAdamW,
};

// A rule without decay has no such option.
const decay = (weightDecay: number | null) => (weightDecay === null ? {} : { weightDecay });

function optimizerOf(item: OptimizerCase): optim.Optimizer {
  const [first, second] = item.groups;
  const rate = (lr: number) => (item.lrScale ? (step: number) => lr * item.lrScale![step]! : lr);
  const names = record.groups[1]!.names;
  return factories[item.optimizer]({
    ...options(item.options),
    lr: rate(first!.lr),
    ...decay(first!.weightDecay),
    ...(item.clip ? { clipNorm: record.clipNorm } : {}),
    groups: [
      {
        match: (name: string) => names.includes(record.parameters[Number(name.split(".")[1])]!),
        ...(item.optimizer === "Prodigy" ? {} : { lr: rate(second!.lr) }),
        ...decay(second!.weightDecay),
      },
    ],
  } as never);
}

async function replay(item: OptimizerCase, device: DeviceName | undefined): Promise<Map<number, Float32Array>> {
  const bag = new Bag();
  bag.values.forEach((parameter, i) => {
    const { data, shape } = tensor(record.start[record.parameters[i]!]!);
    parameter.write(array(Float32Array.from(data), shape));
  });
  using step = train.step(
    bag,
    optimizerOf(item),
    (g: train.BatchTensors) => bag.values.map((p, i) => p.tensor().mul(g[`g${i}`]!).sum()).reduce((a, b) => a.add(b)),
    { device },
  );
  const reached = new Map<number, Float32Array>();
  for (let t = 0; t < record.steps; t++) {
    const batch: Record<string, NdArray> = {};
    bag.values.forEach((parameter, i) => {
      const { data } = tensor(record.gradients[record.parameters[i]!]!);
      batch[`g${i}`] = array(
        Float32Array.from(data.subarray(t * parameter.size, (t + 1) * parameter.size)),
        parameter.shape,
      );
    });
    await step.run(batch);
    if (record.checkpoints.includes(t + 1)) {
      reached.set(t + 1, Float32Array.from(bag.values.flatMap((parameter) => Array.from(parameter.readSync().data))));
    }
  }
  bag.dispose();
  return reached;
}

describe.each(platforms)("on $name", (platform) => {
  it.each(record.cases)("$name follows PyTorch over 100 steps", async (item) => {
    await onPlatform(platform, async () => {
      if (platform.device && optimizerOf(item).rule === "muon") {
        await expect(replay(item, platform.device)).rejects.toThrow(UnsupportedOpError);
        return;
      }
      const reached = await replay(item, platform.device);
      for (const [steps, keys] of Object.entries(item.expected)) {
        const wanted = tensor(keys.f64).data;
        const got = reached.get(Number(steps))!;
        let worst = 0;
        wanted.forEach((value, i) => (worst = Math.max(worst, Math.abs(value - got[i]!))));
        // Rounding a start value to f32 alone is half an ulp of the largest parameter.
        let largest = 0;
        wanted.forEach((value) => (largest = Math.max(largest, Math.abs(value))));
        expect(worst, `after ${steps} steps`).toBeLessThanOrEqual(driftFactor * item.drift + 2 ** -23 * largest);
      }
    });
  });
});
