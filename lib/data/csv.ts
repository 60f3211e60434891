// Tables as data sets: one column is the target, the others are features. The grammar (quotes, escapes, byte order marks)
// is csv-parse's; here is what a column means.

import { createReadStream } from "node:fs";
import { Readable } from "node:stream";
import { CsvError, parse } from "csv-parse";
import { ArgumentError, checkOptions, CorruptFileError, FileError, nearestName } from "../errors.js";
import { unawaited } from "../guidance/unawaited.js";
import { NdArray } from "../tensor/nd-array.js";
import { notText, watchFirst } from "./binary.js";
import { Dataset } from "./dataset.js";

/** Options of {@link csv}. */
export interface CsvOptions {
  /** Name of the column to predict. */
  readonly label: string;
  /**
   * What the target is: `"class"` (any text; becomes an index into `classes`) or `"number"`.
   * Default: numbers if every value is one, classes otherwise. Say `"class"` for classes that are written as numbers.
   */
  readonly target?: "class" | "number";
  /** Columns to leave out. */
  readonly drop?: readonly string[];
  /** Columns of text to spread into one 0/1 feature a value, named `column=value`. */
  readonly oneHot?: readonly string[];
  /** Default `","`. */
  readonly delimiter?: string;
}

/** A table read as a data set. */
export interface Table {
  /** `x` f32 `[n, features]`; `y` i32 `[n]` for classes, f32 `[n, 1]` for numbers. */
  readonly samples: Dataset;
  /** Names of the columns of `x`. */
  readonly features: readonly string[];
  /** Names of the classes in the order of their indices (sorted), if the target is one. */
  readonly classes?: readonly string[];
}

interface Row {
  readonly cells: readonly string[];
  /** Line of the file that it ends on, from 1. */
  readonly line: number;
}

interface Feature {
  readonly name: string;
  readonly read: (row: Row) => number;
}

/**
 * A data set from comma-separated text with a header line.
 *
 * @param source A path or URL of a file, or `{ text }`.
 * @throws FileError if the file cannot be read; CorruptFileError for lines of different lengths or open quotes;
 *   ArgumentError for a column that is not there or a cell that is no number, naming line and column.
 * @example
 * const { samples, classes } = await data.csv("iris.csv", { label: "species" });
 */
export function csv(source: string | URL | { readonly text: string }, options: CsvOptions): Promise<Table> {
  return unawaited("data.csv", ["samples", "features", "classes"], read(source, options));
}

async function read(source: string | URL | { readonly text: string }, options: CsvOptions): Promise<Table> {
  checkOptions("data.csv", options, ["label", "target", "drop", "oneHot", "delimiter"]);
  const [header, ...rows] = await readRows(source, options.delimiter ?? ",");
  if (!header || rows.length === 0) {
    throw new ArgumentError(
      `data.csv: expected a header line and at least one row, got ${header ? "the header alone" : "nothing"}`,
    );
  }
  const { label, drop = [], oneHot = [] } = options;
  const columnOf = columnFinder(header.cells);
  [...drop, ...oneHot].forEach(columnOf);
  const labelColumn = columnOf(label);
  const features = header.cells.flatMap((name, column): Feature[] => {
    if (column === labelColumn || drop.includes(name)) return [];
    if (!oneHot.includes(name)) return [{ name, read: (row) => numberIn(row, column, name) }];
    return valuesOf(rows, column).map((value) => ({
      name: `${name}=${value}`,
      read: (row) => (row.cells[column] === value ? 1 : 0),
    }));
  });
  if (features.length === 0)
    throw new ArgumentError("data.csv: no feature is left beside the label; drop fewer columns");

  const x = new Float32Array(rows.length * features.length); // (n, features)
  rows.forEach((row, i) => features.forEach((feature, j) => (x[i * features.length + j] = feature.read(row))));
  const target = targetOf(rows, labelColumn, label, options.target);
  return {
    samples: new Dataset({ x: new NdArray(x, [rows.length, features.length], "f32"), y: target.y }),
    features: features.map(({ name }) => name),
    ...(target.classes ? { classes: target.classes } : {}),
  };
}

async function readRows(source: string | URL | { readonly text: string }, delimiter: string): Promise<Row[]> {
  const named = typeof source === "string" || source instanceof URL;
  const place = named ? `"${String(source)}"` : "the text";
  const input = named ? createReadStream(source) : Readable.from([source.text]);
  const parser = parse({ bom: true, trim: true, skip_empty_lines: true, info: true, delimiter });
  input.on("error", (error: Error) => parser.destroy(error));
  watchFirst(input, (first) => notText("data.csv", place, first));
  const rows: Row[] = [];
  try {
    for await (const { record, info } of input.pipe(parser) as AsyncIterable<{
      record: string[];
      info: { lines: number };
    }>) {
      rows.push({ cells: record, line: info.lines });
    }
  } catch (cause) {
    if (cause instanceof ArgumentError) throw cause;
    const { message } = cause as Error;
    if (cause instanceof CsvError) throw new CorruptFileError(`data.csv: ${place} is malformed: ${message}`, { cause });
    throw new FileError(`data.csv: cannot read ${place}: ${message}`, { cause });
  }
  return rows;
}

function columnFinder(names: readonly string[]): (name: string) => number {
  return (name) => {
    const column = names.indexOf(name);
    if (column >= 0) return column;
    const near = nearestName(name, names);
    throw new ArgumentError(
      `data.csv: there is no column "${name}"${near ? `, did you mean "${near}"?` : `; columns: ${names.join(", ")}`}`,
    );
  };
}

function targetOf(
  rows: readonly Row[],
  column: number,
  name: string,
  kind: CsvOptions["target"],
): { y: NdArray; classes?: string[] } {
  const numeric = kind === "number" || (kind === undefined && rows.every(({ cells }) => isNumber(cells[column]!)));
  if (numeric) {
    const y = Float32Array.from(rows, (row) => numberIn(row, column, name));
    return { y: new NdArray(y, [rows.length, 1], "f32") };
  }
  const classes = valuesOf(rows, column);
  const index = new Map(classes.map((value, i) => [value, i]));
  const y = Int32Array.from(rows, ({ cells }) => index.get(cells[column]!)!);
  return { y: new NdArray(y, [rows.length], "i32"), classes };
}

/** The different values of a column, numbers in their order, text in the alphabet's. */
function valuesOf(rows: readonly Row[], column: number): string[] {
  const values = [...new Set(rows.map(({ cells }) => cells[column]!))];
  return values.every(isNumber) ? values.sort((a, b) => Number(a) - Number(b)) : values.sort();
}

function isNumber(cell: string): boolean {
  return cell !== "" && Number.isFinite(Number(cell));
}

function numberIn(row: Row, column: number, name: string): number {
  const cell = row.cells[column]!;
  if (isNumber(cell)) return Number(cell);
  const got = cell === "" ? "nothing" : `"${cell}"`;
  throw new ArgumentError(
    `data.csv: expected a number in column "${name}" at line ${row.line}, got ${got}; drop or oneHot the column, or mend the cell`,
  );
}
