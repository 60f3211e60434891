// Metrics of labels of which some do not count: whatever the batch size, evaluation and validation give what float64 gives of the
// samples that count, by the textbook's formula written out here.
import { describe, expect, it } from "vitest";
import { array, loss, metrics, nn, optim, train, type NdArray } from "../../lib/index.js";

const rows = 23;
const classes = 4;
const wave = (length: number, k: number) => Float32Array.from({ length }, (_, i) => Math.sin(k * i + 1));
const scores = array(wave(rows * classes, 1.7), [rows, classes]);
const one = array(
  wave(rows, 2.3).map((x) => Math.round(4 * x) / 4), // ties
  [rows, 1],
);
const two = array(wave(rows * 2, 0.7), [rows, 2]);

interface Sample {
  readonly row: readonly number[];
  readonly label: number;
}
type Reference = (samples: readonly Sample[]) => number;

const mean = (values: readonly number[]) => values.reduce((sum, x) => sum + x, 0) / values.length;
const taken = ({ row }: Sample) => row.indexOf(Math.max(...row));
const share = (right: (sample: Sample) => boolean): Reference => (samples) => mean(samples.map((s) => (right(s) ? 1 : 0))); // prettier-ignore
const over = (part: number, whole: number) => (whole === 0 ? 0 : part / whole);
const count = (samples: readonly Sample[], of: (sample: Sample) => boolean) => samples.filter(of).length;
type PerClass = (hit: number, predicted: number, seen: number) => number;
const macro =
  (score: PerClass): Reference =>
  (samples) => {
    const present = [0, 1, 2, 3].filter((c) => samples.some((s) => s.label === c || taken(s) === c));
    return mean(
      present.map((c) =>
        score(
          count(samples, (s) => s.label === c && taken(s) === c),
          count(samples, (s) => taken(s) === c),
          count(samples, (s) => s.label === c),
        ),
      ),
    );
  };
const positive =
  (score: PerClass): Reference =>
  (samples) =>
    samples.length === 0
      ? NaN
      : score(
          count(samples, ({ row, label }) => label === 1 && row[0]! > 0),
          count(samples, ({ row }) => row[0]! > 0),
          count(samples, ({ label }) => label === 1),
        );
const area =
  (score: (row: readonly number[]) => number): Reference =>
  (samples) => {
    const of = (truth: number) => samples.filter(({ label }) => label === truth).map(({ row }) => score(row));
    return mean(of(1).flatMap((yes) => of(0).map((no) => (yes > no ? 1 : yes === no ? 0.5 : 0))));
  };
const precision: PerClass = (hit, predicted) => over(hit, predicted);
const recall: PerClass = (hit, _, seen) => over(hit, seen);
const f1: PerClass = (hit, predicted, seen) => over(2 * hit, predicted + seen);
const amongTop =
  (k: number) =>
  ({ row, label }: Sample) =>
    row.filter((x) => x > row[label]!).length < k;

type Make = (ignoreIndex: number) => metrics.Metric;
const cases: readonly [string, NdArray, Make, Reference][] = [
  ["accuracy", scores, (ignoreIndex) => metrics.accuracy({ ignoreIndex }), share((s) => taken(s) === s.label)],
  ["topK", scores, (ignoreIndex) => metrics.topK(2, { ignoreIndex }), share(amongTop(2))],
  ["precision", scores, (ignoreIndex) => metrics.precision({ ignoreIndex }), macro(precision)],
  ["recall", scores, (ignoreIndex) => metrics.recall({ ignoreIndex }), macro(recall)],
  ["f1", scores, (ignoreIndex) => metrics.f1({ ignoreIndex }), macro(f1)],
  ["precision of class 1", one, (ignoreIndex) => metrics.precision({ threshold: 0, ignoreIndex }), positive(precision)],
  ["recall of class 1", one, (ignoreIndex) => metrics.recall({ threshold: 0, ignoreIndex }), positive(recall)],
  ["f1 of class 1", one, (ignoreIndex) => metrics.f1({ threshold: 0, ignoreIndex }), positive(f1)],
  ["binaryAccuracy", one, (ignoreIndex) => metrics.binaryAccuracy({ threshold: 0, ignoreIndex }), share(({ row, label }) => (row[0]! > 0 ? 1 : 0) === label)],
  ["rocAuc", one, (ignoreIndex) => metrics.rocAuc({ ignoreIndex }), area(([score]) => score!)],
  ["rocAuc of two scores", two, (ignoreIndex) => metrics.rocAuc({ ignoreIndex }), area(([no, yes]) => yes! - no!)],
]; // prettier-ignore

