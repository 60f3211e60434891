// How a run of `fit` is divided among ranks. `parallel` makes such plans; the arrow points from there to here.
import { ArgumentError } from "../../errors.js";
import { got } from "../../names/got.js";
import type { NativeRankGroup } from "../../native/ranks.js";
import { Module } from "../../nn/index.js";
import { lastDeadline } from "./ranks.js";

/** Division of every batch among ranks; made by `parallel.data`. */
export interface DataParallelism {
  readonly kind: "data";
  /** Parts that every batch is cut into, whatever the number of ranks; undefined for the default. */
  readonly shards: number | undefined;
  /** Seconds within which ranks answer each other. */
  readonly deadline: number;
  /** Bytes of gradients that are exchanged at a time. */
  readonly bucketBytes: number;
  /** The ranks that batches are divided among; undefined for all. */
  readonly group?: NativeRankGroup | undefined;
}

/** Ranks that have a model among them: each takes every batch. It follows from the model, which `parallel.tensor` has divided. */
export interface TensorParallelism {
  readonly kind: "tensor";
  readonly deadline: number;
}

/** Either. */
export type Parallelism = DataParallelism | TensorParallelism;

/** The number of shards where none was asked for: the same for 1 to 4 ranks, so that their bits are the same. */
export const defaultShards = (ranks: number): number => 2 ** Math.max(2, Math.ceil(Math.log2(ranks)));

/** What of a run goes by steps or by a clock, and its model. */
export interface RunClocks {
  readonly validate: { readonly every: { readonly kind: string } } | undefined;
  readonly checkpoint: { readonly every: { readonly kind: string } } | undefined;
  readonly model: unknown;
}

/** @throws ArgumentError unless `value` was made by `parallel.data`, and for a validation that goes by a clock. */
export function checkedParallelism(
  where: string,
  value: unknown,
  { validate, checkpoint, model }: RunClocks,
): Parallelism | undefined {
  const divided =
    model instanceof Module && model.namedParameters().some(({ parameter }) => parameter.parametrization?.part);
  if (divided && checkpoint?.every.kind === "time") {
    throw new ArgumentError(
      `${where}: checkpoint: ranks do not share a clock, so that they cannot keep a divided model by time together; give every as a number of steps, or "epoch"`,
    );
  }
  const clock = () => requireNoClock(where, validate?.every.kind);
  if (value === undefined) {
    if (divided) clock();
    return divided ? { kind: "tensor", deadline: lastDeadline() } : undefined;
  }
  if (typeof value !== "object" || value === null || (value as Partial<DataParallelism>).kind !== "data") {
    const way = typeof value === "function" ? "; call it" : "";
    throw new ArgumentError(`${where}: parallel must be parallel.data(), got ${got(value)}${way}`);
  }
  clock();
  return value as DataParallelism;
}

function requireNoClock(where: string, validation: string | undefined): void {
  if (validation !== "time") return;
  throw new ArgumentError(
    `${where}: validate: ranks do not share a clock, so that they cannot validate by time together; give every as a number of steps, or "epoch"`,
  );
}
