// What a model makes of a data set: predictions, a loss, metrics.
import { requireCount } from "../../guidance/arguments.js";
import { deviceName, type DeviceOption } from "../../device/index.js";
import { ArgumentError, checkOptions } from "../../errors.js";
import type { BatchSource, Samples } from "../../data/index.js";
import type { Loss } from "../../loss/index.js";
import { requireLoss } from "../../loss/loss.js";
import { got } from "../../names/got.js";
import { requireModule, type ModuleLike } from "../../nn/module.js";
import { allocate } from "../../tensor/dtype.js";
import { countOf, NdArray } from "../../tensor/nd-array.js";
import { aborted } from "../../tensor/program.js";
import { Cancellation } from "../run/cancellation.js";
import { Evaluator } from "./evaluator.js";
import { requireOneRule } from "../known.js";
import { checkedData, infoOfData } from "../data/run-data.js";
import { checkMetrics, MetricPass, type MetricResults, type MetricSet } from "./metric-pass.js";

/** Options of {@link predict}. */
export interface PredictOptions {
  /** Samples at a time. Default 256. */
  readonly batchSize?: number | undefined;
  /** What it runs on. Default "cpu". */
  readonly device?: DeviceOption | undefined;
  /** Gives the work up. */
  readonly signal?: AbortSignal | undefined;
}

/** Options of {@link evaluate}. */
export interface EvaluateOptions<
  Metrics extends MetricSet = MetricSet,
  Criterion extends Loss | undefined = Loss | undefined,
> extends PredictOptions {
  /** Its mean over all samples that count is reported as `loss`. Default none. */
  readonly loss?: Criterion;
  /** By the name under which their results appear. Default none. */
  readonly metrics?: Metrics | undefined;
}

/** What {@link evaluate} gives: a result for each metric, and `loss` if one was asked for. */
export type Evaluation<Metrics extends MetricSet, Criterion extends Loss | undefined = Loss> = MetricResults<Metrics> &
  ([Criterion] extends [Loss] ? { readonly loss: number } : { readonly loss?: number });

const defaultBatch = 256;

/**
 * The model's results for all rows of x [n, …], in order. Layers behave as in use, not as in training.
 *
 * @throws ShapeError where model and data do not fit; AbortedError.
 * @example
 * const model = nn.sequential(nn.flatten(), nn.linear(4, 2));
 * const y = await train.predict(model, array(new Float32Array(12), [3, 2, 2])); // (3, 2)
 */
export async function predict(model: ModuleLike, x: NdArray, options: PredictOptions = {}): Promise<NdArray> {
  const where = "train.predict";
  checkOptions(where, options, ["batchSize", "device", "signal"]);
  const { batchSize = defaultBatch, signal } = options;
  const device = deviceName(where, options.device);
  requireCount(where, "batchSize", batchSize);
  requireModule(where, model);
  if (!(x instanceof NdArray))
    throw new ArgumentError(`${where}: expected an array made by array(values, shape), got ${got(x)}`);
  if (signal?.aborted) throw aborted(where, signal);
  const cancellation = new Cancellation(signal);
  const evaluator = new Evaluator({ where, model, data: { x }, batchSize, device, collect: true, cancellation });
  try {
    const { dtype, shape } = evaluator.prediction;
    const width = countOf(shape);
    const rows = x.shape[0]!;
    const all = allocate(dtype, rows * width);
    await evaluator.run((block, row) => all.set(block.data, row * width));
    return new NdArray(all, [rows, ...shape], dtype);
  } finally {
    evaluator.dispose();
    cancellation.release();
  }
}

/**
 * Loss and metrics of a model over a data set, or over an epoch of a source. Layers behave as in use, not as in training.
 *
 * The loss is the mean over all samples that count, whatever the batch size, or the sum of a loss with reduction "sum"; it is NaN
 * where every label is ignored, and left out without `loss`. A loss computed from several others is weighted by the samples of each batch.
 *
 * @throws ShapeError where model, data and loss do not fit; ArgumentError for a label that is no class; AbortedError.
 * @example
 * const set = data.fromArrays({ x: array(new Float32Array(8), [4, 2]), y: array(Uint8Array.of(0, 1, 2, 0)) });
 * const { accuracy } = await train.evaluate(nn.linear(2, 3), set, { metrics: { accuracy: metrics.accuracy() } });
 */
export async function evaluate<
  // eslint-disable-next-line @typescript-eslint/no-generated-empty-object-type -- no metrics: no metrics of metrics
  const Metrics extends MetricSet = Record<never, never>,
  Criterion extends Loss | undefined = undefined,
>(
  model: ModuleLike,
  dataset: Samples | BatchSource,
  options: EvaluateOptions<Metrics, Criterion> = {},
): Promise<Evaluation<Metrics, Criterion>> {
  const where = "train.evaluate";
  requireModule(where, model);
  const data = checkedData(where, dataset);
  checkOptions(where, options, ["loss", "metrics", "batchSize", "device", "signal"]);
  const device = deviceName(where, options.device);
  const { loss, metrics = {}, batchSize = defaultBatch, signal } = options;
  requireCount(where, "batchSize", batchSize);
  checkMetrics(where, metrics);
  if (loss !== undefined) requireLoss(where, loss);
  const info = infoOfData(data);
  requireOneRule(where, model, info);
  const { preprocessing } = info;
  if (signal?.aborted) throw aborted(where, signal);
  const cancellation = new Cancellation(signal);
  const collect = Object.keys(metrics).length > 0;
  const evaluator = new Evaluator({
    where,
    model,
    data,
    loss,
    batchSize,
    device,
    collect,
    preprocessing,
    cancellation,
  });
  try {
    const pass = new MetricPass(metrics);
    const value = await evaluator.run((block, _, y) => pass.update(block, y!));
    return { ...pass.results(), ...(loss && { loss: value }) } as Evaluation<Metrics, Criterion>;
  } finally {
    evaluator.dispose();
    cancellation.release();
  }
}
