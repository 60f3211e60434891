// What the columns of a table are: said by the user, by the rule of a model, or seen from their cells. A column that mixes numbers
// and text is never guessed: one stray "n/a" must not turn a hundred numbers into categories.
import { requireFlag } from "../guidance/arguments.js";
import { ArgumentError, checkOptions, nearestName } from "../errors.js";
import {
  fitCategories,
  fitNumbers,
  shortList,
  type CategoryOptions,
  type Column,
  type NumberOptions,
  type TablePreprocessing,
  type TableRow,
} from "../preprocess/index.js";

/** What a column is. */
export type ColumnOptions =
  | "number"
  | "category"
  | ({ readonly type: "number" } & NumberOptions)
  | ({ readonly type: "category" } & CategoryOptions);

/** The cells of a table as they stand in the file. */
export interface TableText {
  readonly header: readonly string[];
  /** One column; `null` is a missing cell. */
  readonly cellsOf: (column: number) => readonly (string | null)[];
  /** Line of the file of each row. */
  readonly lines: readonly number[];
}

/** A column with its cells read. */
export interface RawColumn {
  readonly name: string;
  readonly cells: readonly (string | number | null)[];
  /** What is learned of it from some of its rows. */
  fit(where: string, rows: Int32Array): Column;
}

/** Finds a column by name. @throws ArgumentError naming the nearest */
export function columnFinder(where: string, names: readonly string[]): (name: string) => number {
  return (name) => {
    const column = names.indexOf(name);
    if (column >= 0) return column;
    const near = nearestName(name, names);
    throw new ArgumentError(
      `${where}: there is no column "${name}"${near ? `, did you mean "${near}"?` : `; columns: ${names.join(", ")}`}`,
    );
  };
}

/** Whether a cell is a finite number. */
export const isNumber = (cell: string): boolean => cell !== "" && Number.isFinite(Number(cell));

/** Options that decide what columns are. */
export interface ColumnChoices {
  readonly columns?: Readonly<Record<string, ColumnOptions>> | undefined;
  readonly numbers?: NumberOptions | undefined;
  readonly categories?: CategoryOptions | undefined;
}

/** Reads columns as the user said, or as they look. @throws ArgumentError naming line and column */
export function rawColumns(
  where: string,
  text: TableText,
  features: readonly string[],
  { columns = {}, numbers = {}, categories = {} }: ColumnChoices,
): RawColumn[] {
  const find = columnFinder(where, text.header);
  for (const name of Object.keys(columns)) {
    find(name);
    if (features.includes(name)) continue;
    throw new ArgumentError(`${where}: columns names "${name}", which is the label or dropped`);
  }
  checkNumbers(`${where}: numbers`, numbers);
  checkCategories(`${where}: categories`, categories);
  return features.map((name): RawColumn => {
    const cells = text.cellsOf(find(name));
    const said = Object.hasOwn(columns, name) ? columns[name] : undefined;
    const { type, ...own } =
      typeof said === "object" ? said : { type: said ?? looksLike(where, name, cells, text.lines) };
    const at = `${where}: columns.${name}`;
    if (type === "number") {
      checkNumbers(at, own as NumberOptions);
      const options = { ...numbers, ...(own as NumberOptions) };
      const values = numbersIn(where, name, cells, text.lines);
      requirePresent(where, name, cells, text.lines, options.missing);
      return { name, cells: values, fit: (w, rows) => fitNumbers(w, name, pick(values, rows), options) };
    }
    if (type !== "category") {
      throw new ArgumentError(`${at}: the type must be "number" or "category", got ${JSON.stringify(type)}`);
    }
    checkCategories(at, own as CategoryOptions);
    const options = { ...categories, ...(own as CategoryOptions) };
    requirePresent(where, name, cells, text.lines, options.missing);
    return { name, cells, fit: (w, rows) => fitCategories(w, name, pick(cells, rows), options) };
  });
}

const pick = <T>(cells: readonly T[], rows: Int32Array): T[] => Array.from(rows, (row) => cells[row]!);

/** Reads the columns of a rule that was learned before. @throws ArgumentError naming line and column */
export function learnedColumns(where: string, text: TableText, { columns }: TablePreprocessing): RawColumn[] {
  const find = columnFinder(where, text.header);
  return columns.map((column): RawColumn => {
    const { name } = column;
    const cells = text.cellsOf(find(name));
    const read = column.type === "number" ? numbersIn(where, name, cells, text.lines) : cells;
    return { name, cells: read, fit: () => column };
  });
}

