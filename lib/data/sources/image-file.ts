// Images from files: u8 planes [C, H, W], grey or RGB, without transparency. PNG is read by fast-png or sharp, whichever is installed;
// other formats, and another size, take sharp.
import { readFile } from "node:fs/promises";
import { extname } from "node:path";
import { CorruptFileError, FileError, UnsupportedError } from "../../errors.js";
import { optional } from "../../guidance/optional.js";

/** An image, channels first. */
export interface Image {
  readonly shape: readonly [channels: number, height: number, width: number];
  readonly data: Uint8Array;
}

/** How an image is wanted. */
export interface ImageForm {
  /** Height and width; the image is scaled and cut to fill them. Default as it is stored. */
  readonly size?: readonly [height: number, width: number] | undefined;
  /** 1 for grey, 3 for RGB. Default as it is stored. */
  readonly channels?: 1 | 3 | undefined;
}

const byPng = new Set([".png"]);
const bySharp = new Set([".jpg", ".jpeg", ".webp", ".gif", ".tif", ".tiff", ".avif"]);

/** Whether a file's name is that of an image. */
export function isImage(name: string): boolean {
  const extension = extname(name).toLowerCase();
  return byPng.has(extension) || bySharp.has(extension);
}

/** Reads one image. @throws FileError, CorruptFileError, UnsupportedError, each naming the file */
export async function readImage(where: string, path: string, form: ImageForm = {}): Promise<Image> {
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw new FileError(`${where}: cannot read "${path}": ${(cause as Error).message}`, { cause });
  });
  const plain = form.size === undefined && form.channels === undefined;
  const read = plain && byPng.has(extname(path).toLowerCase()) ? decodePng : decodeBySharp;
  try {
    return await read(bytes, form);
  } catch (cause) {
    if (cause instanceof UnsupportedError) throw new UnsupportedError(`${where}: "${path}": ${cause.message}`);
    throw new CorruptFileError(`${where}: "${path}" is not a readable image: ${(cause as Error).message}`, { cause });
  }
}

async function decodePng(bytes: Uint8Array): Promise<Image> {
  const { decode, convertIndexedToRgb } = await optional("data", "reading PNG images", ["fast-png"], () => import("fast-png")); // prettier-ignore
  const png = decode(bytes);
  const indexed = png.palette !== undefined;
  const raw = indexed ? convertIndexedToRgb(png) : png.data;
  const held = indexed ? raw.length / (png.width * png.height) : png.channels;
  const divide = !indexed && png.depth === 16 ? 257 : 1; // 65,535 becomes 255
  if (!indexed && png.depth < 8) throw new UnsupportedError(`a PNG of ${png.depth} bits a pixel; save it with 8`);
  return planes(raw, png.width, png.height, held, divide);
}

// Interleaved pixels to planes of 1 or 3 channels; the channel of transparency (the last of 2 or 4) is left out.
function planes(raw: ArrayLike<number>, width: number, height: number, held: number, divide: number): Image {
  const channels = held >= 3 ? 3 : 1;
  const pixels = width * height;
  const data = new Uint8Array(channels * pixels);
  for (let channel = 0; channel < channels; channel++) {
    for (let i = 0; i < pixels; i++) data[channel * pixels + i] = Math.round(raw[i * held + channel]! / divide);
  }
  return { shape: [channels, height, width], data };
}

async function decodeBySharp(bytes: Uint8Array, { size, channels }: ImageForm): Promise<Image> {
  const { default: sharp } = await optional("data", "reading JPEG and WebP, or images of another size,", ["sharp"], () => import("sharp")); // prettier-ignore
  let image = sharp(bytes);
  if (size) image = image.resize({ height: size[0], width: size[1], fit: "cover" });
  if (channels === 1) image = image.greyscale();
  if (channels === 3) image = image.toColourspace("srgb").removeAlpha();
  const { data, info } = await image.raw().toBuffer({ resolveWithObject: true });
  return planes(data, info.width, info.height, info.channels, 1);
}
