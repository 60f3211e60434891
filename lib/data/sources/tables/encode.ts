// Streamed rows as samples by a learned rule; what becomes of rows that do not fit.
import { ArgumentError, CorruptFileError, nearestName } from "../../../errors.js";
import { rowEncoder, shortList } from "../../../preprocess/index.js";
import { NdArray } from "../../../tensor/nd-array.js";
import { isNumber } from "../../columns.js";
import type { Chunk } from "../batch-source.js";
import { damageOf, type Learned } from "./learn.js";
import type { RawRow, RowReader, RowsPlan, ScannedRows } from "./row-reader.js";

/** What becomes of a damaged row: an error, it is left out, or its damaged cells count as missing ones. */
export type OnError = "throw" | "skip" | "fill";

/** What rows are made into samples by. */
export interface RowsRule extends Learned {
  readonly where: string;
  readonly reader: RowReader;
  readonly label: string;
  readonly onError: OnError;
}

interface Feature {
  readonly name: string;
  /** Its place in a row. */
  readonly at: number;
  readonly isNumber: boolean;
  /** The categories, where others are refused. */
  readonly known: ReadonlySet<string> | undefined;
}

/** Makes samples of rows. */
export class RowsEncoder {
  /** Rows that were left out. */
  skipped = 0;
  /** Rows with damaged cells that counted as missing ones. */
  filled = 0;
  private readonly rule: RowsRule;
  private readonly encoder;
  private readonly features: readonly Feature[];
  private readonly label: number;
  /** The cells of the row that is being read. */
  private readonly cells: unknown[] = [];
  private readonly classes: ReadonlyMap<string, number> | undefined;

  constructor(rule: RowsRule) {
    this.rule = rule;
    this.encoder = rowEncoder(rule.rule);
    const { header } = rule.reader;
    this.features = rule.rule.columns.map((column) => ({
      name: column.name,
      at: header.indexOf(column.name),
      isNumber: column.type === "number",
      known: column.type === "category" && column.unknown === "error" ? new Set(column.categories) : undefined,
    }));
    const gone = this.features.find(({ at }) => at < 0);
    if (gone) {
      throw new ArgumentError(
        `${rule.where}: ${rule.reader.shown} has no column "${gone.name}", which the model reads; columns: ${header.join(", ")}`,
      );
    }
    this.label = header.indexOf(rule.label);
    this.classes = rule.classes && new Map(rule.classes.map((name, i) => [name, i]));
  }

  /** Numbers of a sample's x. */
  get width(): number {
    return this.encoder.features.length;
  }

  /** What a reader needs to make samples as it reads. */
  get plan(): RowsPlan {
    const { rule, label, classes } = this.rule;
    return { rule, label, classes, width: this.width };
  }

  /** The samples of some rows; undefined where all were left out. */
  encode(rows: readonly RawRow[]): Chunk | undefined {
    const x = new Float32Array(rows.length * this.width); // (n, features)
    const y = this.classes ? new Int32Array(rows.length) : new Float32Array(rows.length);
    return this.finish({ rows: rows.length, x, y, odd: rows.map((row, i) => ({ ...row, row: i })) });
  }

  /** The same of rows that were mostly made into samples as they were read. */
  finish({ rows, x, y, odd }: ScannedRows): Chunk | undefined {
    const { width } = this;
    const out: number[] = [];
    for (const row of odd) {
      try {
        y[row.row] = this.put(row, x, row.row, this.rule.onError === "fill");
      } catch (thrown) {
        const isDamage = thrown instanceof ArgumentError || thrown instanceof CorruptFileError;
        if (this.rule.onError === "throw" || !isDamage) throw thrown;
        this.skipped += 1;
        out.push(row.row);
      }
    }
    const count = withoutRows(x, width, out, rows);
    withoutRows(y, 1, out, rows);
    if (count === 0) return undefined;
    const targets = y.subarray(0, count);
    return {
      x: new NdArray(x.subarray(0, count * width), [count, width], "f32"),
      y: this.classes ? new NdArray(targets, [count], "i32") : new NdArray(targets, [count, 1], "f32"),
    };
  }

  // Writes a row to place `at` of x; its target.
  private put(row: RawRow, x: Float32Array, at: number, fills: boolean): number {
    const { where, reader } = this.rule;
    if (row.damage !== undefined || row.cells.length !== reader.header.length) throw damageOf(where, reader, row);
    const { features, cells } = this;
    let isFilled = false;
    for (let i = 0; i < features.length; i++) {
      const { name, at: column, isNumber: wantsNumber, known } = features[i]!;
      const cell = row.cells[column]!;
      cells[i] = wantsNumber && typeof cell === "string" ? this.number(cell, name, row, fills) : cell;
      if (fills && known && cell !== null && !known.has(String(cell))) cells[i] = null;
      isFilled ||= cells[i] === null && cell !== null;
    }
    const target = this.target(row);
    const place = () => ({ where, row: `${reader.shown}, ${reader.unit} ${row.line}` });
    this.encoder.encodeCells(cells, x, at, place);
    if (isFilled) this.filled += 1;
    return target;
  }

  private number(cell: string, name: string, row: RawRow, fills: boolean): number | null {
    const value = cell === "" ? NaN : Number(cell);
    if (Number.isFinite(value)) return value;
    if (fills) return null;
    throw this.refused(row, name, `expected a number, got ${JSON.stringify(cell)}`);
  }

  private target(row: RawRow): number {
    const { label } = this.rule;
    const cell = row.cells[this.label] ?? null;
    if (cell === null) throw this.refused(row, label, "the label is missing");
    if (!this.classes) {
      const value = typeof cell === "number" ? cell : isNumber(String(cell)) ? Number(cell) : NaN;
      if (Number.isFinite(value)) return value;
      throw this.refused(row, label, `expected a number, got ${JSON.stringify(cell)}`);
    }
    const found = this.classes.get(String(cell));
    if (found !== undefined) return found;
    const known = [...this.classes.keys()];
    const near = nearestName(String(cell), known);
    throw this.refused(
      row,
      label,
      `${JSON.stringify(cell)} is not one of the classes${near === undefined ? "" : `, did you mean ${JSON.stringify(near)}?`} (${shortList(known)})`,
    );
  }

  private refused(row: RawRow, column: string, what: string): ArgumentError {
    const { where, reader } = this.rule;
    return new ArgumentError(
      `${where}: ${reader.shown}, ${reader.unit} ${row.line}, column "${column}": ${what}; mend it, or say what becomes of such rows: onError: "skip"`,
    );
  }
}

// Closes the gaps that rows left; how many rows there are then.
function withoutRows(values: Float32Array | Int32Array, width: number, out: readonly number[], rows: number): number {
  let to = out[0] ?? rows;
  out.forEach((row, i) => {
    const until = out[i + 1] ?? rows;
    values.copyWithin(to * width, (row + 1) * width, until * width);
    to += until - row - 1;
  });
  return to;
}
