// Files of tables that are read in threads: the samples of the same table in memory in every format, from any row on; what becomes of
// damaged rows; no more in memory than what is asked for; and functions of modules.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { tableFromArrays, tableToIPC } from "apache-arrow";
import { parquetWriteBuffer } from "hyparquet-writer";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  AbortedError,
  ArgumentError,
  array,
  artifact,
  CorruptFileError,
  data,
  loss,
  nn,
  optim,
  train,
} from "../../../lib/index.js";
import type { Source } from "../../../lib/data/index.js";
import { counted } from "./sample-sources.js";

let dir: string;
beforeAll(() => (dir = mkdtempSync(join(tmpdir(), "threads-"))));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const rows = 9000;
interface Row {
  readonly age: number | string | null;
  readonly city: string | null;
  readonly note: string;
  readonly tier: string | null;
}
const record = (i: number): Row => ({
  age: i % 11 === 3 ? null : 18 + ((i * 7) % 60) + (i % 4) / 4,
  city: i % 13 === 5 ? null : ["Lyon", "Paris", 'Aix, "en"', "Metz"][i % 4]!,
  note: `a text that nobody reads, number ${i}`,
  tier: ["free", "gold", "silver"][(i * 5 + (i % 7)) % 3]!,
});
const table = (damaged: Partial<Record<number, Partial<Row>>> = {}) =>
  Array.from({ length: rows }, (_, i) => ({ ...record(i), ...damaged[i] }));
const column = <Key extends keyof Row>(all: readonly Row[], key: Key) => all.map((row) => row[key]);
const isText = (all: readonly Row[]) => all.some(({ age }) => typeof age === "string");

const choices = {
  label: "tier",
  drop: ["note"],
  learn: 2000,
  numbers: { missing: "median", indicator: true, scale: "standard" },
  categories: { missing: "mostFrequent" },
} as const;
type Choices = Parameters<typeof data.csvStream>[1];

