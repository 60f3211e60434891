// Rows of a file one after the other, whatever the file is.

/** A row as it stands in its file. */
export interface RawRow {
  /** In the order of the header; `null` is a missing cell. A row of another length is damaged. */
  readonly cells: readonly (string | number | boolean | null)[];
  /** Line of the file, or number of the row, from 1. */
  readonly line: number;
  /** What is wrong with the row as a whole. */
  readonly damage?: string | undefined;
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
}
