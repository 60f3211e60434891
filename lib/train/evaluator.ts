// One pass of a model over a data set, batches gathered and run natively, predictions handed out block by block.
import { ArgumentError, ShapeError } from "../errors.js";
import { addon, call, callAsync, type NativeDataset, type NativeLoop } from "../native/index.js";
import type { Loss } from "../loss/index.js";
import { feed, Module, type ModuleLike } from "../nn/index.js";
import type { Preprocessing } from "../preprocess/index.js";
import { viewOf } from "../tensor/parameter.js";
import { NdArray, showShape, type Shape } from "../tensor/nd-array.js";
import { sizeOf, type DType } from "../tensor/dtype.js";
import { aborted, Program } from "../tensor/program.js";
import { noteInput } from "../tensor/signature.js";
import type { Tensor } from "../tensor/tensor.js";
import { Trace, within } from "../tensor/trace.js";
import type { Cancellation } from "./cancellation.js";
import { COUNT, kindOfLoss, LossTotal, type LossKind } from "./loss-total.js";
import { Pace } from "./pace.js";

/** What {@link Evaluator} is made of. */
export interface EvaluatorSource {
  readonly where: string;
  readonly model: ModuleLike;
  readonly x: NdArray;
  /** Needed for a loss. */
  readonly y?: NdArray | undefined;
  readonly loss?: Loss | undefined;
  /** How x is to be read by a model that knows no rule. */
  readonly preprocessing?: Preprocessing | undefined;
  readonly batchSize: number;
  /** Whether predictions are handed out. */
  readonly collect: boolean;
}

/** Predictions of consecutive rows. */
export type Block = (predictions: NdArray, firstRow: number) => void | Promise<void>;

interface Outputs {
  readonly prediction: Tensor;
  readonly loss?: Tensor;
  readonly [COUNT]?: Tensor;
}

interface Part {
  readonly program: Program;
  readonly trace: Trace;
  readonly loop: NativeLoop;
  readonly batch: number;
  readonly kind: LossKind;
  readonly prediction: { readonly dtype: DType; readonly shape: Shape };
}

// Collected predictions are copied on the JavaScript thread: this much takes about a millisecond.
const MOST_BYTES = 4 * 2 ** 20;

/** A model and a data set, compiled together; run it as often as the weights change. */
export class Evaluator {
  readonly rows: number;
  private readonly source: EvaluatorSource;
  private readonly dataset: NativeDataset;
  private readonly parts: Part[] = [];
  private readonly pace = new Pace(0.04);

  /** @throws ShapeError, DTypeError where model, data and loss do not fit. */
  constructor(source: EvaluatorSource) {
    const { x, y, model, where } = source;
    this.source = source;
    this.rows = x.shape[0] ?? 0;
    if (this.rows === 0) throw new ArgumentError(`${where}: expected at least one sample, got x ${showShape(x.shape)}`);
    if (model instanceof Module) model.assignNames();
    const columns = Object.entries({ x, ...(y ? { y } : {}) }).map(([name, { dtype, shape, data }]) => ({
      name,
      dtype,
      shape,
      data,
    }));
    this.dataset = call(() => new addon.Dataset(columns));
    try {
      const batch = Math.min(source.batchSize, this.rows);
      this.parts.push(this.compile(batch));
      if (this.rows % batch > 0) this.parts.push(this.compile(this.rows % batch));
    } catch (thrown) {
      this.dispose();
      throw thrown;
    }
    noteInput(model, { dtype: x.dtype, shape: x.shape.slice(1) });
  }

  /** Element type and shape of the predictions of all rows. */
  get prediction(): { readonly dtype: DType; readonly shape: Shape } {
    const { dtype, shape } = this.parts[0]!.prediction;
    return { dtype, shape: [this.rows, ...shape.slice(1)] };
  }

  /**
   * One pass with the weights of now.
   *
   * @returns the mean loss over all rows that count, or the sum of a loss that is one; NaN without a loss, or if no row counts.
   * @throws AbortedError; what a step throws, such as for a label that is no class.
   */
  async run(cancellation: Cancellation, block?: Block): Promise<number> {
    const total = new LossTotal();
    let row = 0;
    for (const part of this.parts) {
      const until = row + Math.floor((this.rows - row) / part.batch) * part.batch;
      while (row < until) {
        const left = (until - row) / part.batch;
        const steps = Math.min(this.pace.next(left), Math.max(1, Math.floor(MOST_BYTES / bytesOf(part.prediction))));
        const request = { seed: 0, epoch: 0, shuffle: false, firstRow: row, steps, firstStep: row };
        const result = await callAsync(() => part.loop.run(request, cancellation.native), this.source.where);
        this.pace.note(result.steps, result.seconds);
        if (result.cancelled) throw aborted(this.source.where, cancellation.signal ?? AbortSignal.abort());
        const { records } = result;
        const width = part.kind === "count" ? 2 : 1;
        for (let i = 0; i < records.length; i += width) total.add(part.kind, records[i]!, part.batch, records[i + 1]);
        const rows = result.steps * part.batch;
        const buffer = result.collected[0];
        if (block && buffer) {
          const { dtype, shape } = part.prediction;
          await block(new NdArray(viewOf(dtype, buffer), [rows, ...shape.slice(1)], dtype), row);
        }
        row += rows;
      }
    }
    return this.source.loss ? total.value : NaN;
  }

  dispose(): void {
    for (const { loop, program, trace } of this.parts) {
      loop.dispose();
      program.dispose();
      trace.graph.dispose();
    }
    this.dataset.dispose();
  }

  private compile(batch: number): Part {
    const { where, model, x, y, loss, collect, preprocessing } = this.source;
    const trace = new Trace({ training: false });
    const outputs = within(trace, (): Outputs => {
      const prediction = feed(model, trace.input("x", x.dtype, [batch, ...x.shape.slice(1)]), preprocessing);
      if (prediction.shape[0] !== batch) {
        throw new ShapeError(
          `${where}: the model must give a row for each of the ${batch} samples, got ${showShape(prediction.shape)}`,
        );
      }
      if (!loss || !y) return { prediction };
      const value = loss(prediction, trace.input("y", y.dtype, [batch, ...y.shape.slice(1)]));
      const { count } = kindOfLoss(value);
      return { prediction, loss: value, ...(count && { [COUNT]: count }) };
    });
    const kind = outputs.loss ? kindOfLoss(outputs.loss).kind : "rows";
    trace.setOutputs({ ...outputs });
    const program = new Program(trace.compile(), where);
    const loop = call(
      () =>
        new addon.Loop(program.native, this.dataset, {
          record: outputs.loss ? ["loss", ...(kind === "count" ? [COUNT] : [])] : [],
          collect: collect ? ["prediction"] : [],
        }),
    );
    const { dtype, shape } = outputs.prediction;
    return { program, trace, loop, batch, kind, prediction: { dtype, shape } };
  }
}

const bytesOf = ({ dtype, shape }: { dtype: DType; shape: Shape }): number =>
  Math.max(
    1,
    shape.reduce((product, extent) => product * extent, sizeOf[dtype]),
  );
