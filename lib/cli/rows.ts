// What `predict` is given: rows of CSV or JSON from files or standard input, for models that know how to read a table; plain numbers for
// those that take them; images for those of images. It comes in chunks, so that a long file is not answered all at once.
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { text as textOf } from "node:stream/consumers";
import type { LoadedModel } from "../artifact/index.js";
import { csvRows, type TableRow } from "../data/index.js";
import { ArgumentError, CorruptFileError, FileError } from "../errors.js";
import { countOf, NdArray } from "../tensor/nd-array.js";
import { isImage, readImage } from "../data/sources/image-file.js";

/** Some of the inputs, ready for the model. */
export interface Chunk {
  readonly x: NdArray | readonly TableRow[];
  /** Names of the files that they are, of images. */
  readonly names?: readonly string[];
}

/** How text is read. */
export interface RowOptions {
  readonly missing?: readonly string[];
  readonly delimiter?: string;
}

const CHUNK = 1024;

/** Reads inputs for a model, a chunk at a time. @throws ArgumentError, FileError, CorruptFileError naming file and line */
export async function* readInputs(model: LoadedModel, inputs: readonly string[], options: RowOptions): AsyncGenerator<Chunk> {
  const files: string[] = [];
  for (const input of inputs) files.push(...(await imagesIn(input)));
  if (files.length > 0 && files.every(isImage)) {
    yield* readImages(model, files);
    return;
  }
  const tabular = Object.values(model.info.preprocessing ?? {}).some(({ kind }) => kind === "table");
  for (const input of inputs) {
    const text = await readText(input);
    const rows = isJson(text) ? jsonRows(input, text) : tabular ? await csvRows({ text }, model.info, csvOptions(text, options)) : numberRows(input, text, options); // prettier-ignore
    for (let start = 0; start < rows.length; start += CHUNK) {
      const some = rows.slice(start, start + CHUNK);
      yield { x: tabular ? (some as TableRow[]) : asArray(model, input, some, start) };
    }
  }
} // prettier-ignore

async function imagesIn(input: string): Promise<string[]> {
  const found = input === "-" ? undefined : await stat(input).catch(() => undefined);
  if (!found?.isDirectory()) return [input];
  const inside = (await readdir(input)).filter(isImage).toSorted();
  if (inside.length === 0) throw new ArgumentError(`predict: the folder "${input}" has no images`);
  return inside.map((name) => join(input, name));
}

async function* readImages(model: LoadedModel, files: readonly string[]): AsyncGenerator<Chunk> {
  const { shape, dtype } = model.input;
  for (let start = 0; start < files.length; start += CHUNK) {
    const names = files.slice(start, start + CHUNK);
    const pixels = new Uint8Array(names.length * countOf(shape));
    for (const [i, path] of names.entries()) {
      const image = await readImage("predict", path);
      if (dtype !== "u8" || image.shape.join() !== shape.join()) {
        throw new ArgumentError(`predict: "${path}" is u8 [${image.shape.join(", ")}], the model takes ${dtype} [${shape.join(", ")}] (channels, height, width)`); // prettier-ignore
      }
      pixels.set(image.data, i * image.data.length);
    }
    yield { x: new NdArray(pixels, [names.length, ...shape], "u8"), names };
  }
}

async function readText(input: string): Promise<string> {
  try {
    const bytes = input === "-" ? Buffer.from(await textOf(process.stdin)) : await readFile(input);
    if (!bytes.includes(0)) return bytes.toString().replace(/^\uFEFF/, "");
  } catch (cause) {
    throw new FileError(`predict: cannot read "${input}": ${(cause as Error).message}`, { cause });
  }
  throw new ArgumentError(`predict: "${input}" is neither a table nor JSON: it holds bytes of zero, as programs, images and archives do`); // prettier-ignore
}

const isJson = (text: string): boolean => /^\s*[[{]/.test(text);

function jsonRows(input: string, text: string): unknown[] {
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) && !value.every((cell) => typeof cell === "number") ? (value as unknown[]) : [value];
  } catch (cause) {
    const lines = text.split(/\r?\n/).filter((line) => line.trim() !== "");
    return lines.map((line, i): unknown => {
      try {
        return JSON.parse(line);
      } catch {
        const where = lines.length > 1 ? ` (nor is line ${i + 1} on its own)` : "";
        throw new CorruptFileError(`predict: "${input}" is not JSON: ${(cause as Error).message}${where}`, { cause });
      }
    });
  }
}

/** The delimiter that the first line has, and what stands for a missing cell. */
function csvOptions(text: string, { missing = [], delimiter }: RowOptions) {
  const header = text.split(/\r?\n/, 1)[0]!;
  const marks = [",", ";", "\t"];
  const counts = marks.map((mark) => header.split(mark).length);
  return { delimiter: delimiter ?? marks[counts.indexOf(Math.max(...counts))]!, missingCells: ["", ...missing] };
}

// Without a rule for tables: lines of numbers, under a header or not.
function numberRows(input: string, text: string, options: RowOptions): number[][] {
  const { delimiter } = csvOptions(text, options);
  const lines = text.split(/\r?\n/).map((line, i) => ({ cells: line.split(delimiter), line: i + 1 })).filter(({ cells }) => cells.some((cell) => cell.trim() !== "")); // prettier-ignore
  const isHeader = lines[0]?.cells.every((cell) => !Number.isFinite(Number(cell)));
  return (isHeader ? lines.slice(1) : lines).map(({ cells, line }) =>
    cells.map((cell) => {
      if (cell.trim() !== "" && Number.isFinite(Number(cell))) return Number(cell);
      throw new ArgumentError(`predict: expected a number at line ${line} of "${input}", got ${JSON.stringify(cell)}; the model has no rule for tables`); // prettier-ignore
    }),
  );
}

function asArray(model: LoadedModel, input: string, rows: readonly unknown[], start: number): NdArray {
  const { shape, dtype } = model.input;
  const size = countOf(shape);
  const flat = rows.flatMap((row, i): number[] => {
    const values: unknown[] = [row].flat(8);
    if (values.length === size && values.every((value) => typeof value === "number")) return values;
    throw new ArgumentError(`predict: row ${start + i + 1} of "${input}" should be ${size} numbers, as the model takes ${dtype} [${shape.join(", ")}], got ${values.length} values`); // prettier-ignore
  });
  const data = dtype === "u8" ? Uint8Array.from(flat) : dtype === "i32" ? Int32Array.from(flat) : Float32Array.from(flat); // prettier-ignore
  return new NdArray(data, [rows.length, ...shape], dtype);
}
