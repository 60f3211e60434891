// Data parallelism: every rank has the whole model and works on its part of every batch.
import { requireCount } from "../guidance/arguments.js";
import { ArgumentError, checkOptions } from "../errors.js";
import { got } from "../names/got.js";
import { RankGroup } from "./group.js";
import type { DataParallelism, ZeroStage } from "../train/ranks/parallelism.js";
import { DEADLINE } from "../train/ranks/ranks.js";

/** Options of {@link data}. */
export interface DataOptions {
  /**
   * Parts that every batch is cut into, whatever the number of ranks: at least one a rank. Weights have the same bits for any number
   * of ranks with the same `shards`. Default 4 up to four ranks, then the next power of two.
   */
  readonly shards?: number | undefined;
  /** Seconds within which a rank has to answer the others; past it all of them end with an error that names it. Default 120. */
  readonly deadline?: number | undefined;
  /** Bytes of gradients that are exchanged at a time, while the backward pass goes on. Default 25 MiB. */
  readonly bucketBytes?: number | undefined;
  /**
   * What ranks divide of what each of them would hold otherwise (ZeRO): 1, the states of the optimizer; 2, gradients as well; 3, also
   * parameters, which are gathered where the passes read them. Weights have the same bits as without. Default 0, nothing. From 2 on,
   * gradients that are summed over several shards of a rank are whole until the last one: give as many `shards` as ranks. With 3 the
   * weights are whole at validations, checkpoints and the end, not in other callbacks, and NaN after an error.
   */
  readonly zero?: ZeroStage | undefined;
  /**
   * After every so many steps ranks compare checksums of their weights, and the run ends with an error that names the first that
   * differs: a fault of memory or a change of weights on one rank alone. With `zero: 3`, where each weight is on one rank, running
   * statistics alone are compared. Default never.
   */
  readonly compareWeights?: number | undefined;
  /** The ranks that batches are divided among, such as those of a mesh. Default all. */
  readonly group?: RankGroup | undefined;
}

/**
 * Divides every batch among the ranks that `mpirun -n 4 node script.js` (or `srun`) has started. Each rank runs forward and backward
 * pass over its shards; their gradients are added up along a fixed tree, so that weights, losses and early stopping have the same
 * bits for 1, 2 or 4 ranks. All ranks run the same script with the same data and options, which is checked before the first step.
 * Without a launcher there is one rank, which takes all shards.
 *
 * @throws ArgumentError for options out of range. The run throws CommunicationError on all ranks when one of them fails.
 * @example
 * const set = data.fromArrays({ x: array(new Float32Array(16), [8, 2]), y: array(new Float32Array(8), [8, 1]) });
 * await train.fit(nn.linear(2, 1), set, {
 *   loss: loss.mse(),
 *   optimizer: optim.adam({ lr: 1e-3 }),
 *   batchSize: 8,
 *   parallel: parallel.data({ shards: 4 }),
 * });
 */
export function data(options: DataOptions = {}): DataParallelism {
  const where = "parallel.data";
  checkOptions(where, options, ["shards", "deadline", "bucketBytes", "zero", "compareWeights", "group"]);
  const { shards, deadline = DEADLINE, bucketBytes = 25 * 2 ** 20, zero = 0, compareWeights, group } = options;
  if (shards !== undefined) requireCount(where, "shards", shards, 1, 4096);
  checkedDeadline(where, deadline);
  checkedBytes(where, bucketBytes);
  checkedZero(where, zero);
  if (compareWeights !== undefined && !(Number.isSafeInteger(compareWeights) && compareWeights >= 1)) {
    throw new ArgumentError(
      `${where}: compareWeights must be a whole number of steps from 1 on, got ${got(compareWeights)}`,
    );
  }
  if (group !== undefined && !(group instanceof RankGroup)) {
    throw new ArgumentError(`${where}: group must be made by parallel.group or parallel.mesh, got ${got(group)}`);
  }
  return Object.freeze({
    kind: "data",
    shards,
    deadline,
    bucketBytes,
    zero,
    compare: compareWeights,
    group: group?.native,
  });
}

function checkedZero(where: string, zero: unknown): void {
  if (zero === 0 || zero === 1 || zero === 2 || zero === 3) return;
  throw new ArgumentError(
    `${where}: zero must be 0, 1 (states), 2 (gradients as well) or 3 (also parameters), got ${got(zero)}`,
  );
}

/** @throws ArgumentError */
export function checkedDeadline(where: string, deadline: unknown): void {
  if (typeof deadline === "number" && deadline > 0 && deadline <= 86_400) return;
  throw new ArgumentError(`${where}: deadline must be seconds above 0, at most 86,400, got ${got(deadline)}`);
}

/** @throws ArgumentError */
export function checkedBytes(where: string, bucketBytes: unknown): void {
  requireCount(where, "bucketBytes", bucketBytes);
}