/** Labels of as many classes as the scores tell apart, some or all of them ignored. */
function labelsFor(x: NdArray, ignore: number, which: (i: number) => boolean): NdArray {
  const known = x === scores ? classes : 2;
  const values = Int32Array.from({ length: rows }, (_, i) => (which(i) ? ignore : (i * 7 + (i >> 2)) % known));
  return ignore < 0 ? array(values, [rows]) : array(Uint8Array.from(values), [rows]);
}

function kept(x: NdArray, y: NdArray, ignore: number): Sample[] {
  const width = x.shape[1]!;
  const samples = Array.from(y.data, (label, i) => ({ row: Array.from(x.data.slice(i * width, (i + 1) * width)), label })); // prettier-ignore
  return samples.filter(({ label }) => label !== ignore);
}

const same = nn.sequential((x) => x.mul(1));
const some = (i: number) => i % 3 === 0 || (i > 8 && i < 14); // whole batches among them

describe("a metric does not depend on the batch size, and ignored labels do not count", () => {
  describe.each([-1, -100, 255])("ignoreIndex %i", (ignore) => {
    it.each(cases)("%s", async (_, x, make, reference) => {
      const y = labelsFor(x, ignore, some);
      const expected = reference(kept(x, y, ignore));
      expect(expected).toBeGreaterThan(0);
      for (let batchSize = 1; batchSize <= rows; batchSize++) {
        const { metric } = await train.evaluate(same, { x, y }, { metrics: { metric: make(ignore) }, batchSize });
        expect(metric, `batches of ${batchSize}`).toBeCloseTo(expected, 14);
      }
    });
  });

  it.each(cases)("a class may be the ignored one: %s", (_, x, make, reference) => {
    const y = labelsFor(x, 3, (i) => i === 2); // padding, a class like others
    const expected = reference(kept(x, y, 3));
    expect(metrics.evaluate(make(3), x, y)).toBeCloseTo(expected, 14);
  });

  it.each(cases)("NaN where every label is ignored, as the loss: %s", async (_, x, make) => {
    const y = labelsFor(x, -1, () => true);
    const broken = array(new Float32Array(x.data.length).fill(NaN), x.shape);
    expect(metrics.evaluate(make(-1), broken, y)).toBeNaN(); // and the scores there are not looked at
    const { metric } = await train.evaluate(same, { x, y }, { metrics: { metric: make(-1) }, batchSize: 4 });
    expect(metric).toBeNaN();
    expect(make(-1).start().result()).toBeNaN();
  });

  it.each(cases)("in the validation of a run: %s", async (_, x, make, reference) => {
    const y = labelsFor(x, -1, some);
    const expected = reference(kept(x, y, -1));
    const width = x.shape[1]!;
    const eye = Float32Array.from({ length: width * width }, (_, i) => (i % (width + 1) === 0 ? 1 : 0));
    const layer = nn.linear(width, width, { bias: false });
    layer.parameters()[0]!.write(array(eye, [width, width]));
    const criterion = loss.crossEntropy({ ignoreIndex: -1 });
    for (const batchSize of [1, 5, rows]) {
      const { history } = await train.fit(layer, { x, y }, {
        loss: width > 1 ? criterion : (p) => p.mul(0).mean(),
        optimizer: optim.sgd({ lr: 0 }),
        validate: { on: { x, y }, batchSize, metrics: { metric: make(-1) } },
      }); // prettier-ignore
      expect(history[0]!.metrics["val.metric"]).toBeCloseTo(expected, 14);
    }
  });

  it("the matrix counts what is kept, of sequences too", () => {
    const y = labelsFor(scores, -1, some);
    const { counts } = metrics.evaluate(metrics.confusionMatrix({ ignoreIndex: -1 }), scores, y);
    const expected = new Array<number>(16).fill(0);
    for (const s of kept(scores, y, -1)) expected[s.label * classes + taken(s)]!++;
    expect([...counts]).toEqual(expected);
    const tokens = { x: array(scores.data.slice(0, 22 * 4), [11, 2, 4]), y: array(y.data.slice(0, 22), [11, 2]) };
    const flat = { x: array(scores.data.slice(0, 22 * 4), [22, 4]), y: array(y.data.slice(0, 22), [22]) };
    const metric = metrics.accuracy({ ignoreIndex: -1 });
    expect(metrics.evaluate(metric, tokens.x, tokens.y)).toBe(metrics.evaluate(metric, flat.x, flat.y));
  });

  it.each([
    ["a fraction", () => metrics.accuracy({ ignoreIndex: 0.5 }), "metrics.accuracy: ignoreIndex must be a whole number"],
    ["another name", () => metrics.f1({ ignore_index: -1 } as never), '"ignoreIndex"'],
    ["a threshold for a matrix", () => metrics.confusionMatrix({ threshold: 0 } as never), 'unknown option "threshold"'],
    ["a threshold that is not there", () => metrics.f1({ threshold: undefined }), "threshold must be a finite number"],
    ["labels to be ignored", () => metrics.evaluate(metrics.accuracy(), scores, labelsFor(scores, -1, some)), "{ ignoreIndex: -1 } leaves such samples out"],
    ["answers to be ignored", () => metrics.evaluate(metrics.rocAuc(), one, labelsFor(one, -1, some)), "{ ignoreIndex: -1 } leaves such samples out"],
  ])("says what is wrong with %s", (_, make, message) => {
    expect(make).toThrow(message);
  }); // prettier-ignore
});

