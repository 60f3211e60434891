// Rows of a Parquet file, a stretch of rows at a time. The format is hyparquet's.
import { ArgumentError, AthanorError, CorruptFileError, FileError } from "../../../errors.js";
import { optional } from "../../../guidance/optional.js";
import { aborted } from "../../../tensor/program.js";
import { fileIdentity } from "../file-identity.js";
import type { RawRow, RowReader } from "./row-reader.js";

const chunkRows = 4096;

/** Opens a Parquet file; columns to be dropped are not read. @throws FileError, CorruptFileError, UnsupportedError without the package hyparquet */
export async function parquetRows(where: string, path: string, drop: readonly string[]): Promise<RowReader> {
  const parquet = await optional(where, "reading Parquet", ["hyparquet"], () => import("hyparquet"));
  const told = (cause: unknown): unknown => {
    if (cause instanceof AthanorError) return cause;
    const { code, message, syscall } = cause as NodeJS.ErrnoException;
    return syscall === undefined
      ? new CorruptFileError(`${where}: "${path}" is not a readable Parquet file: ${message}`, { cause })
      : new FileError(`${where}: cannot read "${path}" (${code})`, { cause });
  };
  try {
    const file = await parquet.asyncBufferFromFile(path);
    const metadata = await parquet.parquetMetadataAsync(file);
    const header = parquet.parquetSchema(metadata).children.map(({ element }) => element.name);
    const length = Number(metadata.num_rows);
    if (header.length === 0) throw new ArgumentError(`${where}: "${path}" has no columns`);
    return {
      header,
      length,
      shown: `"${path}"`,
      unit: "row",
      identity: async () => `parquet ${await fileIdentity(where, path)}`,
      async *rows(signal) {
        for (let from = 0; from < length; from += chunkRows) {
          if (signal?.aborted) throw aborted(where, signal);
          const rowEnd = Math.min(length, from + chunkRows);
          const some = await parquet
            .parquetReadObjects({
              file,
              metadata,
              columns: header.filter((name) => !drop.includes(name)),
              rowStart: from,
              rowEnd,
            })
            .catch((cause: unknown) => {
              throw told(cause);
            });
          yield some.map((row, i) => rowOf(row, header, from + i + 1));
        }
      },
    };
  } catch (cause) {
    throw told(cause);
  }
}

function rowOf(row: Readonly<Record<string, unknown>>, header: readonly string[], line: number): RawRow {
  let damage: string | undefined;
  const cells = header.map((name) => {
    const cell = row[name];
    if (cell === null || cell === undefined || (typeof cell === "number" && Number.isNaN(cell))) return null;
    if (typeof cell === "bigint") return Number(cell);
    if (typeof cell === "number" || typeof cell === "string" || typeof cell === "boolean") return cell;
    if (cell instanceof Date) return cell.getTime();
    damage ??= `has a ${Array.isArray(cell) ? "list" : "record"} in "${name}", expected a number or a text`;
    return null;
  });
  return { cells, line, damage };
}
