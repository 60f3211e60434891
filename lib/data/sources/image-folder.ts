// A folder of images with a folder for each class: their files found, and read as a source or into memory.
import { createHash } from "node:crypto";
import { readdir, stat } from "node:fs/promises";
import { join, relative } from "node:path";
import { ArgumentError, AthanorError, checkOptions, FileError } from "../../errors.js";
import { got } from "../../names/got.js";
import { NdArray } from "../../tensor/nd-array.js";
import { aborted } from "../../tensor/program.js";
import type { Dataset } from "../dataset.js";
import { images } from "../images.js";
import type { Chunk, ReadRequest } from "./batch-source.js";
import { orderOf } from "./basic.js";
import { dropped } from "./chunks.js";
import { decoderOf } from "./image-decoder.js";
import { isImage, readImage, type Image, type ImageForm } from "./image-file.js";
import { Source } from "./source.js";
import { mostThreads } from "./threads/pool.js";

/** Options of {@link imageFolder}. */
export interface ImageFolderOptions extends ImageForm {
  /** Another order every epoch. Default true; false gives class after class, files by name. */
  readonly shuffle?: boolean | undefined;
  /** Names of the classes in the order of their numbers. Default the folders' names, sorted. */
  readonly classes?: readonly string[] | undefined;
  /**
   * What becomes of a file that cannot be read, or is of another size: an error that names it; it is left out; or a black image with its
   * label stands in its place, so that the number of images is known. Both are counted. Default `"throw"`.
   */
  readonly onError?: "throw" | "skip" | "fill" | undefined;
}

/** Image files with their labels. */
export interface ImageFiles {
  readonly classes: readonly string[];
  readonly files: readonly { readonly path: string; readonly label: number }[];
}

const chunkRows = 16;

/**
 * A folder of images, a folder in it for each class (`photos/cat/1.jpg`), read while a run goes on: x u8 [C, H, W], y i32 []. PNG is read by
 * the package fast-png, other formats by sharp; with `size` or `channels` all of them by sharp. A model reads the bytes as 0 to 1.
 *
 * @throws ArgumentError for a folder without classes; FileError; when read, CorruptFileError or ArgumentError naming the file.
 * @example
 * const photos = await data.imageFolder("photos", { size: [64, 64], channels: 3 });
 * const source = photos.augment({ flip: "leftRight", crop: { padding: 4 } });
 */
export async function imageFolder(folder: string, options: ImageFolderOptions = {}): Promise<Source> {
  const where = "data.imageFolder";
  checkOptions(where, options, ["size", "channels", "shuffle", "classes", "onError"]);
  const { size, channels, shuffle = true, onError = "throw" } = options;
  checkForm(where, options);
  if (!["throw", "skip", "fill"].includes(onError)) {
    throw new ArgumentError(`${where}: onError must be "throw", "skip" or "fill", got ${got(onError)}`);
  }
  const { classes, files } = await imageFiles(where, folder, options.classes);
  const first = await firstImage(where, files, options, onError !== "throw");
  const black: Image = { ...first.image, data: new Uint8Array(first.image.data.length) };
  let [skipped, filled] = [0, 0];
  const usable = async (path: string, image: Promise<Image>): Promise<Image | undefined> => {
    try {
      return sameSize(where, await image, path, first);
    } catch (thrown) {
      if (onError === "throw" || !(thrown instanceof AthanorError)) throw thrown;
      if (onError === "fill") filled += 1;
      else skipped += 1;
      return onError === "fill" ? black : undefined;
    }
  };
  const decode = decoderOf(where, { size, channels }, first.image);
  const read: ReadImages = async (paths) => {
    const images = await decode(paths);
    return Promise.all(paths.map((path, i) => usable(path, images[i]!)));
  };
  return new Source({
    x: { dtype: "u8", shape: [...first.image.shape] },
    y: { dtype: "i32", shape: [] },
    length: onError === "skip" ? undefined : files.length,
    info: { task: "classification", classes, preprocessing: { kind: "normalize", divide: 255 } },
    identity: async () => `images ${JSON.stringify([size, channels, shuffle, onError, classes])} ${await identityOf(folder, files)}`, // prettier-ignore
    read: (request) => {
      const order = shuffle ? orderOf(files.length, request) : undefined;
      if (onError !== "skip") return chunksOf(files, order, request, read);
      return dropped(chunksOf(files, order, { ...request, skip: 0 }, read), request.skip); // those left out do not count
    },
    skipped: () => skipped,
    filled: () => filled,
  });
}

/** All images of a folder in memory. @throws as {@link imageFolder} */
export async function imagesInMemory(where: string, folder: string, known?: readonly string[]): Promise<Dataset> {
  const { classes, files } = await imageFiles(where, folder, known);
  const first = await firstImage(where, files, {}, false);
  const { shape, data } = first.image;
  const x = new Uint8Array(files.length * data.length); // (n, C, H, W)
  for (const [i, { path }] of files.entries()) {
    x.set(sameSize(where, i === 0 ? first.image : await readImage(where, path), path, first).data, i * data.length);
  }
  const y = Int32Array.from(files, ({ label }) => label);
  return images(
    { x: new NdArray(x, [files.length, ...shape], "u8"), y: new NdArray(y, [files.length], "i32") },
    { classes },
  );
}

