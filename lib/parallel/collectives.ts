// Collectives as operations on tensors in a traced function: each is a node of the graph with a gradient, begun as early as its operand
// is there and waited for where its result is first read.
import { ArgumentError, checkOptions } from "../errors.js";
import { got } from "../names/got.js";
import { requireTensor } from "../ops/require.js";
import type { DType } from "../tensor/dtype.js";
import type { Shape } from "../tensor/nd-array.js";
import type { Tensor } from "../tensor/tensor.js";
import { currentTrace } from "../tensor/trace.js";
import { RankGroup } from "./group.js";

/** The group that a collective works within. */
export interface Within {
  readonly group: RankGroup;
}

/**
 * What becomes of gradients. "sum": every rank has a loss of its own, and what is differentiated is the sum of all of them. "same": the
 * ranks compute one loss together, so that each of them has it, and the gradient of what is the same on all is the same on all.
 */
export interface GradientOption {
  /** Default "sum". */
  readonly gradient?: "sum" | "same" | undefined;
}

/** Options of {@link allReduce}. */
export interface AllReduceOptions extends Within, GradientOption {
  /** Default "sum"; the others have no gradient. */
  readonly reduce?: "sum" | "max" | "min" | undefined;
}

/** Options of {@link allGather}. */
export interface AllGatherOptions extends Within, GradientOption {
  /** Default 0. */
  readonly axis?: number | undefined;
  /** Extents along it, one a rank. Default those of this rank for all. */
  readonly sizes?: readonly number[] | undefined;
}

/** Options of {@link reduceScatter}. */
export interface ReduceScatterOptions extends Within {
  /** Default 0. */
  readonly axis?: number | undefined;
  /** Extents of the parts, one a rank. Default as evenly as they come, see {@link partsOf}. */
  readonly sizes?: readonly number[] | undefined;
}

/** Options of {@link allToAll}. */
export interface AllToAllOptions extends Within {
  /** The axis that is cut; part r goes to rank r. */
  readonly split: number;
  /** The axis along which what comes is joined. */
  readonly concat: number;
  /** Extents of the parts. Default as evenly as they come. */
  readonly splitSizes?: readonly number[] | undefined;
  /** Extents of what the ranks have along `concat`. Default those of this rank for all. */
  readonly concatSizes?: readonly number[] | undefined;
}

/** Options of {@link send}. */
export interface SendOptions extends Within {
  /** The receiver's place in the group. */
  readonly to: number;
  /** Messages of one channel arrive in order; 0 to 11. Default 0. */
  readonly channel?: number | undefined;
}

/** Options of {@link receive}. */
export interface ReceiveOptions extends Within {
  /** The sender's place in the group. */
  readonly from: number;
  readonly channel?: number | undefined;
  /** Default "f32". */
  readonly dtype?: DType | undefined;
  /** What stands for the message in gradients: a number, such as what `send` gives, that depends on what is differentiated. */
  readonly after?: Tensor | undefined;
}

/** Extents of `ranks` parts of `extent`, as evenly as they come: 7 in 3 parts is 2, 2 and 3. */
export const partsOf = (extent: number, ranks: number): number[] =>
  Array.from({ length: ranks }, (_, r) => Math.floor((extent * (r + 1)) / ranks) - Math.floor((extent * r) / ranks));

function checked(where: string, x: Tensor, options: Within, names: readonly string[]): void {
  checkOptions(where, options, ["group", ...names]);
  requireTensor(where, "x", x);
  requireGroup(where, options.group);
}

function requireGroup(where: string, group: unknown): void {
  if (group instanceof RankGroup) return;
  throw new ArgumentError(`${where}: group must be made by parallel.group(name), got ${got(group)}`);
}

const wrapped = (axis: number, rank: number): number => (axis < 0 ? axis + rank : axis);

/**
 * The sum over all ranks of the group, on each of them: the same bits on all, added along a fixed tree. f32, f64 or i32.
 *
 * @throws ArgumentError, DTypeError; CommunicationError when run.
 * @example
 * await parallel.connect();
 * const all = parallel.group("all");
 * const f = compile((x: Tensor) => parallel.allReduce(x, { group: all }));
 * (await f.run(array([1, 2]))).toArray(); // [1, 2] on one rank
 */
