// From tables and images to compressed models that answer, by the command line alone.
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encode } from "fast-png";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { athanor, athanorWith, customers } from "./command-line.js";

let folder: string;
const at = (name: string) => join(folder, name);
// eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- says what the caller expects
const read = <T>(text: string) => JSON.parse(text) as T;

interface Measured {
  readonly results: readonly { readonly accuracy?: number; readonly r2?: number; readonly bytes: number }[];
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "cli-workflow-"));
  await writeFile(at("customers.csv"), customers());
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe("a table of customers", () => {
  test("is trained on, pruned, quantized and answered for, without a line of code", { timeout: 300_000 }, async () => {
    const table = at("customers.csv");
    const trained = await athanor("train", table, "--label", "tier", "-o", at("tier"), "--quiet");
    expect(trained).toMatchObject({ status: 0, err: "" });
    expect(trained.out).toContain("learned to tell 3 classes (free, gold, silver)");

    const pruned = await athanor("prune", at("tier"), "-o", at("small"), "--data", table, "--amount", "0.8", "--quiet");
    expect(pruned).toMatchObject({ status: 0, err: "" });
    expect(pruned.out).toMatch(/79\.99 % of the weights are zero; \d+\.\d+ % became \d+\.\d+ % on the test part/);

    // 2,227 of 2,784. Straight on from the packed model.
    const quantized = await athanor("quantize", at("small"), "-o", at("tiny"), "--data", table, "--quiet", "--json");
    expect(quantized).toMatchObject({ status: 0, err: "" });
    expect(read<{ collapsed: boolean; after: { accuracy: number } }>(quantized.out)).toMatchObject({
      collapsed: false,
    });

    const measured = await athanor("eval", at("tier"), at("small"), at("tiny"), "--data", table, "--json");
    const { results } = read<Measured>(measured.out);
    for (const { accuracy } of results) expect(accuracy).toBeGreaterThan(0.8);
    expect(results[1]!.bytes).toBeLessThan(results[0]!.bytes / 1.5);

    // Zeros stay zero in few bits.
    const about = await athanor("inspect", at("tiny"), "--json");
    const { weights, info } = read<{ weights: { name: string; kind: string; nonzero: number; elements: number }[]; info: { classes: string[] } }>(about.out); // prettier-ignore
    const matrices = weights.filter(({ name }) => name.endsWith("weight"));
    expect(new Set(matrices.map(({ kind }) => kind))).toEqual(new Set(["int8"]));
    const share = matrices.reduce((sum, { nonzero }) => sum + nonzero, 0) / matrices.reduce((sum, { elements }) => sum + elements, 0); // prettier-ignore
    expect(share).toBeLessThanOrEqual(0.2001);
    expect(info.classes).toEqual(["free", "gold", "silver"]);
  });

  test("rows are answered from CSV, JSON and JSON lines, alike", { timeout: 120_000 }, async () => {
    const row = { age: 30, income: 70_000, visits: 25, city: "Paris", device: "mobile" };
    const csv = "device;city;visits;income;age\r\nmobile;Paris;25;70000;30\r\n;;;;\r\n";
    const fromCsv = await athanorWith(csv, "predict", at("tiny"), "--format", "json");
    const fromJson = await athanorWith(JSON.stringify([row, { age: null, income: null, visits: null, city: null, device: null }]), "predict", at("tiny"), "-", "--format", "json"); // prettier-ignore
    expect(fromCsv).toMatchObject({ status: 0, err: "" });
    expect(fromJson.out).toBe(fromCsv.out);
    const [first, second] = read<{ row: number; class: string; probability: number }[]>(fromCsv.out);
    expect(first).toMatchObject({ row: 1, class: "gold" });
    expect(second!.row).toBe(2); // a row with nothing known is answered too, by the saved rule
    const three = await athanorWith(`${JSON.stringify(row)}\n${JSON.stringify(row)}\n`, "predict", at("tiny"), "--top", "3", "--format", "jsonl"); // prettier-ignore
    const lines = three.out.trim().split("\n").map((line) => read<Record<string, number>>(line)); // prettier-ignore
    expect(lines).toHaveLength(2);
    expect(lines[0]!.probability! + lines[0]!["probability 2"]! + lines[0]!["probability 3"]!).toBeCloseTo(1, 4);
  });

  test("a city that training never saw is no error; a column that is missing is", { timeout: 60_000 }, async () => {
    const known = await athanorWith('{ "age": 30, "income": 1, "visits": 2, "city": "Rome", "device": "mobile" }', "predict", at("tiny")); // prettier-ignore
    expect(known.out).toMatch(/^row,class,probability\n1,free,/);
    const missing = await athanorWith("age,income,visits,device\n1,2,3,mobile\n", "predict", at("tiny"));
    expect(missing.status).toBe(1);
    expect(missing.err).toContain('there is no column "city"');
  });
});

