// Tables streamed from files: the samples of the same table in memory, from any row on; and what becomes of every kind of damaged row.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parquetWriteBuffer } from "hyparquet-writer";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ArgumentError, CorruptFileError, data, FileError, loss, nn, optim, train } from "../../../lib/index.js";
import type { Source } from "../../../lib/data/index.js";

let dir: string;
beforeAll(() => (dir = mkdtempSync(join(tmpdir(), "tables-"))));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
const write = (name: string, text: string | Uint8Array) => {
  const path = join(dir, name);
  writeFileSync(path, text);
  return path;
};

const rows = 1500;
const record = (i: number) => ({
  id: `c${i}`,
  age: i % 11 === 3 ? null : 18 + ((i * 7) % 60) + (i % 4) / 4,
  city: i % 13 === 5 ? null : ["Lyon", "Paris", 'Aix, "en"', "Metz\nSud"][i % 4]!,
  visits: (i * i) % 17,
  tier: ["free", "gold", "silver"][(i * 5 + (i % 7)) % 3]!,
});
const quoted = (cell: string | number | null) => (cell === null ? "" : `"${String(cell).replaceAll('"', '""')}"`);
const asCsv = () =>
  `\uFEFFid,age,city,visits,tier\r\n${Array.from({ length: rows }, (_, i) => Object.values(record(i)).map(quoted).join(",")).join("\r\n")}\r\n`;
const asJson = () => Array.from({ length: rows }, (_, i) => JSON.stringify(record(i))).join("\n");
const choices = {
  label: "tier",
  drop: ["id"],
  numbers: { missing: "median", indicator: true, scale: "standard" },
  categories: { missing: "category" },
} as const;
const writeParquet = (name: string) => {
  const column = (key: keyof ReturnType<typeof record>) => Array.from({ length: rows }, (_, i) => record(i)[key]);
  const columnData = [
    { name: "id", data: column("id"), type: "STRING" as const },
    { name: "age", data: column("age"), type: "DOUBLE" as const, nullable: true },
    { name: "city", data: column("city"), type: "STRING" as const, nullable: true },
    { name: "visits", data: column("visits"), type: "INT32" as const },
    { name: "tier", data: column("tier"), type: "STRING" as const },
  ];
  return write(name, new Uint8Array(parquetWriteBuffer({ columnData, rowGroupSize: 400 })));
};
const samplesOf = async (source: Source, skip = 0) => {
  const [x, y]: number[][] = [[], []];
  for await (const chunk of source.read({ seed: 0, epoch: 0, skip })) {
    x!.push(...chunk.x.data);
    y!.push(...chunk.y.data);
  }
  return { x: x!, y: y! };
};

describe("a table that is streamed", () => {
  it.each([
    ["csv", () => data.csvStream(write("a.csv", asCsv()), choices)],
    ["Parquet", () => data.parquet(writeParquet("a.parquet"), choices)],
    ["JSON lines", () => data.jsonLines(write("a.jsonl", asJson()), choices)],
  ])("as %s has the samples, classes and rule of data.csv", async (_, open) => {
    const source = await open();
    const table = await data.csv({ text: asCsv() }, choices);
    const { x, y } = await samplesOf(source);
    expect(x).toEqual([...table.samples.x.data]);
    expect(y).toEqual([...table.samples.y.data]);
    expect(source.info).toEqual(table.samples.info);
    expect((await source.counted()).length).toBe(rows);
  });

  it.each(["throw", "skip"] as const)("goes on from any row (onError: %s)", async (onError) => {
    const source = await data.csvStream(write("b.csv", asCsv()), { ...choices, onError });
    const { x, y } = await samplesOf(source);
    const width = source.x.shape[0]!;
    for (const skip of [1, 511, 512, 513, 1499, 1500, 2000]) {
      expect(await samplesOf(source, skip)).toEqual({ x: x.slice(skip * width), y: y.slice(skip) });
    }
  });

  it("has numbers to predict as f32 [1]", async () => {
    const source = await data.csvStream(write("c.csv", "a,b\n1,2.5\n3,4\n"), { label: "b" });
    expect(source.y).toEqual({ dtype: "f32", shape: [1] });
    expect(await samplesOf(source)).toEqual({ x: [1, 3], y: [2.5, 4] });
  });

  it("is read by the rule of a model that was trained on another one", async () => {
    const source = await data.csvStream(write("d.csv", asCsv()), choices);
    const model = nn.linear(source.x.shape[0]!, 3);
    await train.fit(model, source.take(64), { loss: loss.crossEntropy(), optimizer: optim.sgd({ lr: 0.1 }), steps: 4 });
    expect(model.info.classes).toEqual(["free", "gold", "silver"]);
    const few = write("e.csv", "tier,visits,city,age\ngold,3,Paris,40\nfree,1,,\n");
    const again = await data.csvStream(few, { label: "tier", info: model.info });
    const table = await data.csv(few, { label: "tier", info: model.info });
    expect((await samplesOf(again)).x).toEqual([...table.samples.x.data]);
  });
});