/** The images of a folder; the names of the folders in it are the classes. @throws ArgumentError, FileError */
export async function imageFiles(where: string, folder: string, known?: readonly string[]): Promise<ImageFiles> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((cause: unknown) => {
    throw new FileError(`${where}: cannot read "${folder}" (${(cause as NodeJS.ErrnoException).code})`, { cause });
  });
  const found = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  const classes = known ?? [...found].sort();
  const stranger = found.find((name) => !classes.includes(name));
  if (stranger !== undefined) {
    throw new ArgumentError(`${where}: "${folder}" has a folder "${stranger}", which is not one of the classes (${classes.join(", ")})`); // prettier-ignore
  }
  const files: { path: string; label: number }[] = [];
  for (const [label, name] of classes.entries()) {
    if (!found.includes(name)) continue;
    const inside = (await readdir(join(folder, name))).filter(isImage).sort();
    for (const file of inside) files.push({ path: join(folder, name, file), label });
  }
  if (files.length === 0 || classes.length < 2) {
    throw new ArgumentError(`${where}: expected "${folder}" to have a folder of images for each of two classes or more, got ${found.length} folders with ${files.length} images`); // prettier-ignore
  }
  return { classes, files };
}

interface First {
  readonly image: Image;
  readonly path: string;
}

async function firstImage(
  where: string,
  files: ImageFiles["files"],
  form: ImageForm,
  tolerant: boolean,
): Promise<First> {
  for (const { path } of files) {
    try {
      return { image: await readImage(where, path, form), path };
    } catch (thrown) {
      if (!tolerant) throw thrown;
    }
  }
  throw new ArgumentError(`${where}: none of the ${files.length} images can be read`);
}

function sameSize(where: string, image: Image, path: string, first: First): Image {
  if (image.shape.join() === first.image.shape.join()) return image;
  const show = ({ shape: [channels, height, width] }: Image) => `${width} × ${height} with ${channels} channels`;
  throw new ArgumentError(
    `${where}: all images must have one size; "${first.path}" is ${show(first.image)}, "${path}" is ${show(image)}; bring them to one size first, or have them read in one: data.imageFolder(folder, { size: [64, 64], channels: 3 })`,
  );
}

/** Some images in the order of their files; undefined for one that is left out. */
type ReadImages = (paths: readonly string[]) => Promise<(Image | undefined)[]>;

type FileAndLabel = ImageFiles["files"][number];

async function* chunksOf(
  files: readonly FileAndLabel[],
  order: Int32Array | undefined,
  { skip, signal }: ReadRequest,
  read: ReadImages,
): AsyncGenerator<Chunk> {
  const working: Promise<Chunk | undefined>[] = [];
  for (let from = skip; from < files.length; from += chunkRows) {
    if (signal?.aborted) throw aborted("data.imageFolder", signal);
    const until = Math.min(files.length, from + chunkRows);
    const picked = Array.from({ length: until - from }, (_, i) => files[order ? order[from + i]! : from + i]!);
    const chunk = chunkOfImages(picked, read);
    chunk.catch(() => undefined); // thrown where it is awaited
    working.push(chunk);
    if (working.length < mostThreads) continue;
    const done = await working.shift();
    if (done) yield done;
  }
  for (const chunk of working) {
    const done = await chunk;
    if (done) yield done;
  }
}

async function chunkOfImages(picked: readonly FileAndLabel[], read: ReadImages): Promise<Chunk | undefined> {
  const images = await read(picked.map(({ path }) => path));
  const there = picked.flatMap(({ label }, i) => (images[i] ? [{ label, image: images[i] }] : []));
  if (there.length === 0) return undefined;
  const { shape, data } = there[0]!.image;
  const x = new Uint8Array(there.length * data.length); // (n, C, H, W)
  there.forEach(({ image }, i) => x.set(image.data, i * data.length));
  const y = Int32Array.from(there, ({ label }) => label);
  return { x: new NdArray(x, [there.length, ...shape], "u8"), y: new NdArray(y, [there.length], "i32") };
}

// Names and lengths of all files: reading a hundred thousand images to know them again would take longer than an epoch.
async function identityOf(folder: string, files: ImageFiles["files"]): Promise<string> {
  const hash = createHash("sha256");
  for (const { path, label } of files) {
    const { size } = await stat(path);
    hash.update(`${label} ${size} ${relative(folder, path)}\n`);
  }
  return `${files.length} files ${hash.digest("hex")}`;
}

function checkForm(where: string, { size, channels }: ImageForm): void {
  const isExtent = (extent: unknown) => Number.isSafeInteger(extent) && (extent as number) >= 1;
  if (size !== undefined && !(Array.isArray(size) && size.length === 2 && size.every(isExtent))) {
    throw new ArgumentError(`${where}: size must be [height, width] in pixels, got ${got(size)}`);
  }
  if (channels !== undefined && channels !== 1 && channels !== 3) {
    throw new ArgumentError(`${where}: channels must be 1 (grey) or 3 (RGB), got ${got(channels)}`);
  }
}