describe("other data", () => {
  test("numbers are learned, whatever their unit, and compressed", { timeout: 300_000 }, async () => {
    const rows = Array.from({ length: 300 }, (_, i) => {
      const [size, city] = [20 + ((i * 37) % 180), ["Lyon", "Paris"][i % 2]!];
      return `${size},${city},${size * 3000 + (i % 2) * 90_000}`;
    });
    await writeFile(at("houses.csv"), `size,city,price\n${rows.join("\n")}\n`);
    const data = ["--data", at("houses.csv")];
    const trained = await athanor("train", at("houses.csv"), "-l", "price", "-o", at("price"), "--lr", "0.01", "-q", "--json"); // prettier-ignore
    expect(read<{ quality: { r2: number } }>(trained.out).quality.r2).toBeGreaterThan(0.95);
    expect(await athanor("prune", at("price"), "-o", at("price-s"), ...data, "-a", "0.5", "-q")).toMatchObject({ status: 0, err: "" }); // prettier-ignore
    expect(await athanor("distill", at("price"), at("price-s"), "-o", at("price-d"), ...data, "-q", "-e", "2")).toMatchObject({ status: 0, err: "" }); // prettier-ignore
    const { out } = await athanor("eval", at("price"), at("price-s"), at("price-d"), ...data, "--json");
    for (const { r2 } of read<Measured>(out).results) expect(r2).toBeGreaterThan(0.9);
    const answer = await athanorWith("size,city\n100,Lyon\n", "predict", at("price"));
    expect(Number(answer.out.split("\n")[1]!.split(",")[1])).toBeGreaterThan(200_000);
  });

  test("classes that are written as numbers are classes in every command", { timeout: 300_000 }, async () => {
    const rows = Array.from({ length: 250 }, (_, i) => `${2 * (i % 10) - 9},${(i * 7) % 11},${i % 10}`);
    await writeFile(at("digits.csv"), `a,b,digit\n${rows.join("\n")}\n`);
    const data = ["--data", at("digits.csv")];
    const trained = await athanor("train", at("digits.csv"), "-l", "digit", "-o", at("digits"), "--lr", "0.01", "-q", "--json"); // prettier-ignore
    expect(read<{ classes: string[] }>(trained.out).classes).toEqual(Array.from({ length: 10 }, (_, i) => String(i)));
    expect(await athanor("prune", at("digits"), "-o", at("digits-s"), ...data, "-a", "0.5", "--lr", "0.01", "-q")).toMatchObject({ status: 0, err: "" }); // prettier-ignore
    expect(await athanor("quantize", at("digits-s"), "-o", at("digits-q"), ...data, "--activations", "static", "-q")).toMatchObject({ status: 0, err: "" }); // prettier-ignore
    for (const command of ["prune", "quantize"]) {
      const again = await athanor(command, at("digits-q"), "-o", at("again"), ...data);
      expect(again.status).not.toBe(0);
      expect(again.err).toContain(
        `${command}: ${at("digits-q")} holds quantized weights; ${command} the artifact that it was made of`,
      );
    }
    const told = await athanor(
      "quantize",
      at("digits-s"),
      "-o",
      at("digits-t"),
      ...data,
      "--activations",
      "dynamic",
      "-q",
    );
    expect(told.out).toMatch(/weight +scheme +methods/);
    expect(told.out).toContain("its inputs stay floats, as");
    expect(await athanor("distill", at("digits"), at("digits-s"), "-o", at("digits-d"), ...data, "-q", "-e", "2")).toMatchObject({ status: 0 }); // prettier-ignore
    const { out } = await athanor("eval", at("digits"), at("digits-s"), at("digits-q"), at("digits-d"), ...data, "--json"); // prettier-ignore
    for (const { accuracy } of read<Measured>(out).results) expect(accuracy).toBeGreaterThan(0.9);
  });

  test("a folder of images is learned, by the names of its folders", { timeout: 300_000 }, async () => {
    for (const [name, across] of [["lying", true], ["standing", false]] as const) {
      await mkdir(at(`photos/${name}`), { recursive: true });
      for (let i = 0; i < 40; i++) {
        const data = Uint8Array.from({ length: 12 * 12 * 3 }, (_, p) => {
          const [y, x] = [Math.floor(p / 36), Math.floor(p / 3) % 12];
          return (across ? y : x) === i % 12 ? 255 : (p * 31 + i * 17) % 60;
        });
        await writeFile(at(`photos/${name}/${i}.png`), encode({ width: 12, height: 12, channels: 3, depth: 8, data }));
      }
    } // prettier-ignore
    const trained = await athanor("train", at("photos"), "-o", at("bars"), "-q", "--epochs", "30", "--json");
    expect(trained).toMatchObject({ status: 0, err: "" });
    expect(read<{ quality: { accuracy: number } }>(trained.out).quality.accuracy).toBeGreaterThan(0.9);
    const answers = await athanor("predict", at("bars"), at("photos/lying"), "--format", "json");
    const found = read<{ file: string; class: string }[]>(answers.out);
    expect(found).toHaveLength(40);
    expect(found.filter((one) => one.class === "lying").length).toBeGreaterThan(36);
    expect((await readFile(found[0]!.file)).subarray(1, 4).toString()).toBe("PNG");
  });
});
