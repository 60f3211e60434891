// Where the batches of a run come from: samples in memory, or a source that is read while the run goes on.
import type { Cancellation } from "../run/cancellation.js";
import type { NativeDataset } from "../../native/index.js";
import type { NdArray } from "../../tensor/nd-array.js";

/** Samples that are at hand in the engine, for some steps. */
export interface Stretch {
  readonly samples: NativeDataset;
  /** Rows in the seeded order of the epoch; else as they lie. */
  readonly shuffle: boolean;
  readonly firstRow: number;
  /** Rows of one step. */
  readonly rows: number;
  readonly steps: number;
  /** Targets of these rows in the order in which they lie, where the feed was asked to keep them. */
  readonly y?: NdArray | undefined;
}

/** Gives the steps of an epoch their batches, in order. */
export interface Feed {
  /** Steps of an epoch; undefined where only its end tells. */
  readonly stepsPerEpoch: number | undefined;
  /** Rows of the steps that are known to come: full ones, and the short one at the end of an epoch. */
  readonly rowsOfSteps: readonly number[];
  /**
   * Samples for at most `most` steps from the `first`-th of an epoch on; undefined at the end of the epoch, or when the run is
   * cancelled meanwhile. What was given before is not used any more.
   */
  next(epoch: number, first: number, most: number): Promise<Stretch | undefined>;
  dispose(): void;
}

/** How data become batches. */
export interface FeedOptions {
  readonly where: string;
  readonly cancellation: Cancellation;
  /** Rows of a full step. */
  readonly rows: number;
  readonly shuffle: boolean;
  readonly dropLast: boolean;
  readonly seed: number;
  /** Whether targets are kept for who measures. */
  readonly keepTargets: boolean;
  /** What is gathered with x and y, a row for each sample in memory. */
  readonly columns?: Readonly<Record<string, NdArray>> | undefined;
  /** The names of the columns that are needed. Default x and y. */
  readonly names?: readonly ("x" | "y")[] | undefined;
}
