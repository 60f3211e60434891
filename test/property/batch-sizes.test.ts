// Whatever the batch size, a data set has one loss: for every loss, every reduction, with labels that count and that do not. The
// oracle is the loss of the whole set in one batch, and for cross-entropy float64.
import { describe, expect, it } from "vitest";
import {
  array,
  data,
  distill,
  loss,
  nn,
  optim,
  schedule,
  seed,
  train,
  type NdArray,
  type Tensor,
} from "../../lib/index.js";

const rows = 23;
const classes = 4;
const wave = (length: number, k: number) => Float32Array.from({ length }, (_, i) => Math.sin(k * i + 1));
const x = array(wave(rows * 3, 1.7), [rows, 3]);
const labels = (ignored: (i: number) => boolean) =>
  array(Int32Array.from({ length: rows }, (_, i) => (ignored(i) ? -1 : (i * 7) % classes)));
const some = labels((i) => i % 3 === 0 || (i > 8 && i < 14)); // whole batches among them
const all = labels(() => false);
const none = labels(() => true);
const numbers = array(wave(rows * classes, 0.9), [rows, classes]);
const signs = array(
  numbers.data.map((value) => (value > 0 ? 1 : -1)),
  [rows, classes],
);
const truths = array(
  numbers.data.map((value) => (value > 0 ? 1 : 0)),
  [rows, classes],
);
const answered = array(
  truths.data.map((value, i) => ((i / classes) % 3 < 1 || i % 5 === 0 ? -1 : value)), // whole rows and single answers
  [rows, classes],
);
const probabilities = array(
  Float32Array.from({ length: rows * classes }, (_, i) => (i % classes === i % 3 ? 0.7 : 0.1)),
  [rows, classes],
);

const logSoftmax = (scores: Tensor) => scores.logSoftmax();
const sigmoid = (scores: Tensor) => scores.sigmoid();
const net = (...last: ((scores: Tensor) => Tensor)[]) => {
  seed(3);
  return nn.sequential(nn.linear(3, classes), ...last);
};

const ignoreIndex = -1;
const cases: readonly [string, loss.Loss, NdArray, nn.Module][] = (["mean", "sum"] as const).flatMap(
  (reduction): [string, loss.Loss, NdArray, nn.Module][] => [
    [`crossEntropy, ${reduction}`, loss.crossEntropy({ reduction }), all, net()],
    [`crossEntropy, ignored, ${reduction}`, loss.crossEntropy({ reduction, ignoreIndex }), some, net()],
    [`crossEntropy, ignored and smoothed, ${reduction}`, loss.crossEntropy({ reduction, ignoreIndex, labelSmoothing: 0.2 }), some, net()],
    [`crossEntropy of probabilities, ${reduction}`, loss.crossEntropy({ reduction, labelSmoothing: 0.1 }), probabilities, net()],
    [`nll, ${reduction}`, loss.nll({ reduction }), all, net(logSoftmax)],
    [`nll, ignored, ${reduction}`, loss.nll({ reduction, ignoreIndex }), some, net(logSoftmax)],
    [`mse, ${reduction}`, loss.mse({ reduction }), numbers, net()],
    [`mae, ${reduction}`, loss.mae({ reduction }), numbers, net()],
    [`huber, ${reduction}`, loss.huber({ reduction, delta: 0.5 }), numbers, net()],
    [`smoothL1, ${reduction}`, loss.smoothL1({ reduction, beta: 0.5 }), numbers, net()],
    [`bce, ${reduction}`, loss.bce({ reduction }), truths, net(sigmoid)],
    [`bceWithLogits, ${reduction}`, loss.bceWithLogits({ reduction, posWeight: 3 }), truths, net()],
    [`bce, ignored, ${reduction}`, loss.bce({ reduction, ignoreIndex }), answered, net(sigmoid)],
    [`bceWithLogits, ignored, ${reduction}`, loss.bceWithLogits({ reduction, ignoreIndex, posWeight: 3 }), answered, net()],
    [`hinge, ${reduction}`, loss.hinge({ reduction }), signs, net()],
    [`kl, ${reduction}`, loss.kl({ reduction }), probabilities, net(logSoftmax)],
  ],
); // prettier-ignore

