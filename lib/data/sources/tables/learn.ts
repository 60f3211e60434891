// What the columns of a streamed table are, learned from its first rows by the rules of tables in memory.
import { ArgumentError, CorruptFileError, type AthanorError } from "../../../errors.js";
import type { TablePreprocessing } from "../../../preprocess/index.js";
import { columnFinder, isNumber, rawColumns, type ColumnOptions, type TableText } from "../../columns.js";
import { ruleOf, tableRules, type CsvOptions } from "../../csv.js";
import { targetOf } from "../../target.js";
import type { RawRow, RowReader } from "./row-reader.js";

/** How a table is read beside its file's own grammar. */
export type TableChoices = Pick<
  CsvOptions,
  "label" | "target" | "drop" | "columns" | "numbers" | "categories" | "info"
>;

/** A table that has been learned. */
export interface Learned {
  readonly rule: TablePreprocessing;
  /** Of the target, where it is one of some. */
  readonly classes: readonly string[] | undefined;
}

/**
 * Learns a table from its first rows.
 *
 * @param tolerant rows that do not fit are left out of the learning.
 * @throws ArgumentError naming line and column.
 */
export async function learnTable(
  where: string,
  reader: RowReader,
  choices: TableChoices,
  most: number | undefined,
  tolerant: boolean,
): Promise<Learned> {
  const find = columnFinder(where, reader.header);
  const { label, drop = [], info } = choices;
  drop.forEach(find);
  const rows = await firstRows(reader, most ?? defaultLearn(reader.header.length));
  const all = rows.filter((row) => row.damage === undefined && row.cells.length === reader.header.length);
  if (all.length < rows.length && !tolerant)
    throw damageOf(
      where,
      reader,
      rows.find((row) => !all.includes(row))!,
    );
  if (all.length === 0) throw new ArgumentError(`${where}: ${reader.shown} has no row to learn from`);
  const features = reader.header.filter((name) => name !== label && !drop.includes(name));
  const target = find(label);
  const sound = tolerant ? withoutStrays(all, features.map(find), target, choices, reader.header) : all;
  const text = textOf(reader.header, sound);
  const { classes } = targetOf(where, text, target, choices.target, info);
  const known = info && tableRules(info).length > 0 ? ruleOf(where, info) : undefined;
  if (known) return { rule: known, classes };
  if (features.length === 0) {
    throw new ArgumentError(`${where}: no feature is left beside the label; drop fewer columns`);
  }
  const every = Int32Array.from({ length: sound.length }, (_, i) => i);
  const columns = rawColumns(where, text, features, choices).map((column) => column.fit(where, every));
  return { rule: { kind: "table", columns }, classes };
}

// Cells are texts until all of them are seen: a million take about 60 MB.
const mostCells = 1e6;

// Rows that are learned from where nobody says how many.
const defaultLearn = (columns: number): number => Math.min(100_000, Math.ceil(mostCells / columns));

async function firstRows(reader: RowReader, most: number): Promise<RawRow[]> {
  const rows: RawRow[] = [];
  for await (const some of reader.rows()) {
    rows.push(...some);
    if (rows.length >= most) break;
  }
  return rows.slice(0, most);
}

/** The error for a row that is damaged as a whole. */
export function damageOf(where: string, { shown, unit, header }: RowReader, row: RawRow): AthanorError {
  const what = row.damage ?? `has ${row.cells.length} cells, expected ${header.length}`;
  const way = `mend it, or leave such rows out: onError: "skip"`;
  if (row.isMalformed)
    return new CorruptFileError(`${where}: ${shown} is malformed: ${unit} ${row.line} ${what}; ${way}`);
  return new ArgumentError(`${where}: ${shown}, ${unit} ${row.line} ${what}; ${way}`);
}

// A column is of numbers where nearly all of its cells are; rows with another cell there, or without a label, are left out.
function withoutStrays(
  rows: readonly RawRow[],
  features: readonly number[],
  target: number,
  { columns = {}, target: kind }: TableChoices,
  header: readonly string[],
): RawRow[] {
  const typeOf = (options: ColumnOptions | undefined) => (typeof options === "object" ? options.type : options);
  const numeric = features.filter((column) => {
    const said = typeOf(columns[header[column]!]);
    if (said !== undefined) return said === "number";
    const present = rows.filter(({ cells }) => cells[column] !== null);
    return present.filter(({ cells }) => isNumber(String(cells[column]))).length > 0.95 * present.length;
  });
  const wanted = kind === "number" ? [...numeric, target] : numeric;
  return rows.filter(
    ({ cells }) =>
      cells[target] !== null && wanted.every((column) => cells[column] === null || isNumber(String(cells[column]))),
  );
}

function textOf(header: readonly string[], rows: readonly RawRow[]): TableText {
  const cellsOf = (column: number) => rows.map(({ cells }) => (cells[column] === null ? null : String(cells[column])));
  return { header, cellsOf, lines: rows.map(({ line }) => line) };
}
