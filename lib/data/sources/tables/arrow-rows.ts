// Rows of an Arrow file (IPC file or stream format, Feather version 2), a record batch at a time. The format is apache-arrow's.
import { ArgumentError, AthanorError, CorruptFileError } from "../../../errors.js";
import { optional } from "../../../guidance/optional.js";
import { aborted } from "../../../tensor/program.js";
import { fileIdentity, opened } from "../file-identity.js";
import { plainCells } from "./plain-cells.js";
import type { RowReader } from "./row-reader.js";

const chunkRows = 4096;

/** Opens an Arrow file. @throws FileError, CorruptFileError, UnsupportedError without the package apache-arrow */
export async function arrowRows(where: string, path: string, drop: readonly string[]): Promise<RowReader> {
  const arrow = await optional(where, "reading Arrow", ["apache-arrow"], () => import("apache-arrow"));
  const told = (cause: unknown): unknown =>
    cause instanceof AthanorError
      ? cause
      : new CorruptFileError(`${where}: "${path}" is not a readable Arrow file: ${(cause as Error).message}`, { cause }); // prettier-ignore
  const open = async () => {
    const file = await opened(where, path);
    try {
      const reader = await (await arrow.RecordBatchReader.from(file)).open();
      return { file, reader };
    } catch (cause) {
      await file.close().catch(() => undefined); // the reader may have closed it
      throw told(cause);
    }
  };
  const { file, reader } = await open();
  const header = reader.schema?.fields?.map(({ name }) => name) ?? [];
  await reader.cancel();
  await file.close().catch(() => undefined);
  if (header.length === 0) {
    throw new CorruptFileError(`${where}: "${path}" is not a readable Arrow file: it has no schema`);
  }
  const twice = header.find((name, i) => header.indexOf(name) !== i);
  if (twice !== undefined) throw new ArgumentError(`${where}: two columns are called "${twice}"; rename one of them`);
  const kept = header.map((name) => !drop.includes(name));
  return {
    header,
    shown: `"${path}"`,
    unit: "row",
    identity: async () => `arrow ${await fileIdentity(where, path)}`,
    async *rows(signal) {
      const { file: again, reader: batches } = await open();
      let row = 0;
      try {
        for await (const batch of batches) {
          const columns = header.map((_, i) => (kept[i] ? batch.getChildAt(i) : null));
          for (let from = 0; from < batch.numRows; from += chunkRows) {
            if (signal?.aborted) throw aborted(where, signal);
            const count = Math.min(chunkRows, batch.numRows - from);
            yield Array.from(
              { length: count },
              (_, i) =>
              plainCells(columns.map((column) => column?.get(from + i) as unknown), header, (row += 1)), // prettier-ignore
            );
          }
        }
      } catch (cause) {
        throw told(cause);
      } finally {
        await batches.cancel();
        await again.close().catch(() => undefined);
      }
    },
  };
}
