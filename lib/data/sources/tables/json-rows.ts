// Rows of JSON lines (jsonlines.org): an object a line, streamed.
import { createReadStream } from "node:fs";
import { ArgumentError, FileError } from "../../../errors.js";
import { aborted } from "../../../tensor/program.js";
import { fileIdentity } from "../file-identity.js";
import type { RawRow, RowReader } from "./row-reader.js";

const chunkRows = 512;

/** Opens a file of JSON lines; its columns are the keys of the first rows. @throws ArgumentError, FileError */
export async function jsonRows(where: string, path: string, look = 1000): Promise<RowReader> {
  const names = new Set<string>();
  let seen = 0;
  for await (const lines of linesOf(where, path)) {
    for (const { text } of lines) for (const name of Object.keys(objectOf(text) ?? {})) names.add(name);
    seen += lines.length;
    if (seen >= look) break;
  }
  if (names.size === 0) throw new ArgumentError(`${where}: expected an object on every line of "${path}", got none`);
  const header = [...names];
  const known = new Map(header.map((name, i) => [name, i]));
  return {
    header,
    shown: `"${path}"`,
    unit: "line",
    identity: async () => `jsonl ${await fileIdentity(where, path)}`,
    async *rows(signal) {
      for await (const lines of linesOf(where, path, signal)) {
        yield lines.map(({ text, line }) => rowOf(text, line, known));
      }
    },
  };
}

function rowOf(text: string, line: number, known: ReadonlyMap<string, number>): RawRow {
  const value = objectOf(text);
  if (!value) return { cells: [], line, damage: `is not a JSON object: ${shortened(text)}` };
  const cells: (string | number | boolean | null)[] = new Array<null>(known.size).fill(null);
  for (const [name, cell] of Object.entries(value)) {
    const at = known.get(name);
    if (at === undefined || cell === null || cell === undefined) continue;
    if (typeof cell === "object") return { cells: [], line, damage: `has a ${Array.isArray(cell) ? "list" : "record"} in "${name}", expected a number or a text` }; // prettier-ignore
    cells[at] = cell as string | number | boolean;
  }
  return { cells, line };
}

function objectOf(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

const shortened = (text: string): string => JSON.stringify(text.length > 60 ? `${text.slice(0, 57)}…` : text);

interface Line {
  readonly text: string;
  readonly line: number;
}

async function* linesOf(where: string, path: string, signal?: AbortSignal): AsyncGenerator<Line[]> {
  const input = createReadStream(path, { encoding: "utf8", highWaterMark: 2 ** 18 });
  let rest = "";
  let line = 0;
  let lines: Line[] = [];
  const add = (text: string) => {
    line += 1;
    if (text.trim() !== "") lines.push({ text: line === 1 ? text.replace(/^\uFEFF/, "") : text, line });
  };
  try {
    for await (const part of input as AsyncIterable<string>) {
      const texts = (rest + part).split(/\r?\n/);
      rest = texts.pop()!;
      for (const text of texts) {
        add(text);
        if (lines.length < chunkRows) continue;
        yield lines;
        lines = [];
      }
      if (signal?.aborted) throw aborted(where, signal);
    }
    if (rest !== "") add(rest);
    if (lines.length > 0) yield lines;
  } catch (cause) {
    const { code, syscall } = cause as NodeJS.ErrnoException;
    throw syscall === undefined ? cause : new FileError(`${where}: cannot read "${path}" (${code})`, { cause });
  } finally {
    input.destroy();
  }
}
