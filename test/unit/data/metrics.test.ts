import { describe, expect, it } from "vitest";
import { ArgumentError, ShapeError } from "../../../lib/errors.js";
import * as metrics from "../../../lib/metrics/index.js";
import { array } from "../../../lib/tensor/nd-array.js";

const labels = (...values: number[]) => array(Int32Array.from(values), [values.length]);

/** Scores that put the largest value at each predicted class. */
function scoresOf(classes: number, predicted: number[]) {
  const scores = new Float32Array(predicted.length * classes);
  predicted.forEach((c, i) => (scores[i * classes + c] = 1));
  return array(scores, [predicted.length, classes]);
}

describe("accuracy", () => {
  it("weighs batches by their size", () => {
    const pass = metrics.accuracy().start();
    pass.update(scoresOf(3, [0, 1, 2]), labels(0, 1, 2));
    pass.update(scoresOf(3, [0]), labels(1));
    expect(pass.result()).toBe(0.75);
  });

  it("takes the first of equal scores, and NaN as wrong", () => {
    const tie = array(Float32Array.of(1, 1, 0, 2, 2, 2), [2, 3]);
    expect(metrics.evaluate(metrics.accuracy(), tie, labels(0, 1))).toBe(0.5);
    const broken = array(Float32Array.of(NaN, 1, 3, 0), [2, 2]);
    expect(metrics.evaluate(metrics.accuracy(), broken, labels(1, 0))).toBe(0.5);
  });

  it("reads sequences: scores [B, T, C], labels [B, T]", () => {
    const { data } = scoresOf(4, [0, 1, 2, 3, 0, 1]);
    const score = metrics.evaluate(
      metrics.accuracy(),
      array(data, [2, 3, 4]),
      array(Uint8Array.of(0, 1, 2, 3, 1, 1), [2, 3]),
    );
    expect(score).toBeCloseTo(5 / 6, 15);
  });

  it("is NaN over nothing, and one metric serves two passes", () => {
    const metric = metrics.accuracy();
    expect(metric.start().result()).toBeNaN();
    const [a, b] = [metric.start(), metric.start()];
    a.update(scoresOf(2, [0]), labels(0));
    b.update(scoresOf(2, [0]), labels(1));
    expect([a.result(), b.result()]).toEqual([1, 0]);
  });
});

describe("topK", () => {
  const scores = array(Float32Array.of(4, 3, 2, 1, /**/ 1, 2, 3, 4, /**/ 5, 5, 5, 5), [3, 4]);
  it.each([
    [1, 1 / 3],
    [2, 1 / 3],
    [3, 3 / 3],
  ])("k = %i gives %d", (k, share) => {
    // Ranks of the labels: 0 → first, 1 → third, 2 → third of four equal ones.
    expect(metrics.evaluate(metrics.topK(k), scores, labels(0, 1, 2))).toBeCloseTo(share, 15);
  });

  it("is named after k and agrees with accuracy at k = 1", () => {
    expect(metrics.topK(5).name).toBe("top5");
    const random = array(
      Float32Array.from({ length: 700 }, (_, i) => Math.sin(i * i)),
      [100, 7],
    );
    const truth = array(
      Uint8Array.from({ length: 100 }, (_, i) => (i * 3) % 7),
      [100],
    );
    expect(metrics.evaluate(metrics.topK(1), random, truth)).toBe(metrics.evaluate(metrics.accuracy(), random, truth));
    expect(metrics.evaluate(metrics.topK(7), random, truth)).toBe(1);
  });
});

// The example of scikit-learn's documentation: macro precision 0.22…, recall 0.33…, F1 0.26….
describe("confusion and what follows from it", () => {
  const [truth, scores] = [labels(0, 1, 2, 0, 1, 2), scoresOf(3, [0, 2, 1, 0, 0, 1])];

  it("counts label by prediction", () => {
    const { classes, counts } = metrics.evaluate(metrics.confusionMatrix(), scores, truth);
    expect(classes).toBe(3);
    expect([...counts]).toEqual([2, 0, 0, 1, 0, 1, 0, 2, 0]);
  });

  it("macro precision, recall, F1", () => {
    expect(metrics.evaluate(metrics.precision(), scores, truth)).toBeCloseTo(2 / 9, 12);
    expect(metrics.evaluate(metrics.recall(), scores, truth)).toBeCloseTo(1 / 3, 12);
    expect(metrics.evaluate(metrics.f1(), scores, truth)).toBeCloseTo((2 * 2) / 5 / 3, 12);
  });

  it("leaves out classes that never occur", () => {
    expect(metrics.evaluate(metrics.recall(), scoresOf(10, [3, 4]), labels(3, 4))).toBe(1);
  });
});

describe("regression", () => {
  it("mean squared and mean absolute error", () => {
    const [p, t] = [array(Float32Array.of(1, 2, 3, 4), [2, 2]), array(Float32Array.of(1, 0, 0, 8), [2, 2])];
    expect(metrics.evaluate(metrics.mse(), p, t)).toBe((0 + 4 + 9 + 16) / 4);
    expect(metrics.evaluate(metrics.mae(), p, t)).toBe((0 + 2 + 3 + 4) / 4);
    expect(metrics.mse().better).toBe("lower");
  });
});

