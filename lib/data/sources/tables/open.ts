// A table's file opened, learned and read in the thread that asks: table-source.ts decides which one that is.
import { dropped } from "../chunks.js";
import type { Chunk } from "../batch-source.js";
import { arrowRows } from "./arrow-rows.js";
import { csvRows, type CsvRowsOptions } from "./csv-rows.js";
import { RowsEncoder, type OnError } from "./encode.js";
import { jsonRows } from "./json-rows.js";
import { learnTable, type Learned, type TableChoices } from "./learn.js";
import { parquetRows } from "./parquet-rows.js";
import type { RowReader } from "./row-reader.js";

/** A file of rows, as plain data. */
export interface TableFile {
  readonly format: "csv" | "jsonLines" | "parquet" | "arrow";
  /** The operation, for errors. */
  readonly where: string;
  readonly path: string;
  readonly csv?: CsvRowsOptions | undefined;
  /** Columns that are not read, where the format allows it. */
  readonly drop: readonly string[];
}

/** What is asked of a file that has not been learned. */
export interface LearnRequest {
  readonly file: TableFile;
  readonly choices: TableChoices;
  /** Rows at most. */
  readonly learn: number | undefined;
  readonly onError: OnError;
}

/** A file that has been learned. */
export interface LearnedFile extends Learned {
  /** Rows, where the file tells. */
  readonly length: number | undefined;
  /** Numbers of a sample's x. */
  readonly width: number;
}

/** What is asked of a file that has been learned. */
export interface RowsRequest {
  readonly file: TableFile;
  readonly learned: Learned;
  readonly label: string;
  readonly onError: OnError;
  /** Samples that are left out. */
  readonly skip: number;
}

/** Samples, and how many rows before and among them were left out or filled. */
export interface CountedChunk {
  /** Undefined where all rows were left out. */
  readonly chunk: Chunk | undefined;
  readonly skipped: number;
  readonly filled: number;
}

/** Opens a file. @throws FileError, CorruptFileError, ArgumentError; UnsupportedError without the format's package */
export async function openRows({ format, where, path, csv, drop }: TableFile): Promise<RowReader> {
  switch (format) {
    case "csv":
      return csvRows(where, path, csv!);
    case "jsonLines":
      return jsonRows(where, path);
    case "parquet":
      return parquetRows(where, path, drop);
    case "arrow":
      return arrowRows(where, path, drop);
  }
}

/** Learns a file from its first rows. @throws as {@link openRows}; ArgumentError naming line and column */
export async function learnFile({ file, choices, learn, onError }: LearnRequest): Promise<LearnedFile> {
  const reader = await openRows(file);
  const learned = await learnTable(file.where, reader, choices, learn, onError !== "throw");
  const { width } = new RowsEncoder({ where: file.where, reader, label: choices.label, onError, ...learned });
  return { ...learned, length: onError === "throw" ? reader.length : undefined, width };
}

/** The samples of a file. @throws as {@link learnFile} */
export async function* readRows(request: RowsRequest, signal?: AbortSignal): AsyncGenerator<CountedChunk> {
  const { file, learned, label, onError, skip } = request;
  const reader = await openRows(file);
  const encoder = new RowsEncoder({ where: file.where, reader, label, onError, ...learned });
  const isEveryRow = onError === "throw" && !reader.scanned;
  const chunks = isEveryRow ? fromRow(reader, encoder, skip, signal) : dropped(encoded(reader, encoder, signal), skip);
  for await (const chunk of chunks) yield { chunk, skipped: encoder.skipped, filled: encoder.filled };
  yield { chunk: undefined, skipped: encoder.skipped, filled: encoder.filled };
}

async function* encoded(reader: RowReader, encoder: RowsEncoder, signal?: AbortSignal): AsyncGenerator<Chunk> {
  if (reader.scanned) {
    for await (const scan of reader.scanned(encoder.plan, signal)) {
      const chunk = encoder.finish(scan);
      if (chunk) yield chunk;
    }
    return;
  }
  for await (const rows of reader.rows(signal)) {
    const chunk = encoder.encode(rows);
    if (chunk) yield chunk;
  }
}

// Where no row is left out, the samples before are not even made.
async function* fromRow(
  reader: RowReader,
  encoder: RowsEncoder,
  skip: number,
  signal?: AbortSignal,
): AsyncGenerator<Chunk> {
  let left = skip;
  for await (const rows of reader.rows(signal)) {
    const from = Math.min(left, rows.length);
    left -= from;
    const chunk = from < rows.length ? encoder.encode(from === 0 ? rows : rows.slice(from)) : undefined;
    if (chunk) yield chunk;
  }
}
