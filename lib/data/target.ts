// The column of a table that is to be predicted.
import { ArgumentError, nearestName } from "../errors.js";
import type { ModelInfo } from "../info/index.js";
import { shortList, sortedValues } from "../preprocess/index.js";
import { NdArray } from "../tensor/nd-array.js";
import { isNumber, type TableText } from "./columns.js";

/** The target of a table. */
export interface Target {
  /** i32 [n] for classes, f32 [n, 1] for numbers. */
  readonly y: NdArray;
  readonly classes?: readonly string[];
}

/** @throws ArgumentError naming line and column */
export function targetOf(
  where: string,
  { header, cellsOf, lines }: TableText,
  column: number,
  kind: "class" | "number" | undefined,
  info: ModelInfo | undefined,
): Target {
  const name = header[column]!;
  if (kind !== undefined && kind !== "class" && kind !== "number") {
    throw new ArgumentError(`${where}: target must be "class" or "number", got ${JSON.stringify(kind)}`);
  }
  const cells = cellsOf(column).map((cell, i) => {
    if (cell !== null) return cell;
    throw new ArgumentError(
      `${where}: the label "${name}" is missing at line ${lines[i]}; fill it in or take the line out`,
    );
  });
  const wanted = kind ?? (info?.classes ? "class" : info?.task === "regression" ? "number" : undefined);
  if (wanted === "number" || (wanted === undefined && cells.every(isNumber))) {
    const y = Float32Array.from(cells, (cell, i) => {
      if (isNumber(cell)) return Number(cell);
      throw new ArgumentError(
        `${where}: expected a number in column "${name}" at line ${lines[i]}, got ${JSON.stringify(cell)}; mend the cell, or say target: "class"`,
      );
    });
    return { y: new NdArray(y, [cells.length, 1], "f32") };
  }
  const classes = info?.classes ?? sortedValues(cells);
  const index = new Map(classes.map((value, i) => [value, i]));
  const y = Int32Array.from(cells, (cell, i) => {
    const found = index.get(cell);
    if (found !== undefined) return found;
    const near = nearestName(cell, classes);
    throw new ArgumentError(
      `${where}: column "${name}" at line ${lines[i]}: ${JSON.stringify(cell)} is not one of the model's classes${near === undefined ? "" : `, did you mean ${JSON.stringify(near)}?`} (classes: ${shortList(classes)})`,
    );
  });
  return { y: new NdArray(y, [cells.length], "i32"), classes };
}
