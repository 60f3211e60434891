// prune(model, { structured }): a shrunk copy by any criterion, and training of what is left.
import { beforeEach, describe, expect, it } from "vitest";
import { AbortedError } from "../../../lib/errors.js";
import * as loss from "../../../lib/loss/index.js";
import * as nn from "../../../lib/nn/index.js";
import * as optim from "../../../lib/optim/index.js";
import { prune, type Criterion } from "../../../lib/prune/index.js";
import { array, seed } from "../../../lib/tensor/index.js";
import { distance, outputOf, uniform } from "./structured-models.js";

const input = { dtype: "f32", shape: [4] } as const;
const mlp = () => nn.sequential(nn.linear(4, 8), nn.relu(), nn.linear(8, 3));
const data = { x: uniform([96, 4], 1), y: array(Int32Array.from({ length: 96 }, (_, i) => i % 3)) };
const recipe = { loss: loss.crossEntropy(), optimizer: optim.adam({ lr: 0.01 }), epochs: 2, batchSize: 32 };

beforeEach(() => seed(9));

describe("prune with structured", () => {
  it("is the plan carried out, and leaves the model alone", async () => {
    const model = mlp();
    const options = { structured: "neurons", amount: 0.5, input } as const;
    const small = await prune(model, options);
    expect(distance(outputOf(small, data.x), outputOf(prune.plan(model, options).apply(), data.x))).toBe(0);
    expect(model.parameters()[0]!.shape).toEqual([8, 4]);
  });

  it("takes criteria that read data: what is never active goes, however large it is", async () => {
    const model = mlp();
    const [weight, bias] = model.parameters() as [nn.Linear["weight"], nn.Linear["weight"]];
    const [weights, shifts] = [weight.readSync(), bias.readSync()];
    for (const values of [weights.data, shifts.data]) values.forEach((value, i) => (values[i] = Math.abs(value)));
    weights.data.fill(-2, 4, 8); // unit 1: negative for every input, all of which are above 0
    shifts.data[1] = -1;
    weight.write(weights);
    bias.write(shifts);
    const removed = (criterion: Criterion) =>
      prune(model, { structured: "neurons", amount: 0.125, criterion, calibrate: data, loss: recipe.loss, input });
    const has = (small: nn.Module) => small.parameters()[1]!.readSync().data.includes(-1);
    expect(has(await removed(prune.l2))).toBe(true);
    for (const criterion of [prune.taylor, prune.snip]) expect(has(await removed(criterion))).toBe(false);
  });

  it("adds up Taylor's scores as a float64 reference does", async () => {
    const model = nn.sequential(nn.linear(2, 3, { bias: false }), nn.linear(3, 1, { bias: false }));
    const [first, second] = model.parameters() as [nn.Linear["weight"], nn.Linear["weight"]];
    const [w, v] = [[[0.5, -1], [2, 0.25], [-0.75, 1.5]], [1, -0.5, 2]]; // prettier-ignore
    first.write(array(w.flat(), [3, 2]));
    second.write(array(v, [1, 3]));
    const xs = [[1, 2], [-1, 0.5], [0.25, -2]]; // prettier-ignore
    const ys = [0.5, -1, 2];
    // loss (y − ŷ)², one sample a batch: dL/dw = 2 (ŷ − y) v xᵀ, dL/dv = 2 (ŷ − y) w x; |weight| √(mean of squares)
    const square = { w: w.map((row) => row.map(() => 0)), v: v.map(() => 0) };
    xs.forEach((x, n) => {
      const hidden = w.map((row) => row[0]! * x[0]! + row[1]! * x[1]!);
      const error = 2 * (hidden.reduce((sum, h, i) => sum + h * v[i]!, 0) - ys[n]!);
      w.forEach((row, i) => row.forEach((_, j) => (square.w[i]![j]! += (error * v[i]! * x[j]!) ** 2 / 3)));
      v.forEach((_, i) => (square.v[i]! += (error * hidden[i]!) ** 2 / 3));
    });
    const wanted = w.map((row, i) => {
      const own = row.reduce((sum, weight, j) => sum + Math.abs(weight) * Math.sqrt(square.w[i]![j]!), 0);
      return own + Math.abs(v[i]!) * Math.sqrt(square.v[i]!);
    });
    const order = [0, 1, 2].sort((a, b) => wanted[a]! - wanted[b]!);
    for (const amount of [0.33, 0.66]) {
      const small = await prune(model, {
        structured: "neurons",
        amount,
        criterion: prune.taylor,
        calibrate: { x: array(xs.flat(), [3, 2]), y: array(ys, [3, 1]) },
        loss: loss.mse(),
        batchSize: 1,
        input: { dtype: "f32", shape: [2] },
      });
      const left = order.slice(Math.round(amount * 3)).sort();
      expect([...small.parameters()[1]!.readSync().data]).toEqual(left.map((i) => v[i]));
    }
  });

  it("trains what is left, the same for the same seed", async () => {
    const train = () =>
      prune(mlp(), { structured: "neurons", amount: 0.5, during: { data, ...recipe, seed: 3 }, input });
    const first = await train();
    seed(9);
    const again = await train();
    expect(first.parameters()[0]!.shape).toEqual([4, 4]);
    expect(distance(outputOf(first, data.x), outputOf(again, data.x))).toBe(0);
  });

  it("can be given up, and says what it misses", async () => {
    const options = { structured: "neurons", amount: 0.5, input } as const;
    await expect(prune(mlp(), { ...options, signal: AbortSignal.abort() })).rejects.toThrow(AbortedError);
    const during = { data, ...recipe, epochs: 1000 };
    await expect(prune(mlp(), { ...options, during, signal: AbortSignal.timeout(50) })).rejects.toThrow(AbortedError);
    await expect(prune(mlp(), { ...options, criterion: prune.taylor })).rejects.toThrow("give calibrate");
    const strange = { ...options, schedule: prune.oneShot() };
    await expect(prune(mlp(), strange)).rejects.toThrow('prune: unknown option "schedule"');
  });
});
