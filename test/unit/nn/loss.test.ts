// Losses and their gradients against float64 formulas written out naively, at points where those are exact enough, and at
// extremes where only stable forms give a number.
import { describe, expect, it } from "vitest";
import { ArgumentError, ShapeError } from "../../../lib/errors.js";
import * as loss from "../../../lib/loss/index.js";
import type { Loss } from "../../../lib/loss/index.js";
import { array, compile, valueAndGrad, type Tensor } from "../../../lib/tensor/index.js";
import { tolerances } from "../../tolerances.js";

type Formula = (x: number, t: number) => number;

const p = (x: number) => 1 / (1 + Math.exp(-x));
const scores = [-3.5, -1, -0.25, 0, 0.5, 1.5, 2.75, 4];
const binary = [0, 1, 1, 0, 1, 0, 1, 1];
const numbers = [0.5, -1, 0.25, 3, -2, 1.5, 2.5, 9];
const signs = binary.map((t) => 2 * t - 1);

const elementwise: [string, Loss, Formula, number[], number[]][] = [
  ["mse", loss.mse(), (x, t) => (x - t) ** 2, scores, numbers],
  ["mae", loss.mae(), (x, t) => Math.abs(x - t), scores, numbers],
  ["l1", loss.l1(), (x, t) => Math.abs(x - t), scores, numbers],
  ["huber", loss.huber({ delta: 1.5 }), (x, t) => huber(x - t, 1.5), scores, numbers],
  ["smoothL1", loss.smoothL1({ beta: 0.75 }), (x, t) => huber(x - t, 0.75) / 0.75, scores, numbers],
  ["hinge", loss.hinge(), (x, t) => Math.max(0, 1 - t * x), scores, signs],
  ["bce", loss.bce(), (x, t) => -(t * Math.log(x) + (1 - t) * Math.log(1 - x)), scores.map(p), binary],
  [
    "bceWithLogits",
    loss.bceWithLogits(),
    (x, t) => -(t * Math.log(p(x)) + (1 - t) * Math.log(1 - p(x))),
    scores,
    binary,
  ],
  [
    "bceWithLogits, weighted",
    loss.bceWithLogits({ posWeight: 3 }),
    (x, t) => -(3 * t * Math.log(p(x)) + (1 - t) * Math.log(1 - p(x))),
    scores,
    binary,
  ],
];

function huber(d: number, delta: number): number {
  return Math.abs(d) <= delta ? 0.5 * d * d : delta * (Math.abs(d) - 0.5 * delta);
}

/** Central differences of a formula that is exact to 1e-15. */
const slope = (f: Formula, x: number, t: number) => (f(x + 1e-5, t) - f(x - 1e-5, t)) / 2e-5;

const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

async function valueAndSlope(f: Loss, x: number[], t: number[], shape = [x.length]) {
  const step = compile(valueAndGrad((x: Tensor, t: Tensor) => f(x, t)));
  const { value, gradient } = await step.run(array(x, shape), array(t, shape));
  return { value: value.item(), gradient: [...gradient.data] };
}

function close(got: number, want: number, scale = Math.abs(want), room = 0) {
  expect(Math.abs(got - want)).toBeLessThanOrEqual(scale * tolerances.f32.relative + room);
}

describe("losses of numbers", () => {
  it.each(elementwise)("%s: the mean and its gradient", async (_, f, formula, x, t) => {
    // The formulas see the numbers as float32 holds them.
    const held = x.map(Math.fround);
    const { value, gradient } = await valueAndSlope(f, held, t);
    close(value, mean(held.map((x, i) => formula(x, t[i]!))));
    const want = held.map((x, i) => slope(formula, x, t[i]!) / held.length);
    const scale = Math.max(...want.map(Math.abs));
    gradient.forEach((g, i) => close(g, want[i]!, scale, 1e-9));
  });

  it.each(elementwise)("%s carries its name", (name, f) => {
    expect(f.name).toBe(name === "l1" ? "mae" : name.replace(/,.*/, ""));
  });

  it("sum and none are what the mean is made of", async () => {
    const run = async (reduction: "sum" | "none") => {
      const f = compile(loss.mse({ reduction }));
      return (await f.run(array([1, 2, 3]), array([3, 2, 0]))).toArray();
    };
    expect(await run("none")).toEqual([4, 0, 9]);
    expect(await run("sum")).toBe(13);
  });

  it("takes targets of any element type", async () => {
    const f = compile(loss.mse());
    expect((await f.run(array([1, 2]), array(Int32Array.of(3, 2)))).item()).toBe(2);
    expect((await f.run(array([1, 2]), array(Uint8Array.of(3, 2)))).item()).toBe(2);
  });

  it("fits a column to a list, and refuses what would broadcast", async () => {
    const f = compile(loss.mse());
    expect((await f.run(array([1, 2], [2, 1]), array([3, 2]))).item()).toBe(2);
    await expect(f.run(array([1, 2], [2, 1]), array([3, 2, 1]))).rejects.toThrow(
      "mse: prediction and target must have one shape, got [2, 1] and [3]",
    );
    await expect(f.run(array([1, 2, 3, 4], [2, 2]), array([1, 2]))).rejects.toThrow(ShapeError);
  });

  it("bceWithLogits is finite and exact at extreme scores", async () => {
    const { value, gradient } = await valueAndSlope(loss.bceWithLogits(), [1000, -1000, -1000, 1000], [1, 0, 1, 0]);
    expect(value).toBe(500);
    expect(gradient).toEqual([0, 0, -0.25, 0.25]);
  });

  it("bce holds its logarithms above -100, as PyTorch's", async () => {
    const { value, gradient } = await valueAndSlope(loss.bce(), [0, 1], [1, 0]);
    expect(value).toBe(100);
    expect(gradient.every(Number.isFinite)).toBe(true);
  });
});

