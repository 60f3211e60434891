// validate.training: metrics over the training samples, as of the same moment as the validation's.
import { describe, expect, it } from "vitest";
import { array, data, loss, metrics, nn, optim, train } from "../../../lib/index.js";

const draw = (count: number, from: number) => Float32Array.from({ length: count }, (_, i) => Math.sin((i + from) * 12.9898)); // prettier-ignore
const samples = (rows: number, from: number) => data.fromArrays({ x: array(draw(rows * 4, from), [rows, 4]), y: array(Uint8Array.from({ length: rows }, (_, i) => (i * 7) % 3)) }); // prettier-ignore
const [set, held] = [samples(50, 0), samples(20, 999)];
const model = () => nn.sequential(nn.linear(4, 16), nn.relu(), nn.dropout(0.5), nn.linear(16, 3));
const shared = { loss: loss.crossEntropy(), optimizer: optim.adam({ lr: 0.01 }), batchSize: 8, epochs: 2 };
const measured = { accuracy: metrics.accuracy() };

describe("validate.training", () => {
  it.each([
    [true, 50],
    [12, 12],
    [1000, 50],
  ])("%s measures the first of them as train.evaluate does", async (training, rows) => {
    const own = model();
    const { history, validations } = await train.fit(own, set, { ...shared, validate: { on: held, metrics: measured, training } }); // prettier-ignore
    const metrics = history.at(-1)!.metrics;
    const beside = await train.evaluate(own, set.take(rows), { loss: shared.loss, metrics: measured });
    expect(metrics["train.accuracy"]).toBe(beside.accuracy);
    expect(metrics["train.loss"]).toBeCloseTo(beside.loss, 6);
    expect(validations.at(-1)!.metrics["train.accuracy"]).toBe(beside.accuracy);
    expect(metrics["val.accuracy"]).toBe((await train.evaluate(own, held, { metrics: measured })).accuracy);
  });

  it("measures a source too, and training is the same with it and without", async () => {
    const weights = async (training: boolean | number | undefined) => {
      const own = model();
      own.loadStateDict(start);
      const { history } = await train.fit(own, data.stream(set, { shuffle: true }), { ...shared, validate: { on: held, training } }); // prettier-ignore
      expect("train.loss" in history[0]!.metrics).toBe(Boolean(training));
      return own.stateDict();
    };
    const start = model().stateDict();
    const without = await weights(undefined);
    expect(await weights(true)).toEqual(without);
    expect(await weights(10)).toEqual(without);
  });

  it.each([0, -1, 1.5, "all"])("refuses %s", (training) => {
    const options = { ...shared, validate: { on: held, training: training as number } };
    expect(() => train.fit(model(), set, options)).toThrow(/validate: training must be true or a number of samples from 1 on/); // prettier-ignore
  });
});
