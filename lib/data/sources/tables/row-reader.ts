// Rows of a file one after the other, whatever the file is.
import type { TablePreprocessing } from "../../../preprocess/index.js";

/** A row as it stands in its file. */
export interface RawRow {
  /** In the order of the header; `null` is a missing cell. A row of another length is damaged. */
  readonly cells: readonly (string | number | boolean | null)[];
  /** Line of the file, or number of the row, from 1. */
  readonly line: number;
  /** What is wrong with the row as a whole. */
  readonly damage?: string | undefined;
  /** The damage is one of the file's format. */
  readonly isMalformed?: boolean | undefined;
}

/** By what rows become samples. */
export interface RowsPlan {
  readonly rule: TablePreprocessing;
  readonly label: string;
  readonly classes: readonly string[] | undefined;
  /** Numbers of a sample's x. */
  readonly width: number;
}

/** Rows that were made into samples as they were read, and those among them that have to be looked at: their numbers are zeros. */
export interface ScannedRows {
  readonly rows: number;
  readonly x: Float32Array<ArrayBuffer>; // (rows, width)
  readonly y: Int32Array<ArrayBuffer> | Float32Array<ArrayBuffer>; // (rows)
  readonly odd: readonly (RawRow & { readonly row: number })[];
}

/** A file of rows. */
export interface RowReader {
  /** Names of the columns. */
  readonly header: readonly string[];
  /** Rows of an epoch, where the file tells. */
  readonly length?: number | undefined;
  /** The file in errors: `"customers.csv"`. */
  readonly shown: string;
  /** What a row's number is called in errors. */
  readonly unit: "line" | "row";
  identity(): Promise<string>;
  /** All rows, some at a time. */
  rows(signal?: AbortSignal): AsyncIterable<readonly RawRow[]>;
  /** The same made into samples, where the reader can do so. */
  scanned?(plan: RowsPlan, signal?: AbortSignal): AsyncIterable<ScannedRows>;
}
