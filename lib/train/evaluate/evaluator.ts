// One pass of a model over a data set, batches gathered and run natively, predictions handed out block by block.
import type { DeviceOption } from "../../device/index.js";
import { ArgumentError, ShapeError } from "../../errors.js";
import { isSource, type SampleType } from "../../data/index.js";
import { addon, call, callAsync, type NativeDataset, type NativeLoop } from "../../native/index.js";
import type { Loss } from "../../loss/index.js";
import { feed, Module, type ModuleLike } from "../../nn/index.js";
import type { Preprocessing } from "../../preprocess/index.js";
import { viewOf } from "../../tensor/parameter.js";
import { NdArray, showShape, type Shape } from "../../tensor/nd-array.js";
import { sizeOf, type DType } from "../../tensor/dtype.js";
import { aborted, Program } from "../../tensor/program.js";
import { noteInput } from "../../tensor/signature.js";
import type { Tensor } from "../../tensor/tensor.js";
import { Trace, within } from "../../tensor/trace.js";
import type { Cancellation } from "../run/cancellation.js";
import { COUNT, countsOf, kindOfLoss, LossTotal, type LossKind } from "../step/loss-total.js";
import type { Feed, Stretch } from "../data/feed.js";
import { ChunkSizer } from "../step/chunk-sizer.js";
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

interface Part {
  readonly program: Program;
  readonly trace: Trace;
  readonly loops: Map<NativeDataset, NativeLoop>;
  readonly kind: LossKind;
  readonly prediction: { readonly dtype: DType; readonly shape: Shape };
}

// Collected predictions are copied on the JavaScript thread: this much takes about a millisecond.
const MOST_BYTES = 4 * 2 ** 20;

/** A model and a data set, compiled together; run it as often as the weights change. */
export class Evaluator {
  private readonly source: EvaluatorSource;
  private readonly types: Readonly<Record<string, SampleType>>;
  private readonly feed: Feed;
  private readonly parts = new Map<number, Part>();
  private readonly chunkSizer = new ChunkSizer(0.04);

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
    this.feed = feedOf(data as RunData, { where, cancellation, rows, shuffle: false, dropLast: false, seed: 0, keepTargets, names }); // prettier-ignore
    try {
      for (const each of this.feed.rowsOfSteps) this.part(each);
    } catch (thrown) {
      this.dispose();
      throw thrown;
    }
    noteInput(model, this.types.x!);
  }

  /** Element type and shape of a prediction. */
  get prediction(): { readonly dtype: DType; readonly shape: Shape } {
    const { dtype, shape } = this.part(this.feed.rowsOfSteps[0]!).prediction;
    return { dtype, shape: shape.slice(1) };
  }

  /**
   * One pass with the weights of now.
   *
   * @returns the mean loss over all rows that count, or the sum of a loss that is one; NaN without a loss, or if no row counts.
   * @throws AbortedError; what a step throws, such as for a label that is no class; what the source throws.
   */
  async run(block?: Block): Promise<number> {
    const { where, cancellation } = this.source;
    const total = new LossTotal();
    let row = 0;
    for (let step = 0; ;) {
      const stretch = await this.feed.next(0, step, this.most());
      if (cancellation.isRaised) throw aborted(where, cancellation.signal ?? AbortSignal.abort());
      if (!stretch) break;
      await this.take(stretch, row, total, block);
      step += stretch.steps;
      row += stretch.steps * stretch.rows;
    }
    return this.source.loss ? total.value : NaN;
  }

  dispose(): void {
    for (const { loops, program, trace } of this.parts.values()) {
      for (const loop of loops.values()) loop.dispose();
      program.dispose();
      trace.graph.dispose();
    }
    this.feed.dispose();
  }

  // Steps of the next stretch: no more than the JavaScript thread copies in a millisecond.
  private most(): number {
    const { prediction } = this.part(this.feed.rowsOfSteps[0]!);
    return Math.min(this.chunkSizer.next(Infinity), Math.max(1, Math.floor(MOST_BYTES / bytesOf(prediction))));
  }

  private async take({ samples, firstRow, rows, steps, y }: Stretch, row: number, total: LossTotal, block?: Block) {
    const { where, cancellation } = this.source;
    const part = this.part(rows);
    const loop = this.loop(part, samples);
    const request = { seed: 0, epoch: 0, shuffle: false, firstRow, steps, firstStep: row };
    const result = await callAsync(() => loop.run(request, cancellation.native), where);
    this.chunkSizer.note(result.steps, result.seconds);
    if (result.cancelled) throw aborted(where, cancellation.signal ?? AbortSignal.abort());
    const { records } = result;
    const width = 1 + countsOf(part.kind);
    for (let i = 0; i < records.length; i += width) {
      total.add(part.kind, records[i]!, rows, [...records.subarray(i + 1, i + width)]);
    }
    const buffer = result.collected[0];
    if (!block || !buffer) return;
    const { dtype, shape } = part.prediction;
    await block(new NdArray(viewOf(dtype, buffer), [result.steps * rows, ...shape.slice(1)], dtype), row, y);
  }

  private part(rows: number): Part {
    const known = this.parts.get(rows);
    if (known) return known;
    const made = this.compile(rows);
    this.parts.set(rows, made);
    return made;
  }

  private loop({ program, kind, loops }: Part, samples: NativeDataset): NativeLoop {
    const known = loops.get(samples);
    if (known) return known;
    const { loss, collect } = this.source;
    const made = call(
      () =>
        new addon.Loop(program.native, samples, {
          record: loss ? ["loss", ...(countsOf(kind) > 0 ? [COUNT] : [])] : [],
          collect: collect ? ["prediction"] : [],
        }),
    );
    loops.set(samples, made);
    return made;
  }

  private compile(batch: number): Part {
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
    return { program, trace, loops: new Map(), kind, prediction: { dtype, shape } };
  }
}

const bytesOf = ({ dtype, shape }: { dtype: DType; shape: Shape }): number =>
  Math.max(
    1,
    shape.reduce((product, extent) => product * extent, sizeOf[dtype]),
  );
