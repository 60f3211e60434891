// A folder of images with a folder for each class as a data set: u8 [n, C, H, W]. PNG is read by fast-png; JPEG, WebP and resizing
// take sharp, if it is installed.
import { readdir, readFile } from "node:fs/promises";
import { extname, join } from "node:path";
import { images, type Dataset } from "../data/index.js";
import { ArgumentError, CorruptFileError, FileError, UnsupportedError } from "../errors.js";
import { optional } from "../report/optional.js";
import { NdArray } from "../tensor/nd-array.js";

/** An image, channels first. */
export interface Image {
  readonly shape: readonly [channels: number, height: number, width: number];
  readonly data: Uint8Array;
}

const byPng = new Set([".png"]);
const bySharp = new Set([".jpg", ".jpeg", ".webp", ".gif", ".tif", ".tiff", ".avif"]);

/** Whether a file's name is that of an image. */
export function isImage(name: string): boolean {
  const extension = extname(name).toLowerCase();
  return byPng.has(extension) || bySharp.has(extension);
}

/**
 * Reads a folder of images; the names of the folders in it are the classes.
 *
 * @param known the classes of the model that they are for, in its order.
 * @throws ArgumentError for a folder without classes or images of several sizes; CorruptFileError naming the file
 */
export async function imageFolder(where: string, folder: string, known?: readonly string[]): Promise<Dataset> {
  const found = (await readdir(folder, { withFileTypes: true })).filter((entry) => entry.isDirectory());
  const classes = known ?? found.map(({ name }) => name).toSorted();
  const stranger = found.find(({ name }) => !classes.includes(name));
  if (stranger) {
    throw new ArgumentError(`${where}: "${folder}" has a folder "${stranger.name}", which is not one of the model's classes (${classes.join(", ")})`); // prettier-ignore
  }
  const files: { path: string; label: number }[] = [];
  for (const { name } of found) {
    const inside = (await readdir(join(folder, name))).filter(isImage).toSorted();
    for (const file of inside) files.push({ path: join(folder, name, file), label: classes.indexOf(name) });
  }
  if (files.length === 0 || classes.length < 2) {
    throw new ArgumentError(`${where}: expected "${folder}" to have a folder of images for each of two classes or more, got ${found.length} folders with ${files.length} images`); // prettier-ignore
  }
  const first = await readImage(where, files[0]!.path);
  const { shape } = first;
  const x = new Uint8Array(files.length * first.data.length); // (n, C, H, W)
  for (const [i, { path }] of files.entries()) {
    const image = i === 0 ? first : await readImage(where, path);
    if (image.shape.join() !== shape.join()) {
      throw new ArgumentError(
        `${where}: all images must have one size; "${files[0]!.path}" is ${show(first)}, "${path}" is ${show(image)}; bring them to one size first`,
      );
    }
    x.set(image.data, i * image.data.length);
  }
  const y = Int32Array.from(files, ({ label }) => label);
  return images(
    { x: new NdArray(x, [files.length, ...shape], "u8"), y: new NdArray(y, [files.length], "i32") },
    { classes },
  );
}

const show = ({ shape: [channels, height, width] }: Image) => `${width} × ${height} with ${channels} channels`;

/** Reads one image: grey or RGB, without transparency. @throws FileError, CorruptFileError, UnsupportedError */
export async function readImage(where: string, path: string): Promise<Image> {
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw new FileError(`${where}: cannot read "${path}": ${(cause as Error).message}`, { cause });
  });
  const read = byPng.has(extname(path).toLowerCase()) ? decodePng : decodeBySharp;
  try {
    return await read(bytes);
  } catch (cause) {
    if (cause instanceof UnsupportedError) throw new UnsupportedError(`${where}: "${path}": ${cause.message}`);
    throw new CorruptFileError(`${where}: "${path}" is not a readable image: ${(cause as Error).message}`, { cause });
  }
}

async function decodePng(bytes: Uint8Array): Promise<Image> {
  const [{ decode, convertIndexedToRgb }] = await optional("reading PNG images", ["fast-png"], () =>
    Promise.all([import("fast-png")]),
  );
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

/** As much of sharp as is used here. */
type Sharp = (bytes: Uint8Array) => {
  raw(): {
    toBuffer(options: { resolveWithObject: true }): Promise<{
      data: Uint8Array;
      info: { width: number; height: number; channels: number };
    }>;
  };
};

async function decodeBySharp(bytes: Uint8Array): Promise<Image> {
  const name = "sharp"; // an optional package, not one of ours
  const { default: sharp } = await (import(name) as Promise<{ default: Sharp }>).catch(() => {
    throw new UnsupportedError("only PNG is read without the package sharp; npm install sharp, or convert it to PNG");
  });
  const { data, info } = await sharp(bytes).raw().toBuffer({ resolveWithObject: true });
  return planes(data, info.width, info.height, info.channels, 1);
}
