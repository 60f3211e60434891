// Rows of a Parquet file, a stretch of rows at a time. The format is hyparquet's.
import { ArgumentError, AthanorError, CorruptFileError, FileError } from "../../../errors.js";
import { optional } from "../../../guidance/optional.js";
import { aborted } from "../../../tensor/program.js";
import { fileIdentity } from "../file-identity.js";
import { plainCells } from "./plain-cells.js";
import type { RowReader } from "./row-reader.js";

// Rows that are decoded at a time, never of two row groups; and rows that are given at a time.
const [stretchRows, chunkRows] = [65_536, 4096];

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
        for (const { rowStart, rowEnd } of stretches(metadata.row_groups.map(({ num_rows }) => Number(num_rows)))) {
          if (signal?.aborted) throw aborted(where, signal);
          const columns = header.filter((name) => !drop.includes(name));
          const some = await parquet
            .parquetReadObjects({ file, metadata, columns, rowStart, rowEnd, useOffsetIndex: true })
            .catch((cause: unknown) => {
              throw told(cause);
            });
          for (let from = 0; from < some.length; from += chunkRows) {
            yield some.slice(from, from + chunkRows).map(
              (row, i) =>
              plainCells(header.map((name) => row[name] as unknown), header, rowStart + from + i + 1), // prettier-ignore
            );
          }
        }
      },
    };
  } catch (cause) {
    throw told(cause);
  }
}

function* stretches(groups: readonly number[]): Generator<{ readonly rowStart: number; readonly rowEnd: number }> {
  let first = 0;
  for (const rows of groups) {
    for (let from = 0; from < rows; from += stretchRows) {
      yield { rowStart: first + from, rowEnd: first + Math.min(rows, from + stretchRows) };
    }
    first += rows;
  }
}
