// Rows of comma-separated text, streamed. The grammar is csv-parse's.
import { createReadStream } from "node:fs";
import { CsvError, parse } from "csv-parse";
import { ArgumentError, CorruptFileError, FileError } from "../../../errors.js";
import { aborted } from "../../../tensor/program.js";
import { notText, watchFirst } from "../../binary.js";
import { fileIdentity } from "../file-identity.js";
import type { RawRow, RowReader } from "./row-reader.js";

/** How text is read. */
export interface CsvRowsOptions {
  readonly delimiter: string;
  readonly missingCells: readonly string[];
  /** Whether lines that csv-parse refuses are rows with a damage, rather than an error. */
  readonly tolerant: boolean;
}

const chunkRows = 512;

/** Opens a file of comma-separated text with a header line. @throws ArgumentError, CorruptFileError, FileError */
export async function csvRows(where: string, path: string, options: CsvRowsOptions): Promise<RowReader> {
  const shown = `"${path}"`;
  let header: readonly string[] | undefined;
  for await (const [first] of records(where, path, options)) {
    header = first!.cells as readonly string[];
    break;
  }
  if (!header) throw new ArgumentError(`${where}: expected ${shown} to begin with a header line, got nothing`);
  const twice = header.find((name, i) => header.indexOf(name) !== i);
  if (twice !== undefined) throw new ArgumentError(`${where}: two columns are called "${twice}"; rename one of them`);
  const gone = new Set(options.missingCells);
  const longest = Math.max(-1, ...options.missingCells.map((cell) => cell.length));
  return {
    header,
    shown,
    unit: "line",
    identity: async () => `csv ${options.delimiter} ${await fileIdentity(where, path)}`,
    async *rows(signal) {
      let isFirst = true;
      for await (const rows of records(where, path, options, signal)) {
        const body = isFirst ? rows.slice(1) : rows;
        isFirst = false;
        for (const { cells } of body) markMissing(cells as (string | null)[], gone, longest);
        if (body.length > 0) yield body;
      }
    },
  };
}

// In place: the cells belong to nobody else.
function markMissing(cells: (string | null)[], gone: ReadonlySet<string>, longest: number): void {
  for (let i = 0; i < cells.length; i++) if (cells[i]!.length <= longest && gone.has(cells[i]!)) cells[i] = null;
}

async function* records(
  where: string,
  path: string,
  { delimiter, tolerant }: CsvRowsOptions,
  signal?: AbortSignal,
): AsyncGenerator<RawRow[]> {
  const input = createReadStream(path, { highWaterMark: 2 ** 18 });
  const parser = parse({
    bom: true,
    trim: true,
    skip_empty_lines: true,
    info: true,
    delimiter,
    relax_column_count: true,
    skip_records_with_error: tolerant,
  });
  let refused: RawRow[] = [];
  parser.on("skip", ({ message, lines }: CsvError & { lines: number }) => {
    refused.push({ cells: [], line: lines, damage: message });
  });
  input.on("error", (error: Error) => parser.destroy(error));
  watchFirst(input, (first) => notText(where, `"${path}"`, first));
  let rows: RawRow[] = [];
  try {
    for await (const { record, info } of input.pipe(parser) as AsyncIterable<Parsed>) {
      if (refused.length > 0) rows.push(...refused.splice(0));
      rows.push({ cells: record, line: info.lines });
      if (rows.length < chunkRows) continue;
      yield rows;
      rows = [];
      if (signal?.aborted) throw aborted(where, signal);
    }
    rows.push(...refused);
    refused = [];
    if (rows.length > 0) yield rows;
  } catch (cause) {
    throw told(where, path, cause);
  } finally {
    input.destroy();
    parser.destroy();
  }
}

interface Parsed {
  readonly record: string[];
  readonly info: { readonly lines: number };
}

function told(where: string, path: string, cause: unknown): unknown {
  const { message, code } = cause as NodeJS.ErrnoException;
  if (cause instanceof CsvError) return new CorruptFileError(`${where}: "${path}" is malformed: ${message}`, { cause });
  if ((cause as NodeJS.ErrnoException).syscall === undefined) return cause;
  return new FileError(`${where}: cannot read "${path}" (${code}): ${message}`, { cause });
}
