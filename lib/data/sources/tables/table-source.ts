// Tables streamed from files as sources: typed columns, missing cells, categories and scales by a rule that is learned from the first
// rows and becomes part of the model.
import { requirePath, requireCount } from "../../../guidance/arguments.js";
import { stat } from "node:fs/promises";
import { ArgumentError, checkOptions } from "../../../errors.js";
import { got } from "../../../names/got.js";
import type { CsvOptions } from "../../csv.js";
import { Source } from "../source.js";
import { chunkOf } from "../threads/change.js";
import { inThread, oneInThread } from "../threads/pool.js";
import type { PlainChunk } from "../threads/protocol.js";
import type { OnError } from "./encode.js";
import type { TableChoices } from "./learn.js";
import { learnFile, openRows, readRows, type LearnedFile, type TableFile } from "./open.js";

/** Options of tables that are streamed. */
export interface TableStreamOptions extends TableChoices {
  /** Rows at the start of the file from which columns, fills, categories and scales are learned. Default 100,000, or as many as have a million cells. */
  readonly learn?: number | undefined;
  /**
   * What becomes of a row that does not fit (another number of cells, a text among numbers, an unknown category or label): an error that
   * names file, line and column; it is left out and counted (`source.skipped`); or its damaged cells count as missing ones, and it is left
   * out where that does not help. Default `"throw"`.
   */
  readonly onError?: OnError | undefined;
}

/** Options of {@link csvStream}. */
export type CsvStreamOptions = TableStreamOptions & Pick<CsvOptions, "delimiter" | "missingCells">;

const names = ["label", "target", "drop", "columns", "numbers", "categories", "info", "learn", "onError"];

/**
 * A table from a file of comma-separated text with a header line, read while a run goes on: x f32 [features], y i32 [] for classes, f32 [1]
 * for numbers, in the order of the file (`source.shuffle(10_000)` mixes it). Options are those of `data.csv`; the rule by which columns are
 * read is learned from the first rows and kept by the model.
 *
 * @throws ArgumentError for a column that is not there, or a cell among the first rows that cannot be read, naming line and column;
 *   CorruptFileError, FileError. Later cells are met when they are read.
 * @example
 * const source = await data.csvStream("customers.csv", { label: "tier", numbers: { missing: "median", scale: "standard" } });
 * console.log((await source.counted()).length);
 */
export async function csvStream(path: string, options: CsvStreamOptions): Promise<Source> {
  const where = "data.csvStream";
  checkOptions(where, options, [...names, "delimiter", "missingCells"]);
  const { delimiter = ",", missingCells = [""], ...rest } = options;
  const csv = { delimiter: delimiterOf(where, delimiter), missingCells };
  return tableSource({ format: "csv", where, path, csv, drop: [] }, rest);
}

/**
 * A table from a file of JSON lines, an object a line, read while a run goes on; else as {@link csvStream}. `null` and keys that are not
 * there are missing cells; keys that the first thousand lines do not have are not looked at.
 *
 * @throws as {@link csvStream}
 * @example
 * const source = await data.jsonLines("customers.jsonl", { label: "tier", onError: "skip" });
 */
export async function jsonLines(path: string, options: TableStreamOptions): Promise<Source> {
  const where = "data.jsonLines";
  checkOptions(where, options, names);
  return tableSource({ format: "jsonLines", where, path, drop: [] }, options);
}

/**
 * A table from a Parquet file, read while a run goes on; else as {@link csvStream}. Null and NaN are missing cells, dates are milliseconds,
 * columns of lists and records have to be dropped. Takes the package hyparquet.
 *
 * @throws as {@link csvStream}; UnsupportedError without the package.
 * @example
 * const source = await data.parquet("customers.parquet", { label: "tier", drop: ["tags"] });
 */
export async function parquet(path: string, options: TableStreamOptions): Promise<Source> {
  const where = "data.parquet";
  checkOptions(where, options, names);
  return tableSource({ format: "parquet", where, path, drop: options.drop ?? [] }, options);
}

/**
 * A table from an Arrow file (IPC file or stream format, Feather version 2), read a record batch at a time while a run goes on; else as
 * {@link csvStream}. Null and NaN are missing cells, dates are milliseconds, columns of lists and records have to be dropped. Takes the package
 * apache-arrow.
 *
 * @throws as {@link csvStream}; UnsupportedError without the package.
 * @example
 * const source = await data.arrow("customers.arrow", { label: "tier", onError: "skip" });
 */
export async function arrow(path: string, options: TableStreamOptions): Promise<Source> {
  const where = "data.arrow";
  checkOptions(where, options, names);
  return tableSource({ format: "arrow", where, path, drop: options.drop ?? [] }, options);
}

/** A source over a file of rows. @throws ArgumentError */
async function tableSource(file: TableFile, options: TableStreamOptions): Promise<Source> {
  const { learn, ...choices } = options;
  requirePath(file.where, file.path, "customers.csv");
  const onError = onErrorOf(file.where, options);
  if (learn !== undefined) requireCount(file.where, "learn", learn);
  const thread = await isWorthAThread(file);
  const { label, target, drop, columns, numbers, categories, info } = choices;
  const request = { file, learn, onError, choices: { label, target, drop, columns, numbers, categories, info } };
  const { rule, classes, width, length } = thread ? await oneInThread<LearnedFile>("learn", request) : await learnFile(request); // prettier-ignore
  const learned = { rule, classes };
  const counts = { skipped: 0, filled: 0 };
  return new Source({
    x: { dtype: "f32", shape: [width] },
    y: classes ? { dtype: "i32", shape: [] } : { dtype: "f32", shape: [1] },
    length,
    info: { task: classes ? "classification" : "regression", ...(classes && { classes }), preprocessing: rule },
    identity: async () => `${await (await openRows(file)).identity()} ${onError} ${label} ${JSON.stringify([rule, classes])}`, // prettier-ignore
    read: ({ skip, signal }) => {
      const rows = { file, learned, label, onError, skip };
      return counted(thread ? inThread<PlainRows>("rows", rows, signal) : readRows(rows, signal), counts);
    },
    skipped: () => counts.skipped,
    filled: () => counts.filled,
  });
}

/** Samples as they come from a thread, or from this one. */
interface PlainRows {
  readonly chunk: PlainChunk | undefined;
  readonly skipped: number;
  readonly filled: number;
}

async function* counted(items: AsyncIterable<PlainRows>, counts: { skipped: number; filled: number }) {
  const before = { ...counts };
  for await (const { chunk, skipped, filled } of items) {
    counts.skipped = before.skipped + skipped;
    counts.filled = before.filled + filled;
    if (chunk) yield chunkOf(chunk);
  }
}

// What is shorter is parsed in a millisecond or two, in which a thread has not even begun.
const inlineBytes = 2 ** 17;

async function isWorthAThread({ path }: TableFile): Promise<boolean> {
  return stat(path).then(
    ({ size }) => size > inlineBytes,
    () => false, // the reader says what is wrong
  );
}

function onErrorOf(where: string, { onError = "throw" }: TableStreamOptions): OnError {
  if (["throw", "skip", "fill"].includes(onError)) return onError;
  throw new ArgumentError(`${where}: onError must be "throw", "skip" or "fill", got ${got(onError)}`);
}

function delimiterOf(where: string, delimiter: unknown): string {
  if (typeof delimiter === "string" && delimiter !== "" && !/["\r\n]/.test(delimiter)) return delimiter;
  throw new ArgumentError(`${where}: delimiter must be a text such as ";" without quotes and line ends, got ${got(delimiter)}`); // prettier-ignore
}
