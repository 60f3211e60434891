// A file of tokens as windows for a language model: x is a window, y the same one token later. Nothing of the file is held in memory.
import { requireCount } from "../../guidance/arguments.js";
import { stat } from "node:fs/promises";
import { ArgumentError, checkOptions, FileError } from "../../errors.js";
import { got } from "../../names/got.js";
import { addon, callAsync } from "../../native/index.js";
import { NdArray } from "../../tensor/nd-array.js";
import { aborted } from "../../tensor/program.js";
import type { Chunk, ReadRequest, SampleType } from "./batch-source.js";
import { fileIdentity, opened } from "./file-identity.js";
import { uniform } from "./random.js";
import { Source } from "./source.js";

/** Options of {@link tokens}. */
export interface TokensOptions {
  /** Tokens of a window. */
  readonly window: number;
  /** How a token is stored, little-endian. Default "u16". */
  readonly dtype?: "u16" | "u32" | undefined;
  /**
   * "random": each window begins anywhere, another one for every seed, epoch and place; "sequential": windows one after the other, as
   * for evaluation. Default "random".
   */
  readonly order?: "random" | "sequential" | undefined;
  /** Windows of an epoch. Default as many as the file has side by side. */
  readonly length?: number | undefined;
}

const where = "data.tokens";
const chunkRows = 64;

/**
 * Windows of a file of tokens: x i32 [window], y i32 [window], the token that follows each.
 *
 * @throws ArgumentError for a file that is too short; FileError; when read, CorruptFileError for a file that has been cut short.
 * @example
 * const corpus = await data.tokens("corpus.u16", { window: 512 });
 * console.log(corpus.length);
 */
export async function tokens(path: string, options: TokensOptions): Promise<Source> {
  checkOptions(where, options, ["window", "dtype", "order", "length"]);
  const { window, dtype = "u16", order = "random" } = options;
  requireCount("data.tokens", "window", window);
  if (dtype !== "u16" && dtype !== "u32") {
    throw new ArgumentError(`${where}: dtype must be "u16" or "u32", got ${got(dtype)}`);
  }
  if (order !== "random" && order !== "sequential") {
    throw new ArgumentError(`${where}: order must be "random" or "sequential", got ${got(order)}`);
  }
  const width = dtype === "u16" ? 2 : 4;
  const { size } = await stat(path).catch((cause: unknown) => {
    throw new FileError(`${where}: cannot read "${path}" (${(cause as NodeJS.ErrnoException).code})`, { cause });
  });
  const count = Math.floor(size / width);
  if (count <= window) {
    throw new ArgumentError(
      `${where}: "${path}" has ${count} tokens of ${dtype}, expected more than the ${window} of a window`,
    );
  }
  const side = Math.floor((count - 1) / window);
  const length = options.length ?? side;
  requireCount("data.tokens", "length", length, 1);
  if (order === "sequential" && length > side) {
    throw new ArgumentError(`${where}: "${path}" has ${side} windows side by side, got length: ${length}`);
  }
  const sample: SampleType = { dtype: "i32", shape: [window] };
  const startOf = (i: number, { seed, epoch }: ReadRequest): number =>
    order === "random" ? Math.floor(uniform(0x70c3, seed, epoch, i) * (count - window)) : i * window;
  return new Source({
    x: sample,
    y: sample,
    length,
    identity: async () => `tokens ${dtype} ${window} ${order} ${length} ${await fileIdentity(where, path)}`,
    read: (request) => windows(path, width, window, length, request, (i) => startOf(i, request)),
  });
}

async function* windows(
  path: string,
  width: number,
  window: number,
  length: number,
  { skip, signal }: ReadRequest,
  startOf: (i: number) => number,
): AsyncGenerator<Chunk> {
  const file = await opened(where, path);
  try {
    for (let first = skip; first < length; first += chunkRows) {
      if (signal?.aborted) throw aborted(where, signal);
      const rows = Math.min(chunkRows, length - first);
      const starts = Float64Array.from({ length: rows }, (_, i) => startOf(first + i));
      const buffer = await callAsync(() => addon.readWindows(file.fd, width, starts, window + 1, path, where));
      yield nextTokens(new Int32Array(buffer), rows, window);
    }
  } finally {
    await file.close();
  }
}

// Windows of one token more become what comes in and what is to come out.
function nextTokens(all: Int32Array, rows: number, window: number): Chunk {
  const [x, y] = [new Int32Array(rows * window), new Int32Array(rows * window)]; // (rows, window)
  for (let row = 0; row < rows; row++) {
    const from = row * (window + 1);
    x.set(all.subarray(from, from + window), row * window);
    y.set(all.subarray(from + 1, from + 1 + window), row * window);
  }
  return { x: new NdArray(x, [rows, window], "i32"), y: new NdArray(y, [rows, window], "i32") };
}