// Each format writes a table and opens it. Columns of Parquet and Arrow have one type: a text among numbers makes them a text.
const formats: Record<string, (all: readonly Row[], how: Choices) => Promise<Source>> = {
  CSV: (all, how) => {
    const cell = (value: string | number | null) => (value === null ? "" : /[",]/.test(String(value)) ? `"${String(value).replaceAll('"', '""')}"` : String(value)); // prettier-ignore
    const lines = all.map(({ age, city, note, tier }) => [age, city, note, tier].map(cell).join(","));
    writeFileSync(join(dir, "a.csv"), `age,city,note,tier\n${lines.join("\n")}\n`);
    return data.csvStream(join(dir, "a.csv"), how);
  },
  "JSON lines": (all, how) => {
    writeFileSync(join(dir, "a.jsonl"), all.map((row) => JSON.stringify(row)).join("\n"));
    return data.jsonLines(join(dir, "a.jsonl"), how);
  },
  Parquet: (all, how) => {
    const ages = isText(all)
      ? column(all, "age").map((age) => (age === null ? null : String(age)))
      : column(all, "age");
    const columnData = [
      { name: "age", data: ages, type: isText(all) ? ("STRING" as const) : ("DOUBLE" as const), nullable: true },
      { name: "city", data: column(all, "city"), type: "STRING" as const, nullable: true },
      { name: "note", data: column(all, "note"), type: "STRING" as const },
      { name: "tier", data: column(all, "tier"), type: "STRING" as const, nullable: true },
    ];
    writeFileSync(join(dir, "a.parquet"), new Uint8Array(parquetWriteBuffer({ columnData, rowGroupSize: 4000 })));
    return data.parquet(join(dir, "a.parquet"), how);
  },
  Arrow: (all, how) => {
    const ages = isText(all)
      ? column(all, "age").map((age) => (age === null ? null : String(age)))
      : column(all, "age");
    const columns = {
      age: ages as (number | null)[],
      city: column(all, "city"),
      note: column(all, "note"),
      tier: column(all, "tier"),
    };
    writeFileSync(join(dir, "a.arrow"), tableToIPC(tableFromArrays(columns), "file"));
    return data.arrow(join(dir, "a.arrow"), how);
  },
};

const samplesOf = async (source: Source, skip = 0, signal?: AbortSignal) => {
  const [x, y]: number[][] = [[], []];
  for await (const chunk of source.read({ seed: 0, epoch: 0, skip, signal })) {
    x!.push(...chunk.x.data);
    y!.push(...chunk.y.data);
  }
  return { x: x!, y: y! };
};

describe.each(Object.entries(formats))("a table of %s", (_, open) => {
  it("that is read in a thread has the samples of the same table in memory, from any row on", async () => {
    const source = await open(table(), choices);
    const text = table().slice(0, choices.learn).map(({ age, city, tier }) => `${age ?? ""},"${(city ?? "").replaceAll('"', '""')}",${tier}`);
    const { label, numbers, categories } = choices;
    const memory = await data.csv({ text: ["age,city,tier", ...text].join("\n") }, { label, numbers, categories });
    const { x, y } = await samplesOf(source);
    expect(y).toHaveLength(rows);
    expect(x.slice(0, memory.samples.x.data.length)).toEqual([...memory.samples.x.data]);
    expect(source.info).toEqual(memory.samples.info);
    const width = source.x.shape[0]!;
    for (const skip of [1, 4000, rows]) {
      const rest = await samplesOf(source, skip);
      expect(rest.y).toEqual(y.slice(skip));
      expect(rest.x).toEqual(x.slice(skip * width));
    }
  });

  it.each([
    ["a text among numbers", { age: "old" }, /column "age": expected a number, got "old"/, true],
    ["an unknown category", { city: "Rom" }, /column "city": "Rom" is not a known category/, true],
    ["an unknown label", { tier: "golden" }, /column "tier": "golden" is not one of the classes, did you mean "gold"/, false],
    ["no label", { tier: null }, /column "tier": the label is missing/, false],
  ] as const)("with %s names file and row, leaves it out, or fills it", async (_what, damage, says, fills) => {
    const damaged = table({ 7000: damage });
    const all = { ...choices, columns: { age: "number" } } as const;
    const reading = samplesOf(await open(damaged, all));
    await expect(reading).rejects.toThrow(ArgumentError);
    await expect(reading).rejects.toThrow(says);
    await expect(reading).rejects.toThrow(/a\.\w+", (line|row) 700[12]/);
    const skips = await open(damaged, { ...all, onError: "skip" });
    expect((await samplesOf(skips)).y).toHaveLength(rows - 1);
    expect([skips.skipped, skips.filled]).toEqual([1, 0]);
    const fill = await open(damaged, { ...all, onError: "fill" });
    const { x } = await samplesOf(fill);
    expect([fill.skipped, fill.filled]).toEqual(fills ? [0, 1] : [1, 0]);
    const missing = "age" in damage ? { age: null } : { city: null };
    if (fills) expect(x).toEqual((await samplesOf(await open(table({ 7000: missing }), all))).x);
  });
}); // prettier-ignore

describe("files that are damaged", () => {
  it.each([
    ["Arrow", "bad.arrow", (path: string) => data.arrow(path, { label: "a" })],
    ["Parquet", "bad.parquet", (path: string) => data.parquet(path, { label: "a" })],
  ])("of %s are told", async (_, name, open) => {
    writeFileSync(join(dir, name), "ARROW1 PAR1 this is neither");
    await expect(open(join(dir, name))).rejects.toThrow(CorruptFileError);
    await expect(open(join(dir, `no-${name}`))).rejects.toThrow(/cannot read .*ENOENT/);
  });
});

describe("reading in threads", () => {
  it("ends when it is aborted, and when nobody goes on", async () => {
    const source = await formats.CSV!(table(), choices);
    const control = new AbortController();
    const reading = (async () => {
      for await (const chunk of source.read({ seed: 0, epoch: 0, skip: 0, signal: control.signal })) {
        if (chunk.x.shape[0]! > 0) control.abort();
      }
    })();
    await expect(reading).rejects.toThrow(AbortedError);
    for await (const chunk of source.read({ seed: 0, epoch: 0, skip: 0 })) {
      expect(chunk.x.shape[0]).toBeGreaterThan(0);
      break;
    }
    expect((await samplesOf(source)).y).toHaveLength(rows);
  });

  // 240 MB of text, of which some are taken and then none: what is ahead of the reader must not grow.
  it("waits for a slow reader: memory stays as it is", { timeout: 120_000 }, async () => {
    const line = `${Array.from({ length: 40 }, (_, i) => `0.${i}123456789`).join(",")},1\n`;
    const path = join(dir, "long.csv");
    const header = `${Array.from({ length: 40 }, (_, i) => `f${i}`).join(",")},y\n`;
    writeFileSync(path, header + line.repeat(5e4));
    for (let i = 0; i < 9; i++) writeFileSync(path, line.repeat(5e4), { flag: "a" });
    const source = await data.csvStream(path, { label: "y", learn: 1000 });
    const chunks = source.read({ seed: 0, epoch: 0, skip: 0 })[Symbol.asyncIterator]();
    for (let i = 0; i < 5; i++) await chunks.next();
    const before = process.memoryUsage.rss();
    await new Promise((resolve) => setTimeout(resolve, 700));
    const after = process.memoryUsage.rss();
    let read = 0;
    for (let next = await chunks.next(); !next.done; next = await chunks.next()) read += next.value.x.shape[0]!;
    expect(read).toBeGreaterThan(4e5);
    expect(after - before).toBeLessThan(40e6); // all of its numbers are 82 MB, its text 240 MB
    rmSync(path);
  });

  it("changes samples by the function of a module, in order and from any sample on", async () => {
    const url = new URL("given/double.mjs", import.meta.url);
    const source = data.stream(counted(1000)).map(url, { name: "double", concurrency: 3 });
    const { x, y } = await samplesOf(source);
    const plain = counted(1000);
    expect(x).toEqual([...plain.x.data].map((value) => Math.fround(value * 2)));
    expect(y).toEqual([...plain.y.data].map((value, i) => value + i));
    for (const skip of [1, 128, 999]) expect((await samplesOf(source, skip)).y).toEqual(y.slice(skip));
    const bad = data.stream(counted(300, -5)).map(url, { name: "double" });
    await expect(samplesOf(bad)).rejects.toThrow(/a sample below 0/);
    expect(() => data.stream(counted(3)).map(url)).toThrow(/name must be a text/);
    const none = data.stream(counted(3)).map(new URL("given/none.mjs", import.meta.url), { name: "none" });
    await expect(samplesOf(none)).rejects.toThrow(/none\.mjs/);
  });
});

describe("the rule of a streamed table", () => {
  it("goes with the model, and the artifact takes raw rows", async () => {
    const source = await formats.CSV!(table(), choices);
    const model = nn.sequential(nn.linear(source.x.shape[0]!, 8), nn.tanh(), nn.linear(8, 3));
    await train.fit(model, source.shuffle(500), { loss: loss.crossEntropy(), optimizer: optim.adam({ lr: 0.01 }), batchSize: 64, steps: 20 }); // prettier-ignore
    await artifact.save(model, join(dir, "tiers"));
    const served = await artifact.load(join(dir, "tiers"));
    const raw = [3, 5, 8, 100].map((i) => record(i)).map(({ age, city }) => ({ age, city }));
    const wanted = (await samplesOf(source)).x;
    const width = source.x.shape[0]!;
    const features = Float32Array.from([3, 5, 8, 100].flatMap((i) => wanted.slice(i * width, (i + 1) * width)));
    const scores = await served.predict(array(features, [4, width]));
    expect([...(await served.predict(raw as never)).data]).toEqual([...scores.data]);
    expect(served.info.classes).toEqual(["free", "gold", "silver"]);
    served.dispose();
  });
});
