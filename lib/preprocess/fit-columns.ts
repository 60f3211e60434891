// Learning the rule of a table from its training rows: fills, vocabularies, scales. Definitions are scikit-learn's SimpleImputer,
// then StandardScaler or MinMaxScaler on the filled column, and OneHotEncoder with its sorted categories.
import { ArgumentError } from "../errors.js";
import type { CategoryColumn, NumberColumn } from "./columns.js";
import { momentsOf } from "./moments.js";

/** How a column of numbers is to be read. */
export interface NumberOptions {
  /**
   * What a missing cell becomes: a statistic of the training rows, `{ constant }`, or `"error"`: none may be missing.
   * Default `"error"`.
   */
  readonly missing?: "error" | "mean" | "median" | "mostFrequent" | { readonly constant: number } | undefined;
  /** Adds a 0/1 feature that says which cells were missing. Default false. */
  readonly indicator?: boolean | undefined;
  /**
   * `"standard"`: mean 0 and deviation 1 over the training rows; `"minMax"`: from 0 to 1. Default `"none"`: numbers as they are.
   */
  readonly scale?: "none" | "standard" | "minMax" | undefined;
}

/** How a column of categories is to be read. */
export interface CategoryOptions {
  /**
   * What a missing cell becomes: a category of its own, the most frequent one of the training rows, `{ constant }` (one of the
   * categories), or `"error"`: none may be missing. Default `"error"`.
   */
  readonly missing?: "error" | "category" | "mostFrequent" | { readonly constant: string } | undefined;
  /** What a category that the training rows did not have becomes: an error, all zeros, or a missing cell. Default `"error"`. */
  readonly unknown?: "error" | "ignore" | "missing" | undefined;
}

/** @throws ArgumentError if a statistic is asked of a column without a value */
export function fitNumbers(
  where: string,
  name: string,
  cells: readonly (number | null)[],
  { missing = "error", indicator = false, scale = "none" }: NumberOptions,
): NumberColumn {
  const present = cells.filter((cell) => cell !== null);
  const rule = typeof missing === "object" ? "constant" : missing;
  if (present.length === 0 && rule !== "constant") {
    throw new ArgumentError(
      `${where}: column "${name}" has no value in the ${cells.length} training rows; drop it, or fill it with { missing: { constant: 0 } }`,
    );
  }
  const fill = typeof missing === "object" ? missing.constant : fillOf(missing, present);
  const scaled = scale === "none" ? undefined : scaleOf(scale, fill === undefined ? present : filled(cells, fill));
  return {
    name,
    type: "number",
    missing: rule === "error" ? "error" : { rule, fill: fill! },
    ...(indicator && { indicator: true as const }),
    ...(scaled && { scale: scaled }),
  };
}

const filled = (cells: readonly (number | null)[], fill: number): number[] => cells.map((cell) => cell ?? fill);

function fillOf(rule: "error" | "mean" | "median" | "mostFrequent", present: readonly number[]): number | undefined {
  if (rule === "mean") return momentsOf(present).mean;
  if (rule === "mostFrequent") return mostFrequent(present, (a, b) => a - b);
  if (rule === "error") return undefined;
  const sorted = Float64Array.from(present).sort();
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : sorted[middle - 1]! / 2 + sorted[middle]! / 2;
}

function scaleOf(rule: "standard" | "minMax", values: readonly number[]): NonNullable<NumberColumn["scale"]> {
  const { mean, deviation, least, most } = momentsOf(values);
  if (rule === "standard") return { rule, offset: mean, divisor: deviation };
  return { rule, offset: least, divisor: most - least || 1 };
}

/** @throws ArgumentError if there is no category, or the constant is none */
export function fitCategories(
  where: string,
  name: string,
  cells: readonly (string | null)[],
  { missing = "error", unknown = "error" }: CategoryOptions,
): CategoryColumn {
  const present = cells.filter((cell) => cell !== null);
  if (present.length === 0) {
    throw new ArgumentError(`${where}: column "${name}" has no value in the ${cells.length} training rows; drop it`);
  }
  if (unknown === "missing" && missing === "error") {
    throw new ArgumentError(
      `${where}: column "${name}": unknown: "missing" needs a rule for missing cells, such as missing: "category"`,
    );
  }
  const categories = sortedValues(present);
  const column = { name, type: "category" as const, categories, unknown };
  if (missing === "error" || missing === "category") return { ...column, missing };
  if (missing === "mostFrequent") {
    return { ...column, missing: { rule: missing, fill: mostFrequent(present, byText) } };
  }
  if (!categories.includes(missing.constant)) {
    throw new ArgumentError(
      `${where}: column "${name}": the constant "${missing.constant}" is not one of its categories (${shortList(categories)}); take one of them, or missing: "category"`,
    );
  }
  return { ...column, missing: { rule: "constant", fill: missing.constant } };
}

/** The different values of a column, numbers in their order, text in the alphabet's. */
export function sortedValues(cells: readonly string[]): string[] {
  const values = [...new Set(cells)];
  const numeric = values.every((value) => value.trim() !== "" && Number.isFinite(Number(value)));
  return numeric ? values.sort((a, b) => Number(a) - Number(b) || byText(a, b)) : values.sort();
}

const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

// Of several that are as frequent, the first in order, as scikit-learn takes.
function mostFrequent<T>(values: readonly T[], order: (a: T, b: T) => number): T {
  const counts = new Map<T, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts].reduce((best, entry) => {
    const more = entry[1] - best[1];
    return more > 0 || (more === 0 && order(entry[0], best[0]) < 0) ? entry : best;
  })[0];
}

/** `"a", "b", … (12)`: some of a list, for sentences. */
export function shortList(values: readonly string[], most = 10): string {
  const shown = values.slice(0, most).map((value) => JSON.stringify(value));
  return values.length <= most ? shown.join(", ") : `${shown.join(", ")}, … (${values.length} in all)`;
}
