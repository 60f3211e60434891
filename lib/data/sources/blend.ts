// Samples blended with others of their group, and their labels with them; native/train/blend.h says how.
import { requireCount } from "../../guidance/arguments.js";
import { ArgumentError, checkOptions } from "../../errors.js";
import { got } from "../../names/got.js";
import { addon, callAsync } from "../../native/index.js";
import { countOf, NdArray, showShape } from "../../tensor/nd-array.js";
import { viewOf } from "../../tensor/parameter.js";
import { rowsIn, type BatchSource, type Chunk, type ReadRequest, type SampleType } from "./batch-source.js";
import { Gathered } from "./chunks.js";

/** Options of {@link Source.mixup}. */
export interface MixupOptions {
  /** α of the Beta distribution that shares are drawn from: near 0 samples stay as they are, 1 is uniform. Default 0.2. */
  readonly alpha?: number | undefined;
  /** How often a sample is blended. Default 1, always. */
  readonly share?: number | undefined;
  /** Classes that labels count. Default those that the source knows. */
  readonly classes?: number | undefined;
  /** Consecutive samples that are blended with one another. Default 64. */
  readonly group?: number | undefined;
}

/** Options of {@link Source.cutmix}; α is 1 by default. */
export type CutmixOptions = MixupOptions;

/** What the engine is asked for. */
export interface BlendPlan {
  /** Of the blended samples. */
  readonly y: SampleType;
  readonly group: number;
  readonly isCut: boolean;
  readonly alpha: number;
  readonly share: number;
}

/** @throws ArgumentError */
export function planBlend(where: string, source: Pick<BatchSource, "x" | "y" | "info">, options: MixupOptions, isCut: boolean): BlendPlan {
  checkOptions(where, options, ["alpha", "share", "classes", "group"]);
  const { alpha = isCut ? 1 : 0.2, share = 1, group = 64 } = options;
  const { x, y } = source;
  if (x.dtype !== "u8" && x.dtype !== "f32") throw new ArgumentError(`${where}: samples must be u8 or f32, got ${x.dtype}`);
  if (isCut && x.shape.length !== 3) {
    throw new ArgumentError(`${where}: expected images, samples of u8 or f32 [C, H, W], got ${x.dtype} ${showShape(x.shape)}`);
  }
  if (!(typeof alpha === "number" && alpha > 0 && Number.isFinite(alpha))) {
    throw new ArgumentError(`${where}: alpha must be a number above 0, got ${got(alpha)}`);
  }
  if (!(typeof share === "number" && share >= 0 && share <= 1)) {
    throw new ArgumentError(`${where}: share must be a number from 0 to 1, got ${got(share)}`);
  }
  requireCount(where, "group", group, 2, 65_536);
  return { y: targetsOf(where, y, source, options.classes), group, isCut, alpha, share };
} // prettier-ignore

function targetsOf(where: string, y: SampleType, { info }: Pick<BatchSource, "info">, given: number | undefined): SampleType {
  if (y.dtype === "f32" && y.shape.length > 0) return y;
  const classes = given ?? info?.classes?.length;
  const isLabel = y.shape.length === 0 && (y.dtype === "i32" || y.dtype === "u8");
  if (!isLabel) {
    throw new ArgumentError(`${where}: targets must be classes, i32 or u8 [], or f32 [n], got ${y.dtype} ${showShape(y.shape)}`);
  }
  if (!Number.isSafeInteger(classes) || classes! < 2) {
    throw new ArgumentError(`${where}: say how many classes the labels count, classes: 10 (two or more), got ${got(classes)}`);
  }
  return { dtype: "f32", shape: [classes!] };
} // prettier-ignore

/** Blends all samples; `request.skip` is a multiple of the group. */
export async function* blended(
  chunks: AsyncIterable<Chunk>,
  types: Pick<BatchSource, "x" | "y">,
  plan: BlendPlan,
  request: ReadRequest,
): AsyncGenerator<Chunk> {
  let first = request.skip;
  let gathered = new Gathered(types, plan.group);
  for await (const chunk of chunks) {
    for (let row = 0; row < rowsIn(chunk); row++) {
      gathered.add(chunk, row);
      if (!gathered.isFull) continue;
      const { chunk: group, next } = gathered.take();
      gathered = next;
      yield await blendGroup(group, plan, request, first);
      first += plan.group;
    }
  }
  if (gathered.rows > 0) yield await blendGroup(gathered.all, plan, request, first);
}

async function blendGroup({ x, y }: Chunk, plan: BlendPlan, { seed, epoch }: ReadRequest, first: number): Promise<Chunk> {
  const { y: target, alpha, share, isCut } = plan;
  const rows = x.shape[0]!;
  const targets = countOf(target.shape);
  const shape = x.shape.length === 4 ? x.shape : [rows, 1, 1, x.data.length / rows];
  const how = { targets, isCut, alpha, share, seed, epoch, first };
  const shares = y.dtype === "f32" ? (y.data as Float32Array) : oneHot(y, targets, first);
  const made = await callAsync(() => addon.blendSamples(x.data as Uint8Array | Float32Array, shape, shares, how));
  return {
    x: new NdArray(viewOf(x.dtype, made.x), x.shape, x.dtype),
    y: new NdArray(new Float32Array(made.y), [rows, ...target.shape], "f32"),
  };
} // prettier-ignore

function oneHot({ data }: NdArray, classes: number, first: number): Float32Array {
  const shares = new Float32Array(data.length * classes); // (n, classes)
  for (let row = 0; row < data.length; row++) {
    const label = data[row]!;
    if (!(label >= 0 && label < classes)) {
      throw new ArgumentError(`data.mixup: sample ${first + row} has the label ${label}, expected 0 to ${classes - 1}`);
    }
    shares[row * classes + label] = 1;
  }
  return shares;
}
