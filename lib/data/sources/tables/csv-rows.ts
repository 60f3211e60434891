// Rows of comma-separated text, read by the engine off the event loop: native/io/csv_record.h has the grammar.
import { ArgumentError } from "../../../errors.js";
import { addon, callAsync, type NativeCsvRuleHandle } from "../../../native/index.js";
import { aborted } from "../../../tensor/program.js";
import { notText } from "../../binary.js";
import { fileIdentity, opened } from "../file-identity.js";
import { nativeRule } from "./csv-rule.js";
import type { RawRow, RowReader, ScannedRows } from "./row-reader.js";

/** How text is read. */
export interface CsvRowsOptions {
  readonly delimiter: string;
  readonly missingCells: readonly string[];
}

// Rows of one scan: as cells, and as numbers.
const [cellRows, numberRows] = [2048, 4096];

/** Opens a file of comma-separated text with a header line. @throws ArgumentError, FileError */
export async function csvRows(where: string, path: string, options: CsvRowsOptions): Promise<RowReader> {
  const { delimiter, missingCells } = options;
  const shown = `"${path}"`;
  const { header, start, recordDelimiter } = await headerOf(where, path, delimiter);
  const twice = header.find((name, i) => header.indexOf(name) !== i);
  if (twice !== undefined) throw new ArgumentError(`${where}: two columns are called "${twice}"; rename one of them`);
  const gone = new Set(missingCells);
  const scans = (most: number, rule: NativeCsvRuleHandle | undefined, signal: AbortSignal | undefined) =>
    scansOf({ where, path, delimiter, recordDelimiter, start, most, rule, signal });
  const rowsOf = (odd: readonly OddRow[]): OddRow[] =>
    odd.map((row) => {
      markMissing(row.cells as (string | null)[], gone);
      return row.damage === undefined ? row : { ...row, isMalformed: true };
    });
  return {
    header,
    shown,
    unit: "line",
    identity: async () => `csv ${delimiter} ${await fileIdentity(where, path)}`,
    async *rows(signal) {
      for await (const { odd } of scans(cellRows, undefined, signal)) if (odd.length > 0) yield rowsOf(odd);
    },
    async *scanned(plan, signal) {
      const rule = addon.csvRule(nativeRule(plan, header, missingCells));
      const room = Math.max(64, Math.min(numberRows, Math.floor(2 ** 20 / (4 * plan.width))));
      for await (const { rows, x, y, odd } of scans(room, rule, signal)) {
        if (rows === 0) continue;
        yield { rows, x: new Float32Array(x), y: plan.classes ? new Int32Array(y) : new Float32Array(y), odd: rowsOf(odd) }; // prettier-ignore
      }
    },
  };
}

type OddRow = ScannedRows["odd"][number];

// In place: the cells belong to nobody else.
function markMissing(cells: (string | null)[], gone: ReadonlySet<string>): void {
  for (let i = 0; i < cells.length; i++) if (gone.has(cells[i]!)) cells[i] = null;
}

interface ScanRequest {
  readonly where: string;
  readonly path: string;
  readonly delimiter: string;
  readonly recordDelimiter: string;
  readonly start: { readonly offset: number; readonly line: number };
  readonly most: number;
  readonly rule: NativeCsvRuleHandle | undefined;
  readonly signal: AbortSignal | undefined;
}

async function* scansOf({ where, path, delimiter, recordDelimiter, start, most, rule, signal }: ScanRequest) {
  const file = await opened(where, path);
  const grammar = { delimiter, recordDelimiter };
  const scan = (offset: number, line: number) =>
    callAsync(() => addon.scanCsv(file.fd, path, offset, line, grammar, rule, most, where));
  let next = scan(start.offset, start.line);
  try {
    for (;;) {
      const found = await next;
      if (signal?.aborted) throw aborted(where, signal);
      if (!found.hasEnded) {
        next = scan(found.offset, found.line); // while this one is used
        next.catch(() => undefined); // thrown where it is awaited
      }
      yield found;
      if (found.hasEnded) return;
    }
  } finally {
    await next.catch(() => undefined); // the file is in use until then
    await file.close();
  }
}

async function headerOf(where: string, path: string, delimiter: string) {
  const file = await opened(where, path);
  try {
    const first = new Uint8Array(4096);
    const { bytesRead } = await file.read(first, 0, first.length, 0);
    const refused = notText(where, `"${path}"`, first.subarray(0, bytesRead));
    if (refused) throw refused;
    let [offset, line, recordDelimiter] = [0, 1, ""];
    for (;;) {
      const grammar = { delimiter, recordDelimiter };
      const found = await callAsync(() => addon.scanCsv(file.fd, path, offset, line, grammar, undefined, 1, where));
      [offset, line, recordDelimiter] = [found.offset, found.line, found.recordDelimiter];
      const [row] = found.odd as readonly RawRow[];
      if (row?.damage !== undefined) throw new ArgumentError(`${where}: "${path}", line ${row.line} ${row.damage}`);
      if (row) return { header: row.cells as readonly string[], start: { offset, line }, recordDelimiter };
      if (found.hasEnded) throw new ArgumentError(`${where}: expected "${path}" to begin with a header line, got nothing`); // prettier-ignore
    }
  } finally {
    await file.close();
  }
}
