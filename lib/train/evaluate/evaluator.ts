// One pass of a model over a data set, batches gathered and run natively, predictions handed out block by block.
import type { DeviceOption } from "../../device/index.js";
import { ArgumentError, ShapeError } from "../../errors.js";
import { isSource, type SampleType } from "../../data/index.js";
import type { Loss } from "../../loss/index.js";
import { feed, Module, type ModuleLike } from "../../nn/index.js";
import type { Preprocessing } from "../../preprocess/index.js";
import { viewOf } from "../../tensor/parameter.js";
import { NdArray, showShape, type Shape } from "../../tensor/nd-array.js";
import { sizeOf, type DType } from "../../tensor/dtype.js";
import { Program } from "../../tensor/program.js";
import { noteInput } from "../../tensor/signature.js";
import type { Tensor } from "../../tensor/tensor.js";
import { Trace, within } from "../../tensor/trace.js";
import type { Cancellation } from "../run/cancellation.js";
import { COUNT, countsOf, kindOfLoss, LossTotal, type LossKind } from "../step/loss-total.js";
import { DataPass, type BatchProgram, type PassChunk } from "../data/data-pass.js";
import { feedOf, typesOfData, type RunData } from "../data/run-data.js";
import { typesOf } from "../step/step-loops.js";

/** What {@link Evaluator} is made of. */
export interface EvaluatorSource {
  readonly where: string;
  readonly model: ModuleLike;
  /** Samples; their targets are needed for a loss. */
  readonly data: RunData | { readonly x: NdArray };
  readonly loss?: Loss | undefined;
  /** How x is to be read by a model that knows no rule. */
  readonly preprocessing?: Preprocessing | undefined;
  readonly batchSize: number;
  /** What it is compiled for. */
  readonly device?: DeviceOption | undefined;
  /** Whether predictions are handed out. */
  readonly collect: boolean;
  readonly cancellation: Cancellation;
}

/** Predictions of consecutive rows, with their targets where the samples have some. */
export type Block = (predictions: NdArray, firstRow: number, y: NdArray | undefined) => void | Promise<void>;

interface Outputs {
  readonly prediction: Tensor;
  readonly loss?: Tensor;
  readonly [COUNT]?: Tensor;
}

interface EvaluationProgram extends BatchProgram {
  readonly kind: LossKind;
  readonly prediction: { readonly dtype: DType; readonly shape: Shape };
}

// Collected predictions are copied on the JavaScript thread: this much takes about a millisecond.
const MOST_BYTES = 4 * 2 ** 20;

/** A model and a data set, compiled together; run it as often as the weights change. */
export class Evaluator {
  private readonly source: EvaluatorSource;
  private readonly types: Readonly<Record<string, SampleType>>;
  private readonly pass: DataPass<EvaluationProgram>;

  /** @throws ShapeError, DTypeError where model, data and loss do not fit. */
  constructor(source: EvaluatorSource) {
    const { data, model, where, loss, batchSize, collect, cancellation } = source;
    this.source = source;
    const length = isSource(data) ? data.length : data.x.shape[0];
    if (length === undefined ? !isSource(data) : length === 0) {
      throw new ArgumentError(`${where}: expected at least one sample${isSource(data) ? "" : `, got x ${showShape(data.x.shape)}`}`); // prettier-ignore
    }
    if (model instanceof Module) model.assignNames();
    const names = loss && "y" in data ? (["x", "y"] as const) : (["x"] as const);
    this.types = "y" in data ? typesOfData(data) : typesOf({ x: data.x });
    const rows = Math.min(batchSize, length ?? batchSize);
    const keepTargets = collect && "y" in data;
    this.pass = new DataPass({
      where,
      feed: feedOf(data as RunData, { where, cancellation, rows, shuffle: false, dropLast: false, seed: 0, keepTargets, names }), // prettier-ignore
      seconds: 0.04,
      compile: (batch) => this.compile(batch),
      results: ({ kind }) => ({
        record: loss ? ["loss", ...(countsOf(kind) > 0 ? [COUNT] : [])] : [],
        collect: collect ? ["prediction"] : [],
      }),
    });
    noteInput(model, this.types.x!);
  }

  /** Element type and shape of a prediction. */
  get prediction(): { readonly dtype: DType; readonly shape: Shape } {
    const { dtype, shape } = this.pass.full.prediction;
    return { dtype, shape: shape.slice(1) };
  }

  /**
   * One pass with the weights of now.
   *
   * @returns the mean loss over all rows that count, or the sum of a loss that is one; NaN without a loss, or if no row counts.
   * @throws AbortedError; what a step throws, such as for a label that is no class; what the source throws.
   */
  async run(block?: Block): Promise<number> {
    const total = new LossTotal();
    // No more at a time than the JavaScript thread copies in a millisecond.
    const most = Math.max(1, Math.floor(MOST_BYTES / bytesOf(this.pass.full.prediction)));
    await this.pass.run(this.source.cancellation, (chunk) => take(chunk, total, block), most);
    return this.source.loss ? total.value : NaN;
  }

  dispose(): void {
    this.pass.dispose();
  }

  private compile(batch: number): EvaluationProgram {
    const { where, model, loss, preprocessing, device } = this.source;
    const { x, y } = this.types;
    const trace = new Trace({ training: false, device });
    const outputs = within(trace, (): Outputs => {
      const prediction = feed(model, trace.input("x", x!.dtype, [batch, ...x!.shape]), preprocessing);
      if (prediction.shape[0] !== batch) {
        throw new ShapeError(
          `${where}: the model must give a row for each of the ${batch} samples, got ${showShape(prediction.shape)}`,
        );
      }
      if (!loss || !y) return { prediction };
      const value = loss(prediction, trace.input("y", y.dtype, [batch, ...y.shape]));
      const { count } = kindOfLoss(value);
      return { prediction, loss: value, ...(count && { [COUNT]: count }) };
    });
    const kind = outputs.loss ? kindOfLoss(outputs.loss).kind : "rows";
    trace.setOutputs({ ...outputs });
    const program = new Program(trace.compile(), where);
    const { dtype, shape } = outputs.prediction;
    return { program, trace, kind, prediction: { dtype, shape } };
  }
}

function take({ program, stretch, row, result }: PassChunk<EvaluationProgram>, total: LossTotal, block?: Block) {
  const { kind, prediction } = program;
  const { records, collected, steps } = result;
  const width = 1 + countsOf(kind);
  for (let i = 0; i < records.length; i += width) {
    total.add(kind, records[i]!, stretch.rows, [...records.subarray(i + 1, i + width)]);
  }
  const buffer = collected[0];
  if (!block || !buffer) return undefined;
  const { dtype, shape } = prediction;
  const rows = new NdArray(viewOf(dtype, buffer), [steps * stretch.rows, ...shape.slice(1)], dtype);
  return block(rows, row, stretch.y);
}

const bytesOf = ({ dtype, shape }: { dtype: DType; shape: Shape }): number =>
  Math.max(
    1,
    shape.reduce((product, extent) => product * extent, sizeOf[dtype]),
  );
