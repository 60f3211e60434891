// What goes into a step of one's own and what comes out.
import type { DeviceOption } from "../../device/index.js";
import type { NdArray } from "../../tensor/nd-array.js";
import type { Tensor } from "../../tensor/tensor.js";

/** Options of `train.step`. */
export interface TrainStepOptions {
  /** Keys dropout and other randomness, with the number of the step. Default 0. */
  readonly seed?: number | undefined;
  /** Length of the run, for schedules that need it. Default unknown: spans are then whole steps. */
  readonly steps?: number | undefined;
  /** Programs kept at most, one a signature of batches; the one not used for the longest makes room. Default 32. */
  readonly maxPrograms?: number | undefined;
  /** What the steps run on. Default "cpu". */
  readonly device?: DeviceOption | undefined;
}

/** A batch: what the step function finds under each name. */
export type Batch = Readonly<Record<string, NdArray>>;

/** What a step gives: the loss, further metrics of the step function, and the gradients' norm where they are clipped. */
export type StepMetrics<Outcome> = { readonly loss: number; readonly gradNorm?: number } & (Outcome extends Tensor
  ? unknown
  : { readonly [Name in keyof Outcome]: number });

/** What a step function gets: tensors by name. */
export type BatchTensors = Readonly<Record<string, Tensor>>;

/** The batch of most steps. */
export interface XY {
  readonly x: Tensor;
  readonly y: Tensor;
}
