// A table with its columns read: samples of all rows, or parts whose rule is learned from the training rows alone.
import { encodeRows, tableFeatures, type Place, type TablePreprocessing } from "../preprocess/index.js";
import { Dataset, splitIndices, type SamplesInfo, type SplitOptions } from "./dataset.js";
import { gatherRows } from "./rows.js";
import { rawRows, type RawColumn } from "./columns.js";
import type { Target } from "./target.js";

/** What a table is made of. */
export interface TableSource {
  readonly columns: readonly RawColumn[];
  readonly lines: readonly number[];
  readonly target: Target;
  /** Where it was learned before. */
  readonly rule?: TablePreprocessing;
}

/** A table; made by {@link csv}. */
export class Table {
  /** Names of the classes in the order of their indices (sorted), if the target is one. */
  readonly classes: readonly string[] | undefined;
  private readonly source: TableSource;
  private whole: Dataset | undefined;

  /** @internal */
  constructor(source: TableSource) {
    this.source = source;
    this.classes = source.target.classes;
  }

  /** Number of rows. */
  get length(): number {
    return this.source.lines.length;
  }

  /**
   * All rows, by a rule learned from all of them: `x` f32 `[n, features]`; `y` i32 `[n]` for classes, f32 `[n, 1]` for numbers.
   * To hold samples back for validation, `split` the table instead.
   *
   * @throws ArgumentError naming line and column
   */
  get samples(): Dataset {
    const all = Int32Array.from({ length: this.length }, (_, i) => i);
    return (this.whole ??= this.encode(this.fit(all), all));
  }

  /** Names of the columns of `samples.x`. */
  get features(): readonly string[] {
    return tableFeatures(this.preprocessing);
  }

  /** The rule learned from all rows. */
  get preprocessing(): TablePreprocessing {
    return this.samples.info.preprocessing as TablePreprocessing;
  }

  /**
   * Cuts off a part for validation, picked at random but the same for the same seed. Fills, scales and vocabularies are learned
   * from the training rows alone, and applied to both parts.
   *
   * @throws ArgumentError if a part would be empty, or the validation part has a category that the training part has not and
   *   `unknown` is `"error"`
   */
  split(options: SplitOptions): { train: Dataset; validation: Dataset } {
    const [train, validation] = splitIndices("data.split", this.length, options);
    const rule = this.fit(train);
    return { train: this.encode(rule, train), validation: this.encode(rule, validation) };
  }

  private fit(rows: Int32Array): TablePreprocessing {
    const { rule, columns } = this.source;
    return rule ?? { kind: "table", columns: columns.map((column) => column.fit("data.csv", rows)) };
  }

  private encode(preprocessing: TablePreprocessing, indices: Int32Array): Dataset {
    const { columns, lines, target } = this.source;
    const picked = columns.map((column) => ({ ...column, cells: Array.from(indices, (row) => column.cells[row]!) }));
    const placeOf = (i: number): Place => ({ where: "data.csv", row: `line ${lines[indices[i]!]}` });
    const x = encodeRows("data.csv", preprocessing, rawRows(picked, indices.length), placeOf);
    const info: SamplesInfo = target.classes
      ? { task: "classification", classes: target.classes, preprocessing }
      : { task: "regression", preprocessing };
    return new Dataset({ x, y: gatherRows(target.y, indices), info });
  }
}