describe("a loss does not depend on the batch size", () => {
  it.each(cases)("%s", async (_, criterion, y, model) => {
    const set = data.fromArrays({ x, y });
    const whole = await train.evaluate(model, set, { loss: criterion, batchSize: rows });
    expect(Number.isFinite(whole.loss)).toBe(true);
    for (let batchSize = 1; batchSize < rows; batchSize++) {
      const parts = await train.evaluate(model, set, { loss: criterion, batchSize });
      expect(Math.abs(parts.loss - whole.loss) / Math.max(1, Math.abs(whole.loss)), `batches of ${batchSize}`).toBeLessThan(2e-6); // prettier-ignore
    }
  });

  it.each(cases)("nor does that of an epoch of training, nor of a validation: %s", async (_, criterion, y, model) => {
    const set = data.fromArrays({ x, y });
    const { loss: expected } = await train.evaluate(model, set, { loss: criterion });
    for (const batchSize of [1, 4, 5, rows]) {
      const { history } = await train.fit(model, set, {
        loss: criterion,
        optimizer: optim.sgd({ lr: 0 }),
        batchSize,
        validate: { on: set, batchSize: batchSize + 1 },
      });
      for (const figure of [history[0]!.metrics.loss, history[0]!.metrics["val.loss"]!])
        expect(Math.abs(figure - expected) / Math.max(1, Math.abs(expected)), `batches of ${batchSize}`).toBeLessThan(2e-6); // prettier-ignore
    }
  });

  // The task over the labels that count, the teacher's term over all rows: as of the whole set in one batch.
  const teacher = nn.sequential(nn.linear(3, classes));
  const kd = (alpha: Parameters<typeof distill.kd>[0]["alpha"]) => distill.kd({ teacher, temperature: 2, alpha });
  it.each([
    ["crossEntropy, some ignored", loss.crossEntropy({ ignoreIndex }), some, kd(0.3)],
    ["crossEntropy, all ignored", loss.crossEntropy({ ignoreIndex }), none, kd(0.3)],
    ["crossEntropy, none ignored", loss.crossEntropy(), all, kd(0.3)],
    ["nll, summed", loss.crossEntropy({ ignoreIndex, reduction: "sum" }), some, kd(0.3)],
    ["a schedule of alpha", loss.crossEntropy({ ignoreIndex }), some, kd(schedule.constant(0.6))],
    ["the teacher alone", loss.crossEntropy({ ignoreIndex }), some, kd(1)],
    [
      "two terms",
      loss.crossEntropy({ ignoreIndex }),
      some,
      distill.combine(kd(0.3), distill.hints({ teacher, layers: [{ student: "0", teacher: "0" }], weight: 0.2 })),
    ],
  ] as const)("nor does that of distillation: %s", async (_, criterion, y, terms) => {
    const set = data.fromArrays({ x, y });
    const of = async (batchSize: number) => {
      const options = { loss: criterion, distill: terms, optimizer: optim.sgd({ lr: 0 }), batchSize, shuffle: false };
      return (await train.fit(net(), set, options)).history[0]!.metrics.loss;
    };
    const whole = await of(rows);
    for (const batchSize of [1, 2, 4, 5, 11]) {
      expect(Math.abs((await of(batchSize)) - whole) / Math.max(1, Math.abs(whole)), `batches of ${batchSize}`).toBeLessThan(2e-6); // prettier-ignore
    }
  });

  it("of answers that are not there is that of float64 over the others, and refuses an answer as the mark", async () => {
    const scores = (await train.predict(net(), x)).data;
    let [sum, counted] = [0, 0];
    answered.data.forEach((t, i) => {
      if (t === -1) return;
      sum += Math.log1p(Math.exp(scores[i]!)) - t * scores[i]!;
      counted++;
    });
    const set = data.fromArrays({ x, y: answered });
    const { loss: value } = await train.evaluate(net(), set, {
      loss: loss.bceWithLogits({ ignoreIndex }),
      batchSize: 3,
    });
    expect(value).toBeCloseTo(sum / counted, 6);
    for (const wrong of [0, 1, 0.5, NaN]) {
      expect(() => loss.bce({ ignoreIndex: wrong })).toThrow("ignoreIndex must be a whole number other than 0 and 1");
    }
  });

  it("is that of float64 over the labels that count", async () => {
    const model = net();
    const scores = (await train.predict(model, x)).data;
    let sum = 0;
    let counted = 0;
    some.data.forEach((label, i) => {
      if (label === ignoreIndex) return;
      const row = Array.from(scores.subarray(i * classes, (i + 1) * classes));
      sum += Math.log(row.reduce((total, score) => total + Math.exp(score), 0)) - row[label]!;
      counted++;
    });
    const set = data.fromArrays({ x, y: some });
    const { loss: value } = await train.evaluate(model, set, {
      loss: loss.crossEntropy({ ignoreIndex }),
      batchSize: 2,
    });
    expect(value).toBeCloseTo(sum / counted, 6);
  });

  it("is NaN where every label is ignored", async () => {
    const set = data.fromArrays({ x, y: none });
    const criterion = loss.crossEntropy({ ignoreIndex });
    expect((await train.evaluate(net(), set, { loss: criterion, batchSize: 4 })).loss).toBeNaN();
    const model = net();
    const before = model.parameters().map((parameter) => parameter.readSync());
    const { history } = await train.fit(model, set, { loss: criterion, optimizer: optim.sgd({ lr: 1 }), batchSize: 4 });
    expect(history[0]!.metrics.loss).toBeNaN();
    expect(model.parameters().map((parameter) => parameter.readSync())).toEqual(before);
  });
});
