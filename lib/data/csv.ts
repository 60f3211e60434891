// Tables from text: one column is the target, the others are features. The grammar (quotes, escapes, byte order marks)
// is csv-parse's; what a column means is decided in columns.ts.

import { requireFields } from "../guidance/arguments.js";
import { createReadStream } from "node:fs";
import { Readable } from "node:stream";
import { CsvError, parse } from "csv-parse";
import { ArgumentError, checkOptions, CorruptFileError, FileError } from "../errors.js";
import { unawaited } from "../guidance/unawaited.js";
import type { ModelInfo } from "../info/index.js";
import {
  shortList,
  type CategoryOptions,
  type NumberOptions,
  type TablePreprocessing,
  type TableRow,
} from "../preprocess/index.js";
import { notText, watchFirst } from "./binary.js";
import { columnFinder, learnedColumns, rawColumns, rawRows, type ColumnOptions, type TableText } from "./columns.js";
import { Table } from "./table.js";
import { targetOf } from "./target.js";
import { got } from "../names/got.js";

/** Options of {@link csv}. */
export interface CsvOptions {
  /** Name of the column to predict. */
  readonly label: string;
  /**
   * What the target is: `"class"` (any text; becomes an index into `classes`) or `"number"`.
   * Default: numbers if every value is one, classes otherwise. Say `"class"` for classes that are written as numbers.
   */
  readonly target?: "class" | "number" | undefined;
  /** Columns to leave out. */
  readonly drop?: readonly string[] | undefined;
  /**
   * What single columns are: `"number"`, `"category"`, or either with options, `{ type: "number", missing: "median" }`.
   * Default: numbers where all cells are, categories where none is; a column that mixes them has to be named here.
   */
  readonly columns?: Readonly<Record<string, ColumnOptions>> | undefined;
  /** How all columns of numbers are read, unless `columns` says otherwise. */
  readonly numbers?: NumberOptions | undefined;
  /** How all columns of categories are read, unless `columns` says otherwise. */
  readonly categories?: CategoryOptions | undefined;
  /** What stands for a missing cell. Default `[""]`: an empty one. */
  readonly missingCells?: readonly string[] | undefined;
  /**
   * Read the table as that model was taught to, by its rule and classes (`model.info`); nothing is learned then. Of a model without
   * a rule for tables the classes alone are taken.
   */
  readonly info?: ModelInfo | undefined;
  /** Default `","`. */
  readonly delimiter?: string | undefined;
}

const names = ["label", "target", "drop", "columns", "numbers", "categories", "missingCells", "info", "delimiter"];

/** Where a table comes from: a path or URL of a file, or text. */
export type CsvSource = string | URL | { readonly text: string };

/**
 * A table from comma-separated text with a header line.
 *
 * @param source A path or URL of a file, or `{ text }`.
 * @throws FileError if the file cannot be read; CorruptFileError for lines of different lengths or open quotes;
 *   ArgumentError for a column that is not there or a cell that cannot be read, naming line and column.
 * @example
 * const customers = await data.csv({ text: "age,city,plan\n41,Lyon,gold\n,Paris,free\n30,Lyon,free\n25,Paris,gold\n" }, {
 *   label: "plan",
 *   numbers: { missing: "median", scale: "standard" },
 * });
 * const { train, validation } = customers.split({ validation: 1, seed: 7 }); // the rule is learned from train alone
 * train.x.shape; // [3, 3]
 */
export function csv(source: CsvSource, options: CsvOptions): Promise<Table> {
  return unawaited("data.csv", ["samples", "split", "features", "classes", "preprocessing"], read(source, options));
}

