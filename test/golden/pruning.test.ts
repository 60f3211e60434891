// Masks, training under them and the scores of criteria beside PyTorch's.
import { describe, expect, it } from "vitest";
import { array, loss, nn, optim, prune, Parameter, train, type NdArray, type Tensor } from "../../lib/index.js";
import { driftFactor } from "../tolerances.js";
import { readGolden, type PruningRecord } from "./read.js";

const { record, tensor } = readGolden("pruning");
const hostArray = (key: string): NdArray => {
  const { data, shape } = tensor(key);
  return array(data instanceof Float64Array ? Float32Array.from(data) : data, shape);
};

class Bag extends nn.Module {
  values = record.parameters.map((name) => {
    const parameter = new Parameter(tensor(record.start[name]!).shape);
    parameter.write(hostArray(record.start[name]!));
    return parameter;
  });
  forward(x: Tensor): Tensor {
    return x;
  }
}

describe("masks are PyTorch's", () => {
  it.each(record.masks)("$name", async ({ scope, structure, amount, masks }) => {
    // Its sparsifier ranks blocks by their norm over all of a layer; N:M takes all blocks, and the structure says how much.
    const options =
      structure === undefined
        ? { amount, scope: scope!, ...(scope === "global" && { floor: 0 }) } // it may empty layers
        : typeof structure === "string"
          ? { structure }
          : { amount, structure, criterion: prune.l2 };
    const pruned = await prune(new Bag(), options);
    pruned.values.forEach((parameter, i) => {
      const name = record.parameters[i]!;
      expect([...parameter.readMask()!], name).toEqual([...tensor(masks[name]!).data]);
    });
  });
});

describe("training under a mask is PyTorch's", () => {
  const { steps, clipNorm, weightDecay, masks, gradients } = record.training;
  const factories = {
    SGD: optim.sgd,
    Adam: optim.adam,
    AdamW: optim.adamW,
    RMSprop: optim.rmsProp,
    Adagrad: optim.adagrad,
  };
  const names: Record<string, string> = { lr_decay: "lrDecay" };

  it.each(record.cases)("$name", async ({ optimizer, options, lr, clip, expected, drift }) => {
    const bag = new Bag();
    bag.values.forEach((parameter, i) => parameter.setMask(tensor(masks[record.parameters[i]!]!).data as Uint8Array));
    const own = Object.fromEntries(Object.entries(options).map(([name, value]) => [names[name] ?? name, value]));
    const rule = factories[optimizer]({ ...own, lr, weightDecay, ...(clip ? { clipNorm } : {}) });
    using step = train.step(bag, rule, (g: train.BatchTensors) =>
      bag.values.map((p, i) => p.tensor().mul(g[`g${i}`]!).sum()).reduce((a, b) => a.add(b)),
    );
    for (let t = 0; t < steps; t++) {
      const batch = bag.values.map(({ size, shape }, i): [string, NdArray] => {
        const { data } = tensor(gradients[record.parameters[i]!]!);
        return [`g${i}`, array(Float32Array.from(data.subarray(t * size, (t + 1) * size)), shape)];
      });
      await step.run(Object.fromEntries(batch));
    }
    const got = bag.values.flatMap((parameter) => [...(parameter.readSync().data as Float32Array)]);
    const want = tensor(expected).data;
    const worst = Math.max(...got.map((value, i) => Math.abs(value - want[i]!)));
    expect(worst).toBeLessThanOrEqual(driftFactor * drift);
    // Exactly zero where the mask is, the states too.
    const kept = record.parameters.flatMap((name) => [...tensor(masks[name]!).data]);
    expect(got.filter((value, i) => kept[i] === 0 && !Object.is(value, 0))).toEqual([]);
    const { states } = step.bound!.stateDict();
    for (const [name, { data }] of Object.entries(states)) {
      const mask = tensor(masks[record.parameters[Number(name.split(".")[1])]!]!).data;
      expect([...data].filter((value, i) => mask[i] === 0 && value !== 0), name).toEqual([]);
    }
  }); // prettier-ignore
});

describe("scores are the papers' in float64", () => {
  const { batchSize, x, y, parameters, scores } = record.criteria;
  const model = nn.sequential(
    nn.conv2d(2, 3, { kernel: 3, stride: 2, padding: 1 }),
    nn.relu(),
    nn.flatten(),
    nn.linear(27, 4),
  );
  model.parameters().forEach((parameter, i) => parameter.write(hostArray(parameters[i]!)));
  const calibrate = { x: hostArray(x), y: hostArray(y) };

  it.each(Object.keys(scores) as (keyof PruningRecord["criteria"]["scores"])[])("%s", async (name) => {
    // The scores themselves, by a criterion that passes them through and lets rank one weight after the other.
    const want = scores[name].map((key) => [...tensor(key).data]);
    for (const [i, weight] of ["0.weight", "3.weight"].entries()) {
      const order = want[i]!.map((_, at) => at).sort((a, b) => want[i]![a]! - want[i]![b]!);
      for (const share of [0.2, 0.5, 0.8]) {
        const pruned = await prune(model, {
          amount: { [weight]: share },
          scope: "layer",
          criterion: prune[name],
          calibrate,
          loss: loss.crossEntropy(),
          batchSize,
        });
        const mask = pruned
          .namedParameters()
          .find((named) => named.name === weight)!
          .parameter.readMask()!;
        const gone = new Set(order.slice(0, Math.round(share * order.length)));
        expect([...mask]).toEqual(want[i]!.map((_, at) => (gone.has(at) ? 0 : 1)));
      }
    }
  });
});
