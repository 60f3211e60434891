// Streamed rows as samples by a learned rule; what becomes of rows that do not fit.
import { ArgumentError, nearestName } from "../../../errors.js";
import { rowEncoder, shortList } from "../../../preprocess/index.js";
import { NdArray } from "../../../tensor/nd-array.js";
import { isNumber } from "../../columns.js";
import type { Chunk } from "../batch-source.js";
import { damageOf, type Learned } from "./learn.js";
import type { RawRow, RowReader } from "./row-reader.js";

/** What becomes of a damaged row: an error, it is left out, or its damaged cells count as missing ones. */
export type OnError = "throw" | "skip" | "fill";

/** What rows are made into samples by. */
export interface RowsRule extends Learned {
  readonly where: string;
  readonly reader: RowReader;
  readonly label: string;
  readonly onError: OnError;
}

/** Makes samples of rows. */
export class RowsEncoder {
  /** Rows that were left out. */
  skipped = 0;
  private readonly rule: RowsRule;
  private readonly encoder;
  private readonly features: readonly { readonly name: string; readonly at: number; readonly isNumber: boolean }[];
  private readonly label: number;
  /** The cells of the row that is being read. */
  private readonly cells: unknown[] = [];
  private readonly classes: ReadonlyMap<string, number> | undefined;

  constructor(rule: RowsRule) {
    this.rule = rule;
    this.encoder = rowEncoder(rule.rule);
    const { header } = rule.reader;
    this.features = rule.rule.columns.map(({ name, type }) => ({
      name,
      at: header.indexOf(name),
      isNumber: type === "number",
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

  /** The samples of some rows; undefined where all were left out. */
  encode(rows: readonly RawRow[]): Chunk | undefined {
    const { width, classes } = this;
    const x = new Float32Array(rows.length * width); // (n, features)
    const y = classes ? new Int32Array(rows.length) : new Float32Array(rows.length);
    let count = 0;
    for (const row of rows) {
      try {
        y[count] = this.put(row, x, count, this.rule.onError === "fill");
        count += 1;
      } catch (thrown) {
        if (this.rule.onError === "throw" || !(thrown instanceof ArgumentError)) throw thrown;
        this.skipped += 1;
        x.fill(0, count * width, (count + 1) * width);
      }
    }
    if (count === 0) return undefined;
    const targets = y.subarray(0, count);
    return {
      x: new NdArray(x.subarray(0, count * width), [count, width], "f32"),
      y: classes ? new NdArray(targets, [count], "i32") : new NdArray(targets, [count, 1], "f32"),
    };
  }

  // Writes a row to place `at` of x; its target.
  private put(row: RawRow, x: Float32Array, at: number, fills: boolean): number {
    const { where, reader } = this.rule;
    if (row.damage !== undefined || row.cells.length !== reader.header.length) throw damageOf(where, reader, row);
    const { features, cells } = this;
    for (let i = 0; i < features.length; i++) {
      const { name, at: column, isNumber: wantsNumber } = features[i]!;
      const cell = row.cells[column]!;
      cells[i] = wantsNumber && typeof cell === "string" ? this.number(cell, name, row, fills) : cell;
    }
    const target = this.target(row);
    const place = () => ({ where, row: `${reader.shown}, ${reader.unit} ${row.line}` });
    this.encoder.encodeCells(cells, x, at, place);
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