export function allReduce(x: Tensor, options: AllReduceOptions): Tensor {
  checked("parallel.allReduce", x, options, ["reduce", "gradient"]);
  const { group, reduce = "sum", gradient = "sum" } = options;
  return x.trace.collective("all_reduce", group.native, [x], { reduce, gradient });
}

/** What all ranks have, joined along an axis. @throws ArgumentError, ShapeError; CommunicationError when run. */
export function allGather(x: Tensor, options: AllGatherOptions): Tensor {
  checked("parallel.allGather", x, options, ["axis", "sizes", "gradient"]);
  const { group, axis = 0, gradient = "sum" } = options;
  const own = x.shape[wrapped(axis, x.rank)] ?? 0;
  const sizes = options.sizes ?? Array.from({ length: group.size }, () => own);
  return x.trace.collective("all_gather", group.native, [x], { axis, sizes, gradient });
}

/** This rank's part along an axis of the sum over all ranks. @throws ArgumentError, ShapeError; CommunicationError when run. */
export function reduceScatter(x: Tensor, options: ReduceScatterOptions): Tensor {
  checked("parallel.reduceScatter", x, options, ["axis", "sizes"]);
  const { group, axis = 0 } = options;
  const sizes = options.sizes ?? partsOf(x.shape[wrapped(axis, x.rank)] ?? 0, group.size);
  return x.trace.collective("reduce_scatter", group.native, [x], { axis, sizes });
}

/** What one rank of the group has, on all of them. @throws ArgumentError; CommunicationError when run. */
export function broadcast(x: Tensor, options: Within & { readonly root?: number | undefined }): Tensor {
  checked("parallel.broadcast", x, options, ["root"]);
  return x.trace.collective("broadcast", options.group.native, [x], { root: options.root ?? 0 });
}

/** Part r along one axis goes to rank r; what comes is joined along another. @throws ArgumentError, ShapeError; CommunicationError when run. */
export function allToAll(x: Tensor, options: AllToAllOptions): Tensor {
  checked("parallel.allToAll", x, options, ["split", "concat", "splitSizes", "concatSizes"]);
  const { group, split, concat } = options;
  const { splitSizes = partsOf(x.shape[wrapped(split, x.rank)] ?? 0, group.size) } = options;
  const own = x.shape[wrapped(concat, x.rank)] ?? 0;
  const { concatSizes = Array.from({ length: group.size }, () => own) } = options;
  return x.trace.collective("all_to_all", group.native, [x], {
    split,
    concat,
    split_sizes: splitSizes,
    concat_sizes: concatSizes,
  });
}

/**
 * Sends a tensor to another rank of the group, which receives it; returns the number 0, which stands for the message: by its
 * gradient the receiver's comes back.
 *
 * @throws ArgumentError; CommunicationError when run.
 */
export function send(x: Tensor, options: SendOptions): Tensor {
  checked("parallel.send", x, options, ["to", "channel"]);
  const { group, to, channel = 0 } = options;
  return x.trace.collective("send", group.native, [x], { to, channel });
}

/** A tensor that another rank of the group sends. @throws ArgumentError; CommunicationError when run. */
export function receive(shape: Shape, options: ReceiveOptions): Tensor {
  const where = "parallel.receive";
  checkOptions(where, options, ["group", "from", "channel", "dtype", "after"]);
  requireGroup(where, options.group);
  const { group, from, channel = 0, dtype = "f32", after } = options;
  return currentTrace(where).collective("receive", group.native, after ? [after] : [], { from, channel, dtype, shape });
}

/**
 * A value that is the same on all ranks of the group and that each uses for a part of its own: as it is, and its gradient is the sum of
 * all parts' gradients.
 *
 * @throws ArgumentError
 */
export function replicated(x: Tensor, options: Within): Tensor {
  checked("parallel.replicated", x, options, []);
  return x.trace.collective("replicated", options.group.native, [x], {});
}