/** Columns as rows. */
export function rawRows(columns: readonly RawColumn[], count: number): TableRow[] {
  return Array.from({ length: count }, (_, i) =>
    Object.fromEntries(columns.map(({ name, cells }) => [name, cells[i]!])),
  );
}

// The most categories that a column may have without being called one.
const mostCategories = 100;

function looksLike(
  where: string,
  name: string,
  cells: readonly (string | null)[],
  lines: readonly number[],
): "number" | "category" {
  const present = cells.filter((cell) => cell !== null);
  const number = cells.findIndex((cell) => cell !== null && isNumber(cell));
  const text = cells.findIndex((cell) => cell !== null && !isNumber(cell));
  if (text < 0) return "number";
  if (number >= 0) {
    throw new ArgumentError(
      `${where}: column "${name}" mixes numbers (${cells[number]} at line ${lines[number]}) and text (${JSON.stringify(cells[text])} at line ${lines[text]}); say what stands for a missing cell, missingCells: ["", ${JSON.stringify(cells[text])}], or that all are categories, columns: { ${JSON.stringify(name)}: "category" }, or drop it`,
    );
  }
  const different = new Set(present).size;
  if (different > mostCategories) {
    throw new ArgumentError(
      `${where}: column "${name}" has ${different} different texts in ${cells.length} rows, too many to take it for categories; drop it, or say columns: { ${JSON.stringify(name)}: "category" }`,
    );
  }
  return "category";
}

function numbersIn(
  where: string,
  name: string,
  cells: readonly (string | null)[],
  lines: readonly number[],
): (number | null)[] {
  return cells.map((cell, i) => {
    if (cell === null || isNumber(cell)) return cell === null ? null : Number(cell);
    throw new ArgumentError(
      `${where}: expected a number in column "${name}" at line ${lines[i]}, got ${cell === "" ? "nothing" : JSON.stringify(cell)}; mend the cell, or name what stands for a missing one: missingCells: ["", ${JSON.stringify(cell)}]`,
    );
  });
}

function requirePresent(
  where: string,
  name: string,
  cells: readonly (string | null)[],
  lines: readonly number[],
  rule: unknown = "error",
): void {
  const first = cells.indexOf(null);
  if (rule !== "error" || first < 0) return;
  const gone = cells.filter((cell) => cell === null).length;
  const [list, some] = cells.some((cell) => cell !== null && !isNumber(cell))
    ? ["categories", "category"]
    : ["numbers", "median"];
  throw new ArgumentError(
    `${where}: column "${name}" is missing ${gone === 1 ? "a cell" : `${gone} of ${cells.length} cells`}, the first at line ${lines[first]}; say what they become, such as ${list}: { missing: "${some}" }, or drop the column`,
  );
}

function checkNumbers(where: string, options: NumberOptions): void {
  checkOptions(where, options, ["missing", "indicator", "scale"]);
  const { missing, indicator, scale } = options;
  const constant = typeof missing === "object" ? Number.isFinite(missing?.constant) : undefined;
  if (
    constant === false ||
    (constant === undefined && !isOneOf(missing, ["error", "mean", "median", "mostFrequent"]))
  ) {
    throw new ArgumentError(
      `${where}: missing must be "mean", "median", "mostFrequent", "error" or { constant: 0 }, got ${JSON.stringify(missing)}`,
    );
  }
  if (!isOneOf(scale, ["none", "standard", "minMax"])) {
    throw new ArgumentError(`${where}: scale must be "standard", "minMax" or "none", got ${JSON.stringify(scale)}`);
  }
  if (indicator !== undefined) requireFlag(where, "indicator", indicator);
}

function checkCategories(where: string, options: CategoryOptions): void {
  checkOptions(where, options, ["missing", "unknown"]);
  const { missing, unknown } = options;
  const constant = typeof missing === "object" ? typeof missing?.constant === "string" : undefined;
  if (constant === false || (constant === undefined && !isOneOf(missing, ["error", "category", "mostFrequent"]))) {
    throw new ArgumentError(
      `${where}: missing must be "category", "mostFrequent", "error" or { constant: "…" }, got ${JSON.stringify(missing)}`,
    );
  }
  if (!isOneOf(unknown, ["error", "ignore", "missing"])) {
    throw new ArgumentError(
      `${where}: unknown must be ${shortList(["error", "ignore", "missing"])}, got ${JSON.stringify(unknown)}`,
    );
  }
}

const isOneOf = (value: unknown, known: readonly string[]): boolean =>
  value === undefined || (typeof value === "string" && known.includes(value));
