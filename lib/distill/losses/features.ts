// Losses between features of a student and a teacher: of images f32 [N, C, H, W], of tokens [N, T, D], of samples [N, D]. Student
// and teacher may differ in width (C, D) except where a loss says otherwise.
import { requireAboveZero, requireListOf } from "../../guidance/arguments.js";
import { ArgumentError, checkOptions, ShapeError } from "../../errors.js";
import * as loss from "../../loss/index.js";
import { NdArray, showShape } from "../../tensor/nd-array.js";
import type { Tensor } from "../../tensor/tensor.js";
import { batches, normalized, rows } from "./check.js";

/**
 * Mean of (student − teacher)² (FitNets; Romero et al. 2015). Features of one shape; `distill.hints` learns a projection where
 * they differ.
 *
 * @throws ShapeError, DTypeError when traced.
 */
export function hint(student: Tensor, teacher: Tensor): Tensor {
  const [s, t] = batches("distill.hints", student, teacher);
  if (showShape(s.shape) === showShape(t.shape)) return s.sub(t).square().mean();
  throw new ShapeError(
    `distill.hints: features must have one shape, got ${showShape(s.shape)} of the student and ${showShape(t.shape)} of the teacher`,
  );
}

/** Options of {@link attentionTransfer}. */
export interface AttentionTransferOptions {
  /** Exponent of the activations. Default 2. */
  readonly power?: number | undefined;
}

/**
 * Mean of (a_S − a_T)², with the attention map a = mean over channels of |F|^power, as a vector of length 1 over all places
 * (Zagoruyko and Komodakis 2017). Images and tokens; as many places in both, widths may differ.
 *
 * @throws ArgumentError; ShapeError, DTypeError when traced.
 */
export function attentionTransfer(student: Tensor, teacher: Tensor, options: AttentionTransferOptions = {}): Tensor {
  const where = "distill.attentionTransfer";
  checkOptions(where, options, ["power"]);
  const { power = 2 } = options;
  requireAboveZero(where, "power", power);
  const [s, t] = batches(where, student, teacher).map((features) => places(where, features)) as [Tensor, Tensor];
  samePlaces(where, s, t);
  const map = (features: Tensor) => {
    const magnitude = power === 2 ? features.square() : features.abs().pow(power);
    return normalized(magnitude.mean(1), -1); // (N, P)
  };
  return map(s).sub(map(t)).square().mean();
}

/**
 * Mean of (G_S − G_T)² with the flow G = A Bᵀ / places between two layers, [N, C_A, C_B] (Yim et al. 2017). The two layers of a
 * model have as many places, and student and teacher the same widths.
 *
 * @throws ShapeError, DTypeError when traced.
 */
export function fsp(student: readonly [Tensor, Tensor], teacher: readonly [Tensor, Tensor]): Tensor {
  const where = "distill.fsp";
  for (const pair of [student, teacher]) requireListOf(where, pair, "a pair of tensors [from, to] of each model");
  const flow = ([a, b]: readonly [Tensor, Tensor]): Tensor => {
    const [from, to] = [places(where, a), places(where, b)]; // (N, C, P)
    samePlaces(where, from, to);
    return from.matmul(to, { transB: true }).div(from.shape[2]!);
  };
  const [s, t] = batches(where, flow(student), flow(teacher));
  if (showShape(s.shape) === showShape(t.shape)) return s.sub(t).square().mean();
  throw new ShapeError(
    `${where}: the layers of student and teacher must have the same widths, got ${s.shape.slice(1).join(" to ")} and ${t.shape.slice(1).join(" to ")}; choose others, or distill.attentionTransfer`,
  );
}

/** Options of {@link rkd}. */
export interface RkdOptions {
  /** Weight of the distances between samples. Default 25. */
  readonly distance?: number | undefined;
  /** Weight of the angles between three samples. Default 50. */
  readonly angle?: number | undefined;
}

/**
 * Relational distillation (Park et al. 2019): distances between all pairs of a batch, as shares of their mean, and cosines of the
 * angles of all triples, compared by the smooth L1 loss. Features [N, …] are taken as vectors; widths may differ. A batch of one
 * sample has no relations: 0.
 *
 * @throws ArgumentError; ShapeError, DTypeError when traced.
 */
export function rkd(student: Tensor, teacher: Tensor, options: RkdOptions = {}): Tensor {
  const where = "distill.rkd";
  checkOptions(where, options, ["distance", "angle"]);
  const { distance = 25, angle = 50 } = options;
  for (const [name, value] of Object.entries({ distance, angle })) {
    if (typeof value !== "number" || !(value >= 0 && value < Infinity))
      throw new ArgumentError(`${where}: ${name} must be a number from 0 on, got ${String(value)}`);
  }
  const [s, t] = batches(where, student, teacher).map(rows) as [Tensor, Tensor];
  if (s.shape[0]! < 2) return s.sum().mul(0);
  const compare = loss.smoothL1();
  return compare(distances(s), distances(t))
    .mul(distance)
    .add(compare(angles(s), angles(t)).mul(angle));
}

/**
 * Mean of (G_S − G_T)², with G = F Fᵀ over the samples of a batch and rows of length 1 (similarity-preserving; Tung and Mori
 * 2019). Features [N, …] are taken as vectors; widths may differ.
 *
 * @throws ShapeError, DTypeError when traced.
 */
export function similarity(student: Tensor, teacher: Tensor): Tensor {
  const [s, t] = batches("distill.similarity", student, teacher).map((features) => {
    const vectors = rows(features);
    return normalized(vectors.matmul(vectors, { transB: true }), -1); // (N, N)
  }) as [Tensor, Tensor];
  return s.sub(t).square().mean();
}

/** Features as (N, C, P) with their places in a row. */
function places(where: string, features: Tensor): Tensor {
  if (features.rank === 3) return features.swapAxes(1, 2); // (N, T, D) has its width last
  if (features.rank === 4) return features.flatten(2);
  throw new ShapeError(
    `${where}: expected features of images [N, C, H, W] or tokens [N, T, D], got ${showShape(features.shape)}; distill.similarity and distill.rkd take any`,
  );
}

function samePlaces(where: string, a: Tensor, b: Tensor): void {
  if (a.shape[2] === b.shape[2]) return;
  throw new ShapeError(
    `${where}: the layers must have as many places (height × width, or tokens), got ${a.shape[2]} and ${b.shape[2]}; choose layers of the same resolution`,
  );
}

/** Distances between all pairs, over their mean; (N, N). */
function distances(vectors: Tensor): Tensor {
  const n = vectors.shape[0]!;
  // From their mean, which changes no distance: far from zero, the squares below would cancel.
  const x = vectors.sub(vectors.mean(0, { keep: true }).stopGradient());
  const lengths = x.square().sum(1, { keep: true }); // (N, 1)
  const apart = lengths.add(lengths.reshape([1, n])).sub(x.matmul(x, { transB: true }).mul(2));
  const pairs = new NdArray(
    Float32Array.from({ length: n * n }, (_, i) => (i % (n + 1) === 0 ? 0 : 1)),
    [n, n],
  );
  const d = apart.maximum(1e-12).sqrt().mul(pairs);
  return d.div(d.sum().div(n * (n - 1)));
}

/** cos of the angle at i between j and k; (N, N, N). */
function angles(x: Tensor): Tensor {
  const toward = normalized(x.expandDims(0).sub(x.expandDims(1)), -1); // (N, N, D)
  return toward.matmul(toward, { transB: true });
}
