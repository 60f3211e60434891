// How a run of `fit` is divided among ranks. `parallel` makes such plans; the arrow points from there to here.
import { ArgumentError } from "../../errors.js";
import { got } from "../../names/got.js";

/** Division of every batch among ranks; made by `parallel.data`. */
export interface DataParallelism {
  readonly kind: "data";
  /** Parts that every batch is cut into, whatever the number of ranks; undefined for the default. */
  readonly shards: number | undefined;
  /** Seconds within which ranks answer each other. */
  readonly deadline: number;
  /** Bytes of gradients that are exchanged at a time. */
  readonly bucketBytes: number;
}

/** The number of shards where none was asked for: the same for 1 to 4 ranks, so that their bits are the same. */
export const defaultShards = (ranks: number): number => 2 ** Math.max(2, Math.ceil(Math.log2(ranks)));

/** @throws ArgumentError unless `value` was made by `parallel.data`, and for a validation that goes by a clock. */
export function checkedParallelism(
  where: string,
  value: unknown,
  validation: string | undefined,
): DataParallelism | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== "object" || value === null || (value as Partial<DataParallelism>).kind !== "data") {
    const way = typeof value === "function" ? "; call it" : "";
    throw new ArgumentError(`${where}: parallel must be parallel.data(), got ${got(value)}${way}`);
  }
  if (validation !== "time") return value as DataParallelism;
  throw new ArgumentError(
    `${where}: validate: ranks do not share a clock, so that they cannot validate by time together; give every as a number of steps, or "epoch"`,
  );
}