describe("yes and no", () => {
  const truth = array(Uint8Array.of(1, 0, 1, 0), [4]);
  const scores = array([2, -1, -3, 4], [4, 1]);

  it("counts on both sides of a threshold, which has to be named", () => {
    expect(metrics.evaluate(metrics.binaryAccuracy({ threshold: 0 }), scores, truth)).toBe(0.5);
    expect(metrics.evaluate(metrics.precision({ threshold: 0 }), scores, truth)).toBe(0.5);
    expect(() => metrics.binaryAccuracy(undefined as never)).toThrow(
      "metrics.binaryAccuracy: threshold must be a finite number, got undefined; write { threshold: 0 } for scores (loss.bceWithLogits), { threshold: 0.5 } for probabilities",
    );
  });

  it("a NaN score is a wrong answer, and has no rank", () => {
    const broken = array([NaN, NaN], [2]);
    const both = array(Uint8Array.of(0, 1), [2]);
    expect(metrics.evaluate(metrics.binaryAccuracy({ threshold: 0 }), broken, both)).toBe(0);
    expect(() => metrics.evaluate(metrics.rocAuc(), broken, both)).toThrow("the score of sample 0 is NaN");
  });

  it("the area takes two classes by two scores or one, and is not known while one is missing", () => {
    const two = array([0, 2, 0, -1, 0, -3, 0, 4], [4, 2]);
    const one = metrics.evaluate(metrics.rocAuc(), scores, truth);
    expect(one).toBe(0.25); // of the pairs, 2 > -1 alone is right
    expect(metrics.evaluate(metrics.rocAuc(), two, truth)).toBe(one);
    expect(metrics.evaluate(metrics.rocAuc(), scores, array(new Uint8Array(4), [4]))).toBeNaN();
    expect(metrics.rocAuc().start().result()).toBeNaN();
    expect(() => metrics.evaluate(metrics.rocAuc(), scoresOf(3, [0]), labels(0))).toThrow("metrics.accuracy()");
    expect(() => metrics.evaluate(metrics.rocAuc(), scores, labels(0, 1, 2, 1))).toThrow("neither 0 nor 1");
  });
});

describe("of numbers", () => {
  it("a column of predictions takes a list of targets, as losses do", () => {
    const [p, t] = [array([1, 2, 4], [3, 1]), array([1, 2, 3], [3])];
    for (const metric of [metrics.mae(), metrics.mse()]) expect(metrics.evaluate(metric, p, t)).toBeCloseTo(1 / 3, 12);
    expect(metrics.evaluate(metrics.r2(), p, t)).toBe(0.5);
    expect(metrics.evaluate(metrics.rmse(), t, p)).toBeCloseTo(Math.sqrt(1 / 3), 12);
  });

  it("r² says which way is better, and nothing of one sample", () => {
    expect([metrics.r2().better, metrics.rmse().better, metrics.rocAuc().better]).toEqual([
      "higher",
      "lower",
      "higher",
    ]);
    expect(metrics.evaluate(metrics.r2(), array([1]), array([1]))).toBeNaN();
    expect(metrics.r2().start().result()).toBeNaN();
  });
});

describe("errors", () => {
  it("name shapes, labels and the way out", () => {
    expect(() => metrics.evaluate(metrics.accuracy(), scoresOf(3, [0, 1]), labels(0))).toThrow(
      new ShapeError("metrics.accuracy: expected scores [n, classes] and labels [n], got [2, 3] and [1]"),
    );
    expect(() => metrics.evaluate(metrics.accuracy(), scoresOf(3, [0, 1]), labels(0, 3))).toThrow(
      new ArgumentError(
        "metrics.accuracy: label 3 at sample 1 is outside the 3 classes of the scores, expected an integer from 0 to 2",
      ),
    );
    expect(() => metrics.evaluate(metrics.mse(), scoresOf(2, [0]), labels(0, 1))).toThrow(
      new ShapeError(
        "metrics.mse: predictions and targets must have one shape, got [1, 2] and [2]; reshape one of them",
      ),
    );
    expect(() => metrics.evaluate(metrics.f1(), array(Float32Array.of(NaN, 1), [1, 2]), labels(0))).toThrow(
      new ArgumentError("metrics.f1: the scores of sample 0 hold NaN, which is no prediction"),
    );
    expect(() => metrics.topK(0)).toThrow(new ArgumentError("metrics.topK: k must be a whole number from 1 on, got 0"));
    const pass = metrics.confusionMatrix().start();
    pass.update(scoresOf(3, [0]), labels(0));
    expect(() => pass.update(scoresOf(4, [0]), labels(0))).toThrow(
      /expected scores of 3 classes as in earlier batches, got 4/,
    );
  });
});
