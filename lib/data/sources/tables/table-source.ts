// Tables streamed from files as sources: typed columns, missing cells, categories and scales by a rule that is learned from the first
// rows and becomes part of the model.
import { ArgumentError, checkOptions } from "../../../errors.js";
import { got } from "../../../names/got.js";
import type { CsvOptions } from "../../csv.js";
import { dropped } from "../chunks.js";
import type { Chunk, ReadRequest } from "../batch-source.js";
import { checkWhole, Source } from "../source.js";
import { csvRows } from "./csv-rows.js";
import { RowsEncoder, type OnError } from "./encode.js";
import { jsonRows } from "./json-rows.js";
import { parquetRows } from "./parquet-rows.js";
import { learnTable, type TableChoices } from "./learn.js";
import type { RowReader } from "./row-reader.js";

/** Options of tables that are streamed. */
export interface TableStreamOptions extends TableChoices {
  /** Rows at the start of the file from which columns, fills, categories and scales are learned. Default 100,000. */
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
  const tolerant = onErrorOf(where, options) !== "throw";
  return tableSource(where, await csvRows(where, path, { delimiter, missingCells, tolerant }), rest);
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
  onErrorOf(where, options);
  return tableSource(where, await jsonRows(where, path), options);
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
  onErrorOf(where, options);
  return tableSource(where, await parquetRows(where, path, options.drop ?? []), options);
}

/** A source over a reader of rows. @throws ArgumentError */
export async function tableSource(where: string, reader: RowReader, options: TableStreamOptions): Promise<Source> {
  const { learn = 100_000, onError = "throw", ...choices } = options;
  checkWhole(where.replace(/^data\./, ""), "learn", learn, 1);
  const { rule, classes } = await learnTable(where, reader, choices, learn, onError !== "throw");
  const encoder = new RowsEncoder({ where, reader, rule, classes, label: choices.label, onError });
  return new Source({
    x: { dtype: "f32", shape: [encoder.width] },
    y: classes ? { dtype: "i32", shape: [] } : { dtype: "f32", shape: [1] },
    length: onError === "throw" ? reader.length : undefined,
    info: { task: classes ? "classification" : "regression", ...(classes && { classes }), preprocessing: rule },
    identity: async () => `${await reader.identity()} ${onError} ${choices.label} ${JSON.stringify([rule, classes])}`,
    read: (request) => samplesOf(reader, encoder, request, onError === "throw"),
    skipped: () => encoder.skipped,
  });
}

// Where no row is left out, the samples before are not even made.
async function* samplesOf(
  reader: RowReader,
  encoder: RowsEncoder,
  { skip, signal }: ReadRequest,
  isEveryRow: boolean,
): AsyncGenerator<Chunk> {
  if (!isEveryRow) {
    yield* dropped(encoded(reader, encoder, signal), skip);
    return;
  }
  let left = skip;
  for await (const rows of reader.rows(signal)) {
    const from = Math.min(left, rows.length);
    left -= from;
    const chunk = from < rows.length ? encoder.encode(from === 0 ? rows : rows.slice(from)) : undefined;
    if (chunk) yield chunk;
  }
}

async function* encoded(reader: RowReader, encoder: RowsEncoder, signal: AbortSignal | undefined) {
  for await (const rows of reader.rows(signal)) {
    const chunk = encoder.encode(rows);
    if (chunk) yield chunk;
  }
}

function onErrorOf(where: string, { onError = "throw" }: TableStreamOptions): OnError {
  if (["throw", "skip", "fill"].includes(onError)) return onError;
  throw new ArgumentError(`${where}: onError must be "throw", "skip" or "fill", got ${got(onError)}`);
}