describe("losses of classes", () => {
  const logits = [2, -1, 0.5, 0, 0, 3, -2, 1, 1].map(Math.fround);
  const labels = [2, 0, 1];
  const rows = [0, 1, 2].map((i) => logits.slice(3 * i, 3 * i + 3));
  const logSoftmax = rows.map((row) => row.map((x) => x - Math.log(row.reduce((sum, z) => sum + Math.exp(z), 0))));

  it("crossEntropy is the mean of -log softmax at the labels", async () => {
    const f = compile(loss.crossEntropy());
    const got = (await f.run(array(logits, [3, 3]), array(Int32Array.from(labels)))).item();
    close(got, mean(labels.map((label, i) => -logSoftmax[i]![label]!)));
  });

  it("crossEntropy takes sequences, bytes and probabilities", async () => {
    const want = mean([-logSoftmax[0]![2]!, -logSoftmax[1]![0]!]);
    const sequence = array(logits.slice(0, 6), [1, 2, 3]);
    const f = compile(loss.crossEntropy());
    close((await f.run(sequence, array(Uint8Array.of(2, 0), [1, 2]))).item(), want);
    close((await f.run(sequence, array([0, 0, 1, 1, 0, 0], [1, 2, 3]))).item(), want);
    const none = compile(loss.crossEntropy({ reduction: "none" }));
    expect((await none.run(sequence, array(Uint8Array.of(2, 0), [1, 2]))).shape).toEqual([1, 2]);
  });

  it("labels smoothed are the probabilities they stand for", async () => {
    const smooth = compile(loss.crossEntropy({ labelSmoothing: 0.3 }));
    const onLabels = (await smooth.run(array(logits, [3, 3]), array(Int32Array.from(labels)))).item();
    const hot = labels.flatMap((label) => [0, 1, 2].map((c) => Number(c === label)));
    const onProbabilities = (await smooth.run(array(logits, [3, 3]), array(hot, [3, 3]))).item();
    const want = mean(labels.map((label, i) => -(0.7 * logSoftmax[i]![label]! + 0.1 * sum(logSoftmax[i]!))));
    close(onLabels, want);
    close(onProbabilities, want);
  });

  const sum = (values: number[]) => values.reduce((total, value) => total + value, 0);

  it("ignored rows do not count; nothing left counts as 0", async () => {
    for (const make of [loss.crossEntropy, loss.nll]) {
      const f = compile(make({ ignoreIndex: -1 }));
      const x = array(make === loss.nll ? logSoftmax.flat() : logits, [3, 3]);
      const want = mean([-logSoftmax[0]![2]!, -logSoftmax[2]![1]!]);
      close((await f.run(x, array(Int32Array.of(2, -1, 1)))).item(), want);
      expect((await f.run(x, array(Int32Array.of(-1, -1, -1)))).item()).toBe(0);
    }
  });

  it("nll of a log-softmax is the cross-entropy", async () => {
    const f = compile((x: Tensor, y: Tensor) => loss.nll()(x.logSoftmax(), y));
    const got = (await f.run(array(logits, [3, 3]), array(Uint8Array.from(labels)))).item();
    close(got, mean(labels.map((label, i) => -logSoftmax[i]![label]!)));
  });

  it("kl is Σ t (log t − prediction) a row, with 0 log 0 = 0, and its gradient is −t", async () => {
    const t = [0, 0.25, 0.75, 1, 0, 0, 0.5, 0.25, 0.25];
    const want = t.reduce((total, t, i) => total + (t === 0 ? 0 : t * (Math.log(t) - logSoftmax.flat()[i]!)), 0) / 3;
    const { value, gradient } = await valueAndSlope(loss.kl(), logSoftmax.flat(), t, [3, 3]);
    close(value, want);
    gradient.forEach((g, i) => close(g, -t[i]! / 3));
  });

  it("names labels that do not fit", async () => {
    const f = compile(loss.crossEntropy());
    await expect(f.run(array(logits, [3, 3]), array(Int32Array.of(0, 1), [2]))).rejects.toThrow(
      "crossEntropy: labels [2] do not fit logits [3, 3], expected [3]",
    );
    await expect(f.run(array(logits, [3, 3]), array(Int32Array.of(0, 5, 1)))).rejects.toThrow(/label 5 of row 1/);
    await expect(f.run(array(logits, [3, 3]), array(Float64Array.of(0, 1.5, 1)))).rejects.toThrow(
      /got 1.5 at position 1/,
    );
    const n = compile(loss.nll());
    await expect(n.run(array(logits, [3, 3]), array([0, 1, 0.5]))).rejects.toThrow(/got 0.5 at position 2/);
    await expect(n.run(array(logits, [3, 3]), array(Int32Array.of(0)))).rejects.toThrow(ShapeError);
  });
});

describe("options of losses", () => {
  it("name the nearest option", () => {
    expect(() => loss.crossEntropy({ label_smoothing: 0.1 } as never)).toThrow(
      'loss.crossEntropy: unknown option "label_smoothing", did you mean "labelSmoothing"?',
    );
    expect(() => loss.huber({ detla: 1 } as never)).toThrow('did you mean "delta"?');
  });

  it("are checked for their range at once", () => {
    expect(() => loss.crossEntropy({ labelSmoothing: 1.5 })).toThrow(
      "loss.crossEntropy: labelSmoothing must be from 0 to 1, got 1.5",
    );
    expect(() => loss.mse({ reduction: "average" as never })).toThrow(
      'loss.mse: reduction must be one of "mean", "sum", "none", got "average"',
    );
    expect(() => loss.huber({ delta: 0 })).toThrow(ArgumentError);
  });
});
