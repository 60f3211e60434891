// What a run tells and what it leaves: events of steps, metrics of epochs and validations, the result.
import type { Metric } from "../../metrics/index.js";

/** Metrics that give one number, by name. */
export type ScalarMetrics = Readonly<Record<string, Metric>>;

/**
 * Metrics by name: "loss" of training, "val.loss" and "val.<metric>" where there was a validation, "train.loss" and "train.<metric>" where
 * it measured the training samples too.
 */
export type MetricValues<Metrics extends ScalarMetrics = ScalarMetrics> = { readonly loss: number } & Readonly<
  Partial<Record<`${"val" | "train"}.loss` | `${"val" | "train"}.${keyof Metrics & string}`, number>>
>;

/** A metric that early stopping can watch. */
export type Monitor<Metrics extends ScalarMetrics = ScalarMetrics> =
  "loss" | "val.loss" | `val.${keyof Metrics & string}`;

/** After a training step; `index` and `epoch` count from 0. */
export interface StepEvent {
  readonly index: number;
  readonly epoch: number;
  readonly loss: number;
  /** Learning rate of this step. */
  readonly lr: number;
  /** L2 norm of all gradients before clipping; with `clipNorm` only. */
  readonly gradNorm?: number;
  readonly samplesPerSecond: number;
}

/** An epoch that has ended. */
export interface EpochRecord<Metrics extends ScalarMetrics = ScalarMetrics> {
  readonly epoch: number;
  /** Steps taken until its end, from the start of the run. */
  readonly steps: number;
  /** The training loss of the epoch (the mean over what counted; of reduction "sum" the sum), and the last validation in it. */
  readonly metrics: MetricValues<Metrics>;
  /** Of this epoch, validation included. */
  readonly seconds: number;
}

/** A validation. */
export interface ValidationRecord<Metrics extends ScalarMetrics = ScalarMetrics> {
  readonly epoch: number;
  /** Steps taken until then. */
  readonly steps: number;
  readonly metrics: Omit<MetricValues<Metrics>, "loss">;
}

/** What comes out of a run. */
export interface FitResult<Metrics extends ScalarMetrics = ScalarMetrics> {
  /**
   * When the monitored metric was best (`val.loss`, or `loss` without validation, if nothing was monitored) and the metrics
   * then; `undefined` if there was no check that counts. The model has these weights if early stopping restores the best.
   */
  readonly best:
    { readonly epoch: number; readonly steps: number; readonly metrics: Partial<MetricValues<Metrics>> } | undefined;
  /** Every epoch that came to its end; the last one may be cut short by `steps`. */
  readonly history: readonly EpochRecord<Metrics>[];
  /** Every validation. */
  readonly validations: readonly ValidationRecord<Metrics>[];
  /** Why it ended: all steps done, early stopping, a loss that went astray, the reader left the loop, or `maxTime`. */
  readonly stopped: "done" | "early" | "diverged" | "break" | "time";
  /** Steps taken. */
  readonly steps: number;
  /** Those of them that were left out, by `onNonFinite` or `onSpike` with "skip". */
  readonly skipped: number;
  /** Steps whose loss was a spike; with `onSpike`. */
  readonly spikes: number;
  /** How often it went back to its last checkpoint, by "rewind". */
  readonly rewound: number;
  /** Steps that an earlier process had taken, where the run went on from a checkpoint. */
  readonly resumed: number | undefined;
  /** Of this process. */
  readonly seconds: number;
}
