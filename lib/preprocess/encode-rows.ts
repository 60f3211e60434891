// Raw rows to features by a fitted rule. Each column is one closure over its map or numbers, made once; an error names row and
// column, what came and what is known.
import { ArgumentError, nearestName } from "../errors.js";
import { NdArray } from "../tensor/nd-array.js";
import {
  tableFeatures,
  type CategoryColumn,
  type Column,
  type NumberColumn,
  type TablePreprocessing,
  type TableRow,
} from "./columns.js";
import { shortList } from "./fit-columns.js";

/** Where a cell stands, for sentences. */
export interface Place {
  readonly where: string;
  /** `row 3`, `line 7`, `the row`. */
  readonly row: string;
}

type Write = (cell: unknown, x: Float32Array, at: number, place: () => Place) => void;

/** Rows become features a range at a time; see {@link rowEncoder}. */
export interface RowEncoder {
  /** Names of the columns of x. */
  readonly features: readonly string[];
  /** Writes rows `from` to before `until` into x, zeros until then. @throws ArgumentError naming row and column */
  encode(rows: readonly unknown[], x: Float32Array, from: number, until: number, placeOf: PlaceOf): void;
  /** Writes one row's cells, in the order of the rule's columns, to row `at` of x. @throws ArgumentError naming row and column */
  encodeCells(cells: readonly unknown[], x: Float32Array, at: number, place: () => Place): void;
}

/** Where row `i` stands. */
export type PlaceOf = (i: number) => Place;

const encoders = new WeakMap<TablePreprocessing, RowEncoder>();

/** The encoder of a rule, made once. */
export function rowEncoder(rule: TablePreprocessing): RowEncoder {
  const known = encoders.get(rule);
  if (known) return known;
  const made = makeEncoder(rule);
  encoders.set(rule, made);
  return made;
}

function makeEncoder(rule: TablePreprocessing): RowEncoder {
  const features = tableFeatures(rule);
  const names = rule.columns.map(({ name }) => name);
  const writers = rule.columns.map(writerOf);
  let width = 0;
  const offsets = rule.columns.map((column, i) => {
    const offset = width;
    width += widthOf(column);
    return [names[i]!, offset, writers[i]!] as const;
  });
  return {
    features,
    encode(rows, x, from, until, placeOf) {
      for (let i = from; i < until; i++) {
        const row = rows[i];
        const place = () => placeOf(i);
        checkRow(row, names, place);
        for (const [name, offset, write] of offsets) write(row[name], x, i * width + offset, place);
      }
    },
    encodeCells(cells, x, at, place) {
      for (let c = 0; c < offsets.length; c++) {
        const [, offset, write] = offsets[c]!;
        write(cells[c], x, at * width + offset, place);
      }
    },
  };
}

const widthOf = (column: Column): number =>
  column.type === "number"
    ? column.indicator
      ? 2
      : 1
    : column.categories.length + (column.missing === "category" ? 1 : 0);

function checkRow(row: unknown, names: readonly string[], place: () => Place): asserts row is TableRow {
  const columns = () => `the columns are ${shortList(names, 20)}`;
  if (typeof row !== "object" || row === null || Array.isArray(row)) {
    const { where, row: which } = place();
    throw new ArgumentError(
      `${where}: ${which} is not a row: expected an object such as { ${JSON.stringify(names[0])}: … }, got ${Array.isArray(row) ? "an array" : JSON.stringify(row)}; ${columns()}`,
    );
  }
  const absent = names.find((name) => (row as TableRow)[name] === undefined);
  if (absent !== undefined) {
    const { where, row: which } = place();
    throw new ArgumentError(
      `${where}: ${which} has no column "${absent}"${asked(absent, row)}; ${columns()}; write null for a missing cell`,
    );
  }
  const keys = Object.keys(row);
  if (keys.length === names.length) return;
  const extra = keys.find((key) => !names.includes(key))!;
  if (extra === undefined) return;
  const { where, row: which } = place();
  throw new ArgumentError(
    `${where}: ${which} has a column "${extra}" that the model does not know; leave it out; ${columns()}`,
  );
}

// The key that was probably meant to be the column, if there is one.
function asked(absent: string, row: object): string {
  const near = nearestName(absent, Object.keys(row));
  return near === undefined ? "" : ` (it has "${near}")`;
}

const writerOf = (column: Column): Write => (column.type === "number" ? numberWriter(column) : categoryWriter(column));

