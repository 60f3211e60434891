// What `fit` asks of distillation: columns to gather with the samples, and the loss of a batch. `distill` makes such terms; the
// arrow points from there to here, so that training needs to know no teacher.
import { ArgumentError } from "../errors.js";
import { got } from "../names/got.js";
import type { BatchSource, Dataset } from "../data/index.js";
import type { ModelInfo } from "../info/index.js";
import type { Loss } from "../loss/index.js";
import type { ModuleLike } from "../nn/module.js";
import type { NdArray } from "../tensor/nd-array.js";
import type { Tensor } from "../tensor/tensor.js";

/** A run that is about to begin. */
export interface DistillationRun {
  /** Named in errors. */
  readonly where: string;
  readonly model: ModuleLike;
  /** What it trains on; columns are made for samples in memory alone. */
  readonly dataset: Dataset | BatchSource;
  readonly batchSize: number;
  readonly signal: AbortSignal | undefined;
}

/** A step being traced. */
export interface DistillationStep {
  /** The student. */
  readonly model: ModuleLike;
  /** The loss of the task. */
  readonly loss: Loss;
  /** The batch: `x`, `y` and the columns. */
  readonly batch: Readonly<Record<string, Tensor>>;
}

/** Terms that a loss carries in training; made by `distill.kd` and its like. */
export interface LossTerms {
  readonly name: string;
  /** What the teacher knows beside its weights; a student learns what nobody else tells it. */
  readonly info?: ModelInfo;
  /** Columns with a row for every sample, such as a teacher's scores; made before the first step. */
  prepare(run: DistillationRun): Promise<Readonly<Record<string, NdArray>>>;
  /** The whole loss of a batch, the task's included. */
  loss(step: DistillationStep): Tensor;
}

/** @throws ArgumentError unless `value` was made by one of `distill`. */
export function checkLossTerms(where: string, value: unknown): asserts value is LossTerms | undefined {
  if (value === undefined) return;
  const isTerms = typeof value === "object" && value !== null && "prepare" in value && "loss" in value;
  if (isTerms) return;
  throw new ArgumentError(
    `${where}: distill must be one of distill, such as distill.kd({ teacher, temperature: 4, alpha: 0.7 }), got ${got(value)}${typeof value === "function" ? "; call it" : ""}`,
  );
}
