// Images changed at random between the disk and a step; native/train/augment.h says how.
import { ArgumentError, checkOptions } from "../../errors.js";
import { got } from "../../names/got.js";
import { addon, callAsync } from "../../native/index.js";
import { showShape, NdArray } from "../../tensor/nd-array.js";
import { viewOf } from "../../tensor/parameter.js";
import { rowsIn, type Chunk, type ReadRequest, type SampleType } from "./batch-source.js";

/** How images are changed. */
export interface AugmentOptions {
  /** Mirrored half of the time: left to right, or upside down, or each by itself. Default neither. */
  readonly flip?: "leftRight" | "upDown" | "both" | undefined;
  /** Shifted by up to `padding` pixels each way, as a crop of the padded image. Default none. */
  readonly crop?: { readonly padding: number } | undefined;
  /** Side in pixels of a square that is left out, centred anywhere (DeVries and Taylor 2017). Default none. */
  readonly cutout?: number | undefined;
  /** Turned by up to so many degrees each way about its centre, between pixels by bilinear interpolation. Default 0. */
  readonly rotate?: number | undefined;
  /**
   * Other colours, by the formulas of torchvision's ColorJitter: factors of brightness, contrast and saturation between 1 − b (0 at least) and
   * 1 + b, and the hue turned by up to `hue` (at most 0.5) of the colour circle, in an order that is drawn too. Images of f32 are taken to be
   * 0 … 1. Saturation and hue take images of three channels. Default none.
   */
  readonly jitter?: JitterOptions | undefined;
  /** What padding, corners and square hold, a value as images are stored. Default 0. */
  readonly fill?: number | undefined;
}

/** How colours are changed. */
export type JitterOptions = Partial<Readonly<Record<(typeof jitterNames)[number], number | undefined>>>;

const jitterNames = ["brightness", "contrast", "saturation", "hue"] as const;

export const augmentNames = ["flip", "crop", "cutout", "rotate", "jitter", "fill"];

/** What the engine is asked for. */
export type AugmentPlan = Readonly<Record<"flipLeftRight" | "flipUpDown" | "pad" | "cutout" | "fill" | "rotate" | "bound" | (typeof jitterNames)[number], number>>; // prettier-ignore

/** @throws ArgumentError */
export function planAugmentation(where: string, x: SampleType, options: AugmentOptions): AugmentPlan {
  const { flip, crop, cutout = 0, rotate = 0, fill = 0 } = options;
  if (x.shape.length !== 3 || (x.dtype !== "u8" && x.dtype !== "f32")) {
    throw new ArgumentError(
      `${where}: expected images, samples of u8 or f32 [C, H, W], got ${x.dtype} ${showShape(x.shape)}`,
    );
  }
  if (flip !== undefined && !["leftRight", "upDown", "both"].includes(flip)) {
    throw new ArgumentError(`${where}: flip must be "leftRight", "upDown" or "both", got ${got(flip)}`);
  }
  if (crop !== undefined) checkOptions(`${where}: crop`, crop, ["padding"]);
  const pad = crop?.padding ?? 0;
  const least = Math.min(x.shape[1]!, x.shape[2]!);
  for (const [name, value] of [["crop.padding", pad], ["cutout", cutout]] as const) {
    if (Number.isSafeInteger(value) && value >= 0 && value <= least) continue;
    throw new ArgumentError(`${where}: ${name} must be a whole number of pixels up to ${least}, got ${got(value)}`);
  } // prettier-ignore
  if (typeof fill !== "number" || !Number.isFinite(fill) || (x.dtype === "u8" && !(Number.isInteger(fill) && fill >= 0 && fill <= 255))) {
    throw new ArgumentError(`${where}: fill must be a value that ${x.dtype} images can have, got ${got(fill)}`);
  } // prettier-ignore
  if (!(typeof rotate === "number" && rotate >= 0 && rotate <= 180)) {
    throw new ArgumentError(`${where}: rotate must be a number of degrees from 0 to 180, got ${got(rotate)}`);
  }
  return {
    ...jitterOf(where, x, options.jitter),
    rotate,
    bound: x.dtype === "u8" ? 255 : 1,
    flipLeftRight: flip === "leftRight" || flip === "both" ? 0.5 : 0,
    flipUpDown: flip === "upDown" || flip === "both" ? 0.5 : 0,
    pad,
    cutout,
    fill,
  };
}

function jitterOf(where: string, { shape }: SampleType, jitter: JitterOptions = {}) {
  checkOptions(`${where}: jitter`, jitter, jitterNames);
  const { brightness = 0, contrast = 0, saturation = 0, hue = 0 } = jitter;
  for (const [name, value] of Object.entries({ brightness, contrast, saturation, hue })) {
    const most = name === "hue" ? 0.5 : Infinity;
    if (!(typeof value === "number" && Number.isFinite(value) && value >= 0 && value <= most)) {
      throw new ArgumentError(`${where}: jitter.${name} must be a number ${name === "hue" ? "from 0 to 0.5" : "of at least 0"}, got ${got(value)}`); // prettier-ignore
    }
  }
  if ((saturation > 0 || hue > 0) && shape[0] !== 3) {
    throw new ArgumentError(
      `${where}: jitter of saturation and hue takes images of 3 channels, these have ${shape[0]}`,
    );
  }
  return { brightness, contrast, saturation, hue };
}

/** Changes the images of all chunks. */
export async function* augmented(
  chunks: AsyncIterable<Chunk>,
  plan: AugmentPlan,
  { seed, epoch, skip }: ReadRequest,
): AsyncGenerator<Chunk> {
  let first = skip;
  for await (const { x, y } of chunks) {
    const changed = await callAsync(() => addon.augmentImages(x.data, x.shape, { ...plan, seed, epoch, first }));
    first += rowsIn({ x, y });
    yield { x: new NdArray(viewOf(x.dtype, changed), x.shape, x.dtype), y };
  }
}