function numberWriter(column: NumberColumn): Write {
  const { name, missing, indicator, scale: { offset, divisor } = { offset: 0, divisor: 1 } } = column;
  return (cell, x, at, place) => {
    let value = cell;
    const gone = value === null;
    if (gone) value = missing === "error" ? refuseMissing(name, place) : missing.fill;
    if (typeof value !== "number" || !Number.isFinite(value)) refuseNumber(name, value, place);
    x[at] = (value - offset) / divisor;
    if (indicator) x[at + 1] = gone ? 1 : 0;
  };
}

function refuseNumber(name: string, value: unknown, place: () => Place): never {
  const { where, row } = place();
  const way = typeof value === "string" && Number.isFinite(Number(value)) ? "; write it without quotes" : "";
  throw new ArgumentError(
    `${where}: ${row}, column "${name}": expected a number (null if it is missing), got ${shown(value)}${way}`,
  );
}

function categoryWriter(column: CategoryColumn): Write {
  const { name, categories, missing, unknown } = column;
  const index = new Map(categories.map((category, i) => [category, i]));
  const fill = typeof missing === "object" ? index.get(missing.fill)! : categories.length;
  const gone = (place: () => Place): number => (missing === "error" ? refuseMissing(name, place) : fill);
  return (cell, x, at, place) => {
    if (cell === null) {
      x[at + gone(place)] = 1;
      return;
    }
    const text = typeof cell === "string" ? cell : textOf(name, cell, place);
    const found = index.get(text);
    if (found !== undefined) x[at + found] = 1;
    else if (unknown === "missing") x[at + gone(place)] = 1;
    else if (unknown === "error") refuseCategory(column, text, place);
  };
}

// Categories that were numbers or flags in the table may come as such.
function textOf(name: string, cell: unknown, place: () => Place): string {
  if ((typeof cell === "number" && Number.isFinite(cell)) || typeof cell === "boolean") return String(cell);
  const { where, row } = place();
  throw new ArgumentError(
    `${where}: ${row}, column "${name}": expected a text (null if it is missing), got ${shown(cell)}`,
  );
}

function refuseCategory({ name, categories }: CategoryColumn, text: string, place: () => Place): never {
  const { where, row } = place();
  const near = text.length > 2 ? nearestName(text, categories) : undefined; // all short texts are near
  throw new ArgumentError(
    `${where}: ${row}, column "${name}": ${JSON.stringify(text)} is not a known category${near === undefined ? "" : `, did you mean ${JSON.stringify(near)}?`} (known: ${shortList(categories)})`,
  );
}

function refuseMissing(name: string, place: () => Place): never {
  const { where, row } = place();
  throw new ArgumentError(
    `${where}: ${row}, column "${name}" is missing, and the model has no rule for missing cells in it; fill it in, or train with a rule, such as { missing: "mostFrequent" }`,
  );
}

function shown(value: unknown): string {
  if (typeof value === "number" || value === undefined) return String(value);
  const text = JSON.stringify(value) ?? typeof value;
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

const amongRows = (where: string, count: number): PlaceOf =>
  count === 1 ? () => ({ where, row: "the row" }) : (i) => ({ where, row: `row ${i}` });

/** All rows at once. x f32 [n, features] @throws ArgumentError naming row and column */
export function encodeRows(
  where: string,
  rule: TablePreprocessing,
  rows: readonly TableRow[],
  placeOf: PlaceOf = amongRows(where, rows.length),
): NdArray {
  const encoder = rowEncoder(rule);
  const x = new Float32Array(rows.length * encoder.features.length); // (n, features)
  encoder.encode(rows, x, 0, rows.length, placeOf);
  return new NdArray(x, [rows.length, encoder.features.length], "f32");
}

const sliceMs = 4;

/** The same with other work let in every few milliseconds, for batches of any size. */
export async function encodeRowsAsync(
  where: string,
  rule: TablePreprocessing,
  rows: readonly TableRow[],
): Promise<NdArray> {
  const encoder = rowEncoder(rule);
  const placeOf = amongRows(where, rows.length);
  const x = new Float32Array(rows.length * encoder.features.length); // (n, features)
  let until = performance.now() + sliceMs;
  for (let from = 0; from < rows.length; from += 64) {
    encoder.encode(rows, x, from, Math.min(rows.length, from + 64), placeOf);
    if (performance.now() < until) continue;
    await new Promise((resolve) => setImmediate(resolve));
    until = performance.now() + sliceMs;
  }
  return new NdArray(x, [rows.length, encoder.features.length], "f32");
}
