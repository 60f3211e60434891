// Metrics over a data set: fed in slices, so that the event loop runs in between.
import { ArgumentError } from "../../errors.js";
import { spelled, uncalled } from "../../guidance/factories.js";
import { got } from "../../names/got.js";
import type { Accumulator, Metric } from "../../metrics/index.js";
import { rowsOf } from "../../data/rows.js";
import { countOf, showShape, type NdArray } from "../../tensor/nd-array.js";

/** Metrics by the name under which their results appear. */
export type MetricSet = Readonly<Record<string, Metric<unknown>>>;

/** The results of metrics by name. */
export type MetricResults<Metrics extends MetricSet> = {
  readonly [Name in keyof Metrics]: Metrics[Name] extends Metric<infer Result> ? Result : never;
};

// 10,000 rows of 10 classes take tens of milliseconds in one go.
const SLICE_ROWS = 256;
const SLICE_MS = 1.5;

/** One pass of several metrics. */
export class MetricPass {
  private readonly passes: readonly (readonly [name: string, pass: Accumulator<unknown>])[];

  constructor(metrics: MetricSet) {
    this.passes = Object.entries(metrics).map(([name, metric]) => [name, metric.start()] as const);
  }

  /** Takes in the predictions of consecutive rows, with their targets. */
  async update(predictions: NdArray, y: NdArray): Promise<void> {
    const rows = predictions.shape[0]!;
    let since = performance.now();
    for (let start = 0; start < rows; start += SLICE_ROWS) {
      const end = Math.min(rows, start + SLICE_ROWS);
      requireAttached(y);
      const part = rowsOf(predictions, start, end);
      const truth = rowsOf(y, start, end);
      for (const [, pass] of this.passes) pass.update(part, truth);
      if (performance.now() - since < SLICE_MS) continue;
      await new Promise((resolve) => setImmediate(resolve));
      since = performance.now();
    }
  }

  results(): Record<string, unknown> {
    return Object.fromEntries(this.passes.map(([name, pass]) => [name, pass.result()]));
  }
}

function requireAttached(y: NdArray): void {
  if (y.data.length === countOf(y.shape)) return;
  throw new ArgumentError(
    `metrics: the memory of y ${showShape(y.shape)} was transferred away while it was being read; hand postMessage a copy: y.data.slice()`,
  );
}

/** @throws ArgumentError unless `metrics` is a record of metrics, none of them named "loss". */
export function checkMetrics(where: string, metrics: unknown): asserts metrics is MetricSet {
  if (typeof metrics !== "object" || metrics === null || Array.isArray(metrics)) {
    throw new ArgumentError(
      `${where}: metrics must be a record such as { accuracy: metrics.accuracy() }, got ${got(metrics)}`,
    );
  }
  for (const [name, metric] of Object.entries(metrics)) {
    if (name === "loss") throw new ArgumentError(`${where}: a metric cannot be named "loss", that is the loss itself`);
    if (typeof (metric as Partial<Metric> | undefined)?.start === "function") continue;
    const way =
      uncalled(metric) ??
      spelled("metrics", metric) ??
      (typeof metric === "function" ? "call it" : undefined) ??
      "write one of metrics, such as metrics.accuracy()";
    throw new ArgumentError(`${where}: "${name}" is not a metric, got ${got(metric)}; ${way}`);
  }
}
