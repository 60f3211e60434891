// Values of formats with types of their own as the cells of a row.
import type { RawRow } from "./row-reader.js";

/** Null and NaN are missing cells, dates are milliseconds; a list or record damages the row. */
export function plainCells(values: readonly unknown[], header: readonly string[], line: number): RawRow {
  let damage: string | undefined;
  const cells = values.map((cell, i) => {
    if (cell === null || cell === undefined || (typeof cell === "number" && Number.isNaN(cell))) return null;
    if (typeof cell === "bigint") return Number(cell);
    if (typeof cell === "number" || typeof cell === "string" || typeof cell === "boolean") return cell;
    if (cell instanceof Date) return cell.getTime();
    const isList = Array.isArray(cell) || ArrayBuffer.isView(cell);
    damage ??= `has a ${isList ? "list" : "record"} in "${header[i]}", expected a number or a text`;
    return null;
  });
  return { cells, line, damage };
}