async function read(source: CsvSource, options: CsvOptions): Promise<Table> {
  const where = "data.csv";
  checkOptions(where, options, names);
  const { label, info, drop = [] } = options;
  const text = await readText(where, source, options);
  const find = columnFinder(where, text.header);
  drop.forEach(find);
  const target = targetOf(where, text, find(label), options.target, info);
  const rule = info && tableRules(info).length > 0 ? ruleOf(where, info) : undefined;
  if (rule) {
    const other = (["columns", "numbers", "categories"] as const).find((name) => options[name] !== undefined);
    if (other)
      throw new ArgumentError(`${where}: give info or ${other}, not both: the model's rule says how columns are read`);
    return new Table({ columns: learnedColumns(where, text, rule), lines: text.lines, target, rule });
  }
  const features = text.header.filter((name) => name !== label && !drop.includes(name));
  if (features.length === 0) {
    throw new ArgumentError(`${where}: no feature is left beside the label; drop fewer columns`);
  }
  return new Table({ columns: rawColumns(where, text, features, options), lines: text.lines, target });
}

/**
 * The raw rows of a table as a model wants them for `predict`: its columns alone, numbers as numbers, `null` for missing cells.
 *
 * @param info what is known of the model, `served.info` or `model.info`.
 * @throws as {@link csv}
 */
export async function csvRows(
  source: CsvSource,
  info: ModelInfo,
  options: Pick<CsvOptions, "delimiter" | "missingCells"> = {},
): Promise<TableRow[]> {
  const where = "data.csvRows";
  checkOptions(where, options, ["delimiter", "missingCells"]);
  requireFields(where, info, [], "what is known of the model, model.info");
  const text = await readText(where, source, options);
  return rawRows(learnedColumns(where, text, ruleOf(where, info)), text.lines.length);
}

/** The rules for tables that a model knows, by the names of its inputs. */
export const tableRules = ({ preprocessing = {} }: ModelInfo) =>
  Object.entries(preprocessing).filter(([, { kind }]) => kind === "table");

/** The one rule for tables that a model knows. @throws ArgumentError */
export function ruleOf(where: string, info: ModelInfo): TablePreprocessing {
  const rules = tableRules(info);
  if (rules.length === 1) return rules[0]![1] as TablePreprocessing;
  throw new ArgumentError(
    rules.length === 0
      ? `${where}: the model has no rule for rows of a table; train it on a table read by data.csv`
      : `${where}: the model has rules for several tables (${shortList(rules.map(([name]) => name))}); read them one by one`,
  );
}

async function readText(
  where: string,
  source: CsvSource,
  { delimiter = ",", missingCells = [""] }: Pick<CsvOptions, "delimiter" | "missingCells">,
): Promise<TableText> {
  const [first, ...rows] = await readRows(where, source, delimiter);
  if (!first || rows.length === 0) {
    throw new ArgumentError(
      `${where}: expected a header line and at least one row, got ${first ? "the header alone" : "nothing"}`,
    );
  }
  const header = first.cells;
  const twice = header.find((name, i) => header.indexOf(name) !== i);
  if (twice !== undefined) throw new ArgumentError(`${where}: two columns are called "${twice}"; rename one of them`);
  const gone = new Set(missingCells);
  const cellsOf = (column: number) => rows.map(({ cells }) => (gone.has(cells[column]!) ? null : cells[column]!));
  return { header, cellsOf, lines: rows.map(({ line }) => line) };
}

interface Row {
  readonly cells: readonly string[];
  /** Line of the file that it ends on, from 1. */
  readonly line: number;
}

async function readRows(where: string, source: CsvSource, delimiter: string): Promise<Row[]> {
  const named = typeof source === "string" || source instanceof URL;
  if (!named && typeof (source as { readonly text?: unknown } | null | undefined)?.text !== "string") {
    throw new ArgumentError(
      `${where}: expected the path of a file or { text: "age,city\\n41,Lyon\\n" }, got ${got(source)}`,
    );
  }
  const place = named ? `"${String(source)}"` : "the text";
  const input = named ? createReadStream(source) : Readable.from([source.text]);
  const parser = parse({ bom: true, trim: true, skip_empty_lines: true, info: true, delimiter });
  input.on("error", (error: Error) => parser.destroy(error));
  watchFirst(input, (first) => notText(where, place, first));
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
    if (cause instanceof CsvError) throw new CorruptFileError(`${where}: ${place} is malformed: ${message}`, { cause });
    throw new FileError(`${where}: cannot read ${place}: ${message}`, { cause });
  }
  return rows;
}