// Damage that comes after the rows that the table was learned from.
const good = Array.from({ length: 40 }, (_, i) => `${i},${["x", "y"][i % 2]},${["no", "yes"][(i >> 1) % 2]}`);
const damages: readonly (readonly [what: string, row: string, says: RegExp, fills: boolean])[] = [
  ["too few cells", "5,x", /line 42 has 2 cells, expected 3/, false],
  ["too many cells", "5,x,no,9", /line 42 has 4 cells, expected 3/, false],
  ["a text among numbers", "five,x,no", /line 42, column "n": expected a number, got "five"/, true],
  ["an unknown category", "5,z,no", /line 42, column "c": "z" is not a known category/, false],
  [
    "an unknown label",
    "5,x,yess",
    /line 42, column "t": "yess" is not one of the classes, did you mean "yes"\?/,
    false,
  ],
  ["no label", "5,x,", /line 42, column "t": the label is missing/, false],
  ["no number", ",x,no", /line 42, column "n" is missing/, false],
];
describe("a damaged row", () => {
  const table = (row: string) => write("damaged.csv", ["n,c,t", ...good, row, "7,y,yes"].join("\n"));
  const learn = { label: "t", learn: 40 };
  const filled = { ...learn, numbers: { missing: "mean" } } as const;

  it.each(damages)("with %s names file, line and column", async (_, row, says) => {
    const source = await data.csvStream(table(row), learn);
    const reading = samplesOf(source);
    await expect(reading).rejects.toThrow(ArgumentError);
    await expect(reading).rejects.toThrow(says);
    await expect(reading).rejects.toThrow(/damaged\.csv"/);
  });

  it.each(damages)("with %s is left out and counted", async (_, row) => {
    const source = await data.csvStream(table(row), { ...learn, onError: "skip" });
    expect((await samplesOf(source)).y).toHaveLength(41);
    expect(source.skipped).toBe(1);
  });

  it.each(damages)("with %s counts as missing where that helps", async (what, row, __, fills) => {
    const source = await data.csvStream(table(row), { ...filled, onError: "fill" });
    const { x, y } = await samplesOf(source);
    const kept = fills || what === "no number";
    expect(y).toHaveLength(kept ? 42 : 41);
    if (kept) expect(x[40 * source.x.shape[0]!]).toBe(19.5); // the mean of 0 … 39
    expect(source.skipped).toBe(kept ? 0 : 1);
  });

  it("among the rows that are learned from does not change what is learned", async () => {
    const rowsWith = (extra: string[]) => ["n,c,t", ...good.slice(0, 20), ...extra, ...good.slice(20)].join("\n");
    const clean = await data.csvStream(write("clean.csv", rowsWith([])), { label: "t", onError: "skip" });
    const dirty = await data.csvStream(write("dirty.csv", rowsWith(["oops,x,no", "3,x", "4,y,"])), { label: "t", onError: "skip" }); // prettier-ignore
    expect(dirty.info).toEqual(clean.info);
    expect(await samplesOf(dirty)).toEqual(await samplesOf(clean));
    await expect(data.csvStream(write("dirty.csv", rowsWith(["oops,x,no"])), { label: "t" })).rejects.toThrow(/mixes numbers/);
  }); // prettier-ignore

  it("of JSON lines is told, or left out", async () => {
    const lines = good.map((row) => { const [n, c, t] = row.split(","); return JSON.stringify({ n: Number(n), c, t }); }); // prettier-ignore
    for (const [bad, says] of [["{oops", /line 41 is not a JSON object: "\{oops"/], ["[1,2]", /line 41 is not a JSON object/], ['{"n":[1],"c":"x","t":"no"}', /line 41 has a list in "n"/], ['{"n":"9x","c":"x","t":"no"}', /line 41, column "n": expected a number, got "9x"/]] as const) {
      const path = write("bad.jsonl", [...lines, bad].join("\n"));
      await expect(samplesOf(await data.jsonLines(path, learn))).rejects.toThrow(says);
      const source = await data.jsonLines(path, { ...learn, onError: "skip" });
      expect((await samplesOf(source)).y).toHaveLength(40);
      expect(source.skipped).toBe(1);
    } // prettier-ignore
  });
});

describe("a Parquet file", () => {
  it("knows how many rows it has, and goes on from any", async () => {
    const source = await data.parquet(writeParquet("b.parquet"), choices);
    expect(source.length).toBe(rows);
    const { y } = await samplesOf(source);
    for (const skip of [1, 400, 1499]) expect((await samplesOf(source, skip)).y).toEqual(y.slice(skip));
  });

  it("that is damaged is told", async () => {
    const path = write("bad.parquet", "PAR1 this is not Parquet PAR1");
    await expect(data.parquet(path, { label: "a" })).rejects.toThrow(CorruptFileError);
    await expect(data.parquet(join(dir, "none.parquet"), { label: "a" })).rejects.toThrow(FileError);
  });
});

describe("a file that is no table", () => {
  it.each<[string, () => Promise<unknown>, new (...args: never[]) => Error, RegExp]>([
    ["is not there", () => data.csvStream(join(dir, "none.csv"), { label: "a" }), FileError, /cannot read .*ENOENT/],
    ["is not there (JSON)", () => data.jsonLines(join(dir, "none.jsonl"), { label: "a" }), FileError, /cannot read .*ENOENT/],
    ["is empty", () => data.csvStream(write("empty.csv", ""), { label: "a" }), ArgumentError, /begin with a header line, got nothing/],
    ["has a header alone", () => data.csvStream(write("head.csv", "a,b\n"), { label: "a" }), ArgumentError, /no row to learn from/],
    ["has an open quote", () => data.csvStream(write("quote.csv", 'a,b\n1,"2\n3,4\n'), { label: "b" }), CorruptFileError, /malformed/],
    ["has no such label", () => data.csvStream(write("label.csv", "a,b\n1,2\n"), { label: "bb" }), ArgumentError, /did you mean "b"/],
    ["has a column twice", () => data.csvStream(write("twice.csv", "a,a\n1,2\n"), { label: "a" }), ArgumentError, /two columns are called "a"/],
    ["has no object", () => data.jsonLines(write("list.jsonl", "[1]\n[2]\n"), { label: "a" }), ArgumentError, /expected an object on every line/],
    ["is a picture", () => data.csvStream(write("p.csv", "\x89PNG\r\n\x1a\n\0\0"), { label: "a" }), ArgumentError, /binary|PNG/],
    ["is read with an unknown policy", () => data.csvStream(write("ok.csv", "a,b\n1,2\n"), { label: "b", onError: "drop" as never }), ArgumentError, /"throw", "skip" or "fill"/],
  ])("%s", async (_, open, kind, says) => {
    const opening = open();
    await expect(opening).rejects.toThrow(kind);
    await expect(opening).rejects.toThrow(says);
  }); // prettier-ignore
});
