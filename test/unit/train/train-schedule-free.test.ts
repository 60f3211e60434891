// Schedule-free optimizers in a run: validations and the model at the end are of the mean x, written down here in its three sequences in
// float64 (Defazio et al. 2024, algorithm 1), while gradients are taken at y.
import { describe, expect, it } from "vitest";
import { array, data, loss, nn, optim, train } from "../../../lib/index.js";

const [rows, columns] = [12, 3];
const xs = Float32Array.from({ length: rows * columns }, (_, i) => Math.sin(1.7 * i + 1));
const ys = Float32Array.from({ length: rows }, (_, i) => Math.cos(0.9 * i));
const dataset = data.fromArrays({ x: array(xs, [rows, columns]), y: array(ys, [rows, 1]) });
const start = [0.3, -0.2, 0.1];
const [lr, beta, warmup, steps] = [0.2, 0.8, 5, 30];

const errorsAt = (w: readonly number[]) =>
  Array.from(ys, (y, r) => w.reduce((sum, each, c) => sum + each * xs[r * columns + c]!, 0) - y);
const lossAt = (w: readonly number[]) => errorsAt(w).reduce((sum, error) => sum + error * error, 0) / rows;
const gradientAt = (w: readonly number[]) =>
  w.map((_, c) => (errorsAt(w).reduce((sum, error, r) => sum + error * xs[r * columns + c]!, 0) * 2) / rows);

// z and x after every step.
function reference(): number[][] {
  let [z, x, weights] = [start, start, 0];
  return Array.from({ length: steps }, (_, k) => {
    const rate = lr * Math.min(1, (k + 1) / warmup);
    const gradient = gradientAt(z.map((each, i) => (1 - beta) * each + beta * x[i]!));
    z = z.map((each, i) => each - rate * gradient[i]!);
    const largest = rate * rate;
    weights += largest;
    const share = largest / weights;
    x = x.map((each, i) => (1 - share) * each + share * z[i]!);
    return x;
  });
}

const optimizer = optim.scheduleFreeSgd({ lr, momentum: beta, warmupSteps: warmup });
const fit = (model: nn.Module, options: object = {}) =>
  train.fit(model, dataset, {
    loss: loss.mse(),
    optimizer,
    batchSize: rows,
    steps,
    progress: false,
    validate: { on: dataset, every: 10 },
    ...options,
  });
function fresh() {
  const model = nn.sequential(nn.linear(columns, 1, { bias: false })).assignNames();
  model.parameters()[0]!.write(array(start, [1, columns]));
  return model;
}

describe("a run with a schedule-free optimizer", () => {
  it("validates and ends with the mean of the fast sequence", async () => {
    const model = fresh();
    const result = await fit(model);
    const means = reference();
    const last = Array.from(model.parameters()[0]!.readSync().data);
    last.forEach((value, i) => expect(Math.abs(value - means.at(-1)![i]!)).toBeLessThan(1e-5));
    expect(result.validations.length).toBe(3);
    result.validations.forEach((validation, i) => {
      expect(Math.abs(validation.metrics["val.loss"]! - lossAt(means[10 * (i + 1) - 1]!))).toBeLessThan(1e-5);
    });
  });

  it("trains to the same bits whether or not it is validated on the way", async () => {
    const [often, never] = [fresh(), fresh()];
    await fit(often, { validate: { on: dataset, every: 1 } });
    await fit(never, { validate: undefined });
    expect(often.parameters()[0]!.readSync()).toEqual(never.parameters()[0]!.readSync());
  });

  it("takes no other average beside", async () => {
    await expect(fit(fresh(), { average: train.ema() })).rejects.toThrow(
      "optim.scheduleFreeSgd averages weights itself; leave average out",
    );
  });
});
