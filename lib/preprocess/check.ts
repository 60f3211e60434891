// A rule that comes from a file or from a user's hands, checked through and through before anything is computed with it.
import { ArgumentError } from "../errors.js";
import type { Column, TablePreprocessing } from "./columns.js";
import { checkNormalize, type NormalizePreprocessing } from "./normalize.js";

/** How raw inputs become what a model computes with. */
export type Preprocessing = TablePreprocessing | NormalizePreprocessing;

/** @throws ArgumentError saying what is wrong with it */
export function checkPreprocessing(where: string, value: unknown): asserts value is Preprocessing {
  if (!isRecord(value))
    throw new ArgumentError(`${where}: expected a preprocessing rule, got ${JSON.stringify(value)}`);
  if (value.kind === "normalize") {
    onlyKeys(where, value, ["kind", "layout", "divide", "mean", "deviation"]);
    checkNormalize(where, value as unknown as NormalizePreprocessing);
    return;
  }
  if (value.kind !== "table") {
    throw new ArgumentError(
      `${where}: the kind of a rule is "table" or "normalize", got ${JSON.stringify(value.kind)}`,
    );
  }
  onlyKeys(where, value, ["kind", "columns"]);
  const { columns } = value;
  if (!Array.isArray(columns) || columns.length === 0) throw new ArgumentError(`${where}: the rule lists no columns`);
  columns.forEach((column: unknown, i) => checkColumn(`${where}: column ${i}`, column));
  const names = (columns as Column[]).map(({ name }) => name);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) throw new ArgumentError(`${where}: the rule has two columns "${twice}"`);
}

function checkColumn(where: string, column: unknown): asserts column is Column {
  const wrong = (what: string): never => {
    throw new ArgumentError(`${where} ${what}`);
  };
  if (!isRecord(column) || typeof column.name !== "string") return wrong("has no name");
  const { type, missing, indicator, scale, categories, unknown } = column;
  if (type === "number") {
    onlyKeys(where, column, ["name", "type", "missing", "indicator", "scale"]);
    const filled = isRecord(missing) && isRule(missing.rule, numberRules) && isFinite32(missing.fill);
    if (missing !== "error" && !filled) wrong("has no good rule for missing cells");
    if (indicator !== undefined && indicator !== true) wrong('says "indicator" with anything but true');
    if (scale !== undefined && !isScale(scale)) wrong("has a scale that is none");
    return;
  }
  if (type !== "category") return wrong(`has the type ${JSON.stringify(type)}, expected "number" or "category"`);
  onlyKeys(where, column, ["name", "type", "categories", "missing", "unknown"]);
  const isText = (value: unknown): value is string => typeof value === "string";
  if (!Array.isArray(categories) || categories.length === 0 || !categories.every(isText))
    return wrong("has no categories");
  if (new Set(categories).size !== categories.length) wrong("has a category twice");
  const filled =
    isRecord(missing) &&
    isRule(missing.rule, ["mostFrequent", "constant"]) &&
    categories.includes(missing.fill as string);
  if (missing !== "error" && missing !== "category" && !filled) wrong("has no good rule for missing cells");
  if (!isRule(unknown, ["error", "ignore", "missing"])) wrong("has no good rule for unknown categories");
  if (unknown === "missing" && missing === "error")
    wrong("takes unknown categories as missing, and refuses missing ones");
}

const numberRules = ["mean", "median", "mostFrequent", "constant"];
const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isRule = (value: unknown, rules: readonly string[]) => typeof value === "string" && rules.includes(value);
const isFinite32 = (value: unknown) => typeof value === "number" && Number.isFinite(value);
const isScale = (value: unknown) =>
  isRecord(value) &&
  isRule(value.rule, ["standard", "minMax"]) &&
  isFinite32(value.offset) &&
  isFinite32(value.divisor) &&
  (value.divisor as number) > 0;

function onlyKeys(where: string, value: Record<string, unknown>, known: readonly string[]): void {
  const other = Object.keys(value).find((key) => !known.includes(key));
  if (other !== undefined) throw new ArgumentError(`${where}: unknown field "${other}"`);
}
