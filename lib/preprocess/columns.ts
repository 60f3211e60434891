// The columns of a table as a model reads them: plain data, so that the fitted rule is saved with the model and read by anyone.

/** What one cell of a raw row may be; `null` is a missing cell. */
export type Cell = string | number | boolean | null;

/** A raw row: cells by column name, such as `{ age: 41, city: "Lyon" }`. */
export type TableRow = Readonly<Record<string, Cell>>;

/** How a missing number was decided to be filled; `"constant"` was given, the others were computed from the training rows. */
export type NumberRule = "mean" | "median" | "mostFrequent" | "constant";

/** A column of numbers: one feature, and one more with an indicator. */
export interface NumberColumn {
  readonly name: string;
  readonly type: "number";
  /** What a missing cell becomes, before scaling; `"error"` refuses it. */
  readonly missing: "error" | { readonly rule: NumberRule; readonly fill: number };
  /** Adds the feature `<name> is missing`, 1 for a missing cell and 0 otherwise. */
  readonly indicator?: true;
  /** The feature is (value − offset) / divisor. */
  readonly scale?: { readonly rule: "standard" | "minMax"; readonly offset: number; readonly divisor: number };
}

/** A column of categories: one 0/1 feature for each (one-hot). */
export interface CategoryColumn {
  readonly name: string;
  readonly type: "category";
  /** The vocabulary, in the order of the features. */
  readonly categories: readonly string[];
  /** What a missing cell becomes: `"category"` is a feature of its own, `"error"` refuses it. */
  readonly missing: "error" | "category" | { readonly rule: "mostFrequent" | "constant"; readonly fill: string };
  /** What a text outside the vocabulary becomes: refused, all zeros, or the same as a missing cell. */
  readonly unknown: "error" | "ignore" | "missing";
}

/** A column with what was learned of it. */
export type Column = NumberColumn | CategoryColumn;

/** The rule that turns raw rows of a table into features: x f32 [n, features]. */
export interface TablePreprocessing {
  readonly kind: "table";
  readonly columns: readonly Column[];
}

/** Names of the features that a column becomes. */
export function featuresOf(column: Column): string[] {
  const { name } = column;
  if (column.type === "number") return column.indicator ? [name, `${name} is missing`] : [name];
  const known = column.categories.map((category) => `${name}=${category}`);
  return column.missing === "category" ? [...known, `${name} is missing`] : known;
}

/** Names of all features of a table, in the order of x's columns. */
export const tableFeatures = ({ columns }: TablePreprocessing): string[] => columns.flatMap(featuresOf);
