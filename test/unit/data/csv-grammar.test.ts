// The engine's reader of comma-separated text beside csv-parse: the same cells of everything that is well formed, a damage where csv-parse
// refuses, and whole rows after a damaged one. And numbers as JavaScript reads them.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "csv-parse/sync";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { data } from "../../../lib/index.js";
import { addon } from "../../../lib/native/index.js";

let dir: string;
beforeAll(() => (dir = mkdtempSync(join(tmpdir(), "grammar-"))));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

async function rowsOf(text: string | Uint8Array, delimiter = ",", most = 3) {
  const path = join(dir, "text.csv");
  writeFileSync(path, text);
  const file = await open(path);
  try {
    const rows: { line: number; cells: string[]; damage?: string }[] = [];
    let [offset, line, recordDelimiter, ended] = [0, 1, "", false];
    while (!ended) {
      const found = await addon.scanCsv(file.fd, path, offset, line, { delimiter, recordDelimiter }, undefined, most, "test"); // prettier-ignore
      ({ offset, line, recordDelimiter, hasEnded: ended } = found);
      rows.push(...found.odd.map(({ line: at, cells, damage }) => ({ line: at, cells, ...(damage && { damage }) })));
    }
    return rows;
  } finally {
    await file.close();
  }
}

const parsed = (text: string, delimiter = ",") => {
  try {
    return parse(text, { bom: true, trim: true, skip_empty_lines: true, delimiter, relax_column_count: true });
  } catch {
    return undefined;
  }
};

describe("comma-separated text", () => {
  const pieces = ["a", "1", "é", "\u00a0", " ", "\t", ",", ",", ";;", '"', '""', '"b"', '"x,y"', '"p\nq"', '"r""s"', "\n", "\n", "\r\n", "\r"]; // prettier-ignore
  it.each([",", ";;", "\t"])("is read as csv-parse reads it (delimiter %j)", async (delimiter) => {
    const texts = fc.array(fc.constantFrom(...pieces), { maxLength: 24 }).map((parts) => parts.join(""));
    await fc.assert(
      fc.asyncProperty(texts, async (text) => {
        const rows = await rowsOf(text, delimiter);
        const wanted = parsed(text, delimiter);
        const damaged = rows.some(({ damage }) => damage !== undefined);
        // csv-parse refuses a blank of two bytes after a quoted cell, against its own rule.
        if (wanted === undefined) expect(damaged || text.includes("\u00a0")).toBe(true);
        else if (!damaged) expect(rows.map(({ cells }) => cells)).toEqual(wanted);
      }),
      { numRuns: 500, seed: 7 },
    );
  });

  it.each([
    ['1,"a" b\n2,c\n', [[1, "has text after a closing quote"], [2, undefined]]],
    ['1,a"b\n2,c\n', [[1, "has a quote in the middle of a cell"], [2, undefined]]],
    ['1,"ab\n2,c\n3,d\n', [[1, "opens a quote that is not closed"], [2, undefined], [3, undefined]]],
    ['1,"a\nb"\n\n2,c', [[1, undefined], [4, undefined]]],
  ] as const)("%j keeps the rows after a damaged one, and says lines", async (text, rows) => {
    expect((await rowsOf(text)).map(({ line, damage }) => [line, damage])).toEqual(rows);
  }); // prettier-ignore

  it("may have a record longer than what is read at a time, and one that is too long is damaged", async () => {
    const long = "x".repeat(1.5e6);
    expect((await rowsOf(`a,"${long}"\nb,c\n`)).map(({ cells }) => cells)).toEqual([["a", long], ["b", "c"]]); // prettier-ignore
    const rows = await rowsOf(`a,"${"x".repeat(5e6)}\nb,c\n`);
    expect(rows.map(({ damage }) => damage)).toEqual(["opens a quote that is not closed", undefined]);
    const plain = await rowsOf(`a,${"x".repeat(5e6)}\nb,c\n`);
    expect(plain.map(({ damage }) => damage)).toEqual(["is longer than 4 MiB", undefined]);
  });

  it("may begin with a byte order mark and hold bytes that are not UTF-8", async () => {
    expect((await rowsOf("\ufeffa,b\n1,2\n")).map(({ cells }) => cells)).toEqual([["a", "b"], ["1", "2"]]); // prettier-ignore
    const bytes = Uint8Array.of(0x61, 0xff, 0x2c, 0x62, 0x0a);
    expect((await rowsOf(bytes)).map(({ cells }) => cells)).toEqual([["a\ufffd", "b"]]);
  });
});

describe("numbers", () => {
  const digits = fc.stringMatching(/^[0-9]{1,24}$/);
  const shapes = fc.oneof(
    fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e30, max: 1e30 }).map(String),
    fc.tuple(fc.constantFrom("", "-", "+"), digits, digits, fc.constantFrom("", "e3", "E-7", "e+2")).map(([sign, a, b, e]) => `${sign}${a.slice(0, 12)}.${b}${e}`), // prettier-ignore
    fc.constantFrom("5.", ".5", "-.25", "+3", "0x1F", "1e300", "1e-320", "-0", "007", "9007199254740993", "0.1"),
  );
  it("of a streamed table are those that JavaScript reads, in f32", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(shapes, { minLength: 2, maxLength: 40 }), async (cells) => {
        const path = join(dir, "numbers.csv");
        const sound = cells.filter((cell) => Number.isFinite(Math.fround(Number(cell))));
        fc.pre(sound.length > 1);
        writeFileSync(path, `x,y\n${sound.map((cell, i) => `${cell},${i % 3}.5`).join("\n")}\n`);
        const source = await data.csvStream(path, { label: "y", columns: { x: "number" } });
        const { x, y } = await source.toDataset();
        expect([...x.data]).toEqual(sound.map((cell) => Math.fround(Number(cell))));
        expect([...y.data]).toEqual(sound.map((_, i) => (i % 3) + 0.5));
      }),
      { numRuns: 60, seed: 3 },
    );
  });
});
