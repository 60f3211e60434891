// Predictions, losses and metrics over a data set.
import { describe, expect, it } from "vitest";
import { array, compile, data, loss, metrics, nn, seed, train } from "../../../lib/index.js";

describe("evaluate and predict", () => {
  const rows = 1000;
  const x = array(
    Float32Array.from({ length: rows * 3 }, (_, i) => Math.sin(i)),
    [rows, 3],
  );
  const y = array(Uint8Array.from({ length: rows }, (_, i) => i % 2));
  const set = data.fromArrays({ x, y });
  const model = () => {
    seed(5);
    return nn.sequential(nn.linear(3, 8), nn.tanh(), nn.dropout(0.5), nn.linear(8, 2));
  };

  it("predicts row by row what the model says of all at once, whatever the batch", async () => {
    const net = model();
    const whole = await compile((x) => net.forward(x as never)).run(x);
    for (const batchSize of [1000, 256, 7]) {
      const scores = await train.predict(net, x, { batchSize });
      expect(scores.shape).toEqual([rows, 2]);
      const off = Math.max(...Array.from(scores.data, (value, i) => Math.abs(value - whole.data[i]!)));
      expect(off).toBeLessThan(1e-6);
    }
  });

  it("weights the short last batch by its rows", async () => {
    const net = model();
    const scores = await train.predict(net, x);
    // −log softmax in float64 of the scores
    let total = 0;
    for (let i = 0; i < rows; i++) {
      const [a, b] = [scores.data[2 * i]!, scores.data[2 * i + 1]!];
      total += Math.log(Math.exp(a) + Math.exp(b)) - (y.data[i] === 0 ? a : b);
    }
    const options = {
      loss: loss.crossEntropy(),
      metrics: { accuracy: metrics.accuracy(), confusion: metrics.confusionMatrix() },
    };
    const result = await train.evaluate(net, set, { ...options, batchSize: 300 });
    expect(result.loss).toBeCloseTo(total / rows, 5);
    expect(result.accuracy).toBe(metrics.evaluate(metrics.accuracy(), scores, y));
    expect(result.confusion.counts.reduce((sum, count) => sum + count, 0)).toBe(rows);
  });

  it("reads u8 by the rule of the model or the samples, else as the numbers they are", async () => {
    const net = nn.sequential(nn.flatten());
    const pixels = array(Uint8Array.of(0, 51, 255, 102), [1, 1, 2, 2]);
    expect((await train.predict(net, pixels)).data).toEqual(Float32Array.of(0, 51, 255, 102));
    const set = data.images({ x: pixels, y: array([0, 0.2, 1, 0.4], [1, 4]) });
    expect((await train.evaluate(net, set, { loss: loss.mse() })).loss).toBe(0);
    net.setInfo({ preprocessing: set.info.preprocessing });
    expect((await train.predict(net, pixels)).data).toEqual(Float32Array.from([0, 0.2, 1, 0.4]));
  });

  it("takes a plain function for a model", async () => {
    const twice = await train.predict((x) => x.mul(2), array([1, 2], [2, 1]));
    expect(twice.toArray()).toEqual([[2], [4]]);
  });

  it.each<[string, () => Promise<unknown>, RegExp]>([
    ["a model that mixes rows", () => train.predict((x) => x.sum(0), x), /the model must give a row for each of the 256 samples, got \[3\]/],
    ["no samples", () => train.predict((x) => x, array(new Float32Array(0), [0, 3])), /expected at least one sample, got x \[0, 3\]/],
    ["an unknown option", () => train.evaluate(model(), set, { batchsize: 3 } as never), /train\.evaluate: unknown option "batchsize", did you mean "batchSize"\?/],
    ["a metric that was not called", () => train.evaluate(model(), set, { metrics: { accuracy: metrics.accuracy as never } }), /"accuracy" is not a metric, got the function accuracy; .*call/],
    ["a metric named loss", () => train.evaluate(model(), set, { metrics: { loss: metrics.accuracy() } }), /cannot be named "loss"/],
    ["a model that is none", () => train.evaluate(3 as never, set), /expected a module or a function of a tensor, got 3/],
    ["an aborted signal", () => train.evaluate(model(), set, { signal: AbortSignal.abort() }), /train\.evaluate: aborted/],
  ])("refuses %s", async (_, attempt, message) => {
    await expect(attempt()).rejects.toThrow(message);
  }); // prettier-ignore
});