describe("the metrics as monitors of early stopping", () => {
  // Rates that overshoot: metrics rise and fall, and the best epoch is neither the first nor the last for some of them.
  const n = 60;
  const x = array(wave(n * 3, 1.3), [n, 3]);
  const numbers = array(
    Float32Array.from({ length: n }, (_, i) => Math.sin(3.9 * i + 1) * 3 + 1),
    [n, 1],
  );
  const answers = array(
    Uint8Array.from({ length: n }, (_, i) => (Math.sin(3.9 * i + 1) > 0.2 ? 1 : 0)),
    [n, 1],
  );
  const kinds = array(
    Int32Array.from({ length: n }, (_, i) => (i % 5 === 0 ? -1 : (i * i) % 3)),
    [n],
  );
  const ignoreIndex = -1;

  it.each([
    ["r2", metrics.r2(), numbers, 1, loss.mse()],
    ["rmse", metrics.rmse(), numbers, 1, loss.mse()],
    ["mae", metrics.mae(), numbers, 1, loss.mse()],
    ["rocAuc", metrics.rocAuc(), answers, 1, loss.bceWithLogits()],
    ["f1 of class 1", metrics.f1({ threshold: 0 }), answers, 1, loss.bceWithLogits()],
    ["binaryAccuracy", metrics.binaryAccuracy({ threshold: 0 }), answers, 1, loss.bceWithLogits()],
    ["f1", metrics.f1({ ignoreIndex }), kinds, 3, loss.crossEntropy({ ignoreIndex })],
    ["topK", metrics.topK(2, { ignoreIndex }), kinds, 3, loss.crossEntropy({ ignoreIndex })],
  ] as const)("%s: the best weights are those of its best value, in its own direction", async (_, metric, y, width, criterion) => {
    for (const lr of [0.05, 0.7, 1.4]) {
      const model = nn.linear(3, width);
      const run = await train.fit(model, { x, y }, {
        loss: criterion,
        optimizer: optim.sgd({ lr }),
        batchSize: 15,
        epochs: 8,
        validate: { on: { x, y }, batchSize: 7, metrics: { watched: metric } },
        earlyStopping: { monitor: "val.watched", patience: 3 },
      });
      const values = run.history.map(({ metrics }) => metrics["val.watched"]!);
      const best = metric.better === "higher" ? Math.max(...values) : Math.min(...values);
      expect(run.best!.epoch).toBe(values.indexOf(best));
      if (run.stopped === "early") expect(run.history.length).toBe(run.best!.epoch + 4);
      else expect(run.history.length).toBe(8);
      expect((await train.evaluate(model, { x, y }, { metrics: { watched: metric } })).watched).toBeCloseTo(best, 12);
    }
  }); // prettier-ignore
});
