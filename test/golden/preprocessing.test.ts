// Rules of tables beside scikit-learn's SimpleImputer, StandardScaler, MinMaxScaler and OneHotEncoder (test/golden/generators/preprocessing.py).
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { encodeRows, fitCategories, fitNumbers, type Column } from "../../lib/preprocess/index.js";

interface NumberCase {
  readonly name: string;
  readonly cells: readonly (number | null)[];
  readonly fresh: readonly (number | null)[];
  readonly missing: "mean" | "median" | "mostFrequent" | { readonly constant: number };
  readonly scale: "none" | "standard" | "minMax";
  readonly features: readonly (readonly number[])[];
  readonly freshFeatures: readonly (readonly number[])[];
}

interface CategoryCase {
  readonly name: string;
  readonly cells: readonly (string | null)[];
  readonly fresh: readonly (string | null)[];
  readonly categories: readonly string[];
  readonly fill: string;
  readonly features: readonly (readonly number[])[];
  readonly freshFeatures: readonly (readonly number[])[];
}

const golden = JSON.parse(readFileSync(new URL("data/preprocessing.json", import.meta.url), "utf8")) as {
  readonly numbers: readonly NumberCase[];
  readonly categories: readonly CategoryCase[];
};

function features(column: Column, cells: readonly (number | string | null)[]): number[][] {
  const x = encodeRows("test", { kind: "table", columns: [column] }, cells.map((cell) => ({ cell }))); // prettier-ignore
  const width = x.shape[1]!;
  return cells.map((_, i) => [...(x.data as Float32Array).subarray(i * width, (i + 1) * width)]);
}

// Features are f32; the rule is computed in f64, in another order than numpy sums.
function expectNear(got: readonly (readonly number[])[], want: readonly (readonly number[])[]) {
  expect(got.length).toBe(want.length);
  got.forEach((row, i) => {
    expect(row.length).toBe(want[i]!.length);
    row.forEach((value, j) => {
      const wanted = want[i]![j]!;
      expect(Math.abs(value - wanted), `row ${i}: ${value} for ${wanted}`).toBeLessThanOrEqual(2 ** -22 * Math.abs(wanted) + 1e-9); // prettier-ignore
    });
  });
}

describe("numbers", () => {
  it.each(golden.numbers)("$name", ({ cells, fresh, missing, scale, features: trained, freshFeatures }) => {
    const column = fitNumbers("test", "cell", cells, { missing, scale, indicator: true });
    expectNear(features(column, cells), trained);
    expectNear(features(column, fresh), freshFeatures);
  });
});

describe("categories", () => {
  it.each(golden.categories)("$name", ({ cells, fresh, categories, fill, features: trained, freshFeatures }) => {
    const column = fitCategories("test", "cell", cells, { missing: "mostFrequent", unknown: "ignore" });
    expect(column.categories).toEqual(categories);
    expect(column.missing).toEqual({ rule: "mostFrequent", fill });
    expectNear(features(column, cells), trained);
    expectNear(features(column, fresh), freshFeatures);
  });
});
