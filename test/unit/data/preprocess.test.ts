// Rules of tables: what is learned and from which rows, raw rows against definitions, and the sentences for rows that cannot be read.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { array, artifact, data, nn, type NdArray } from "../../../lib/index.js";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "athanor-preprocess-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** A model that gives its features back, saved with a rule: what `predict` makes of rows is what a model sees. */
async function echo(preprocessing: data.TablePreprocessing, features: number, classes?: string[]) {
  const path = join(folder, "echo");
  const input = { dtype: "f32", shape: [features] } as const;
  await artifact.save(nn.sequential(nn.flatten()), path, { input, preprocessing, classes });
  return artifact.load(path);
}

const table = "age,city,plan\n20,Lyon,free\n,Paris,gold\n40,,gold\n30,Lyon,free\n10,Nice,free\n";
const filled = { numbers: { missing: "median" }, categories: { missing: "category" } } as const;

describe("a table with missing cells", () => {
  it.each<[data.CsvOptions["numbers"] & object, number[]]>([
    [{ missing: "mean" }, [20, 25, 40, 30, 10]],
    [{ missing: "median" }, [20, 25, 40, 30, 10]],
    [{ missing: "mostFrequent" }, [20, 10, 40, 30, 10]],
    [{ missing: { constant: -1 } }, [20, -1, 40, 30, 10]],
    [{ missing: { constant: 0 }, scale: "minMax" }, [0.5, 0, 1, 0.75, 0.25]],
  ])("fills numbers by %j", async (numbers, want) => {
    const { samples } = await data.csv({ text: table }, { label: "plan", drop: ["city"], numbers });
    expect([...samples.x.data]).toEqual(want.map(Math.fround));
  });

  it("marks what was missing, and takes missing texts as a category, the most frequent one or a constant", async () => {
    const read = async (options: Partial<data.CsvOptions>) => {
      const { samples, features } = await data.csv({ text: table }, { label: "plan", ...filled, ...options });
      return { features, x: samples.x.toArray() };
    };
    expect(await read({ columns: { age: { type: "number", indicator: true } } })).toEqual({
      features: ["age", "age is missing", "city=Lyon", "city=Nice", "city=Paris", "city is missing"],
      x: [
        [20, 0, 1, 0, 0, 0],
        [25, 1, 0, 0, 1, 0],
        [40, 0, 0, 0, 0, 1],
        [30, 0, 1, 0, 0, 0],
        [10, 0, 0, 1, 0, 0],
      ],
    });
    for (const missing of ["mostFrequent", { constant: "Lyon" }] as const) {
      const { features, x } = await read({ categories: { missing }, drop: ["age"] });
      expect(features).toEqual(["city=Lyon", "city=Nice", "city=Paris"]);
      expect((x as number[][])[2]).toEqual([1, 0, 0]);
    }
  });

  it("learns fills, scales and vocabularies from the training rows alone", async () => {
    const rows = Array.from({ length: 20 }, (_, i) => `${i < 15 ? i : 1000},${i < 15 ? "a" : "b"},${i % 2}`);
    const text = `n,c,y\n${rows.join("\n")}\n`;
    const options = { label: "y", numbers: { scale: "standard" }, categories: { unknown: "ignore" } } as const;
    const { train, validation } = (await data.csv({ text }, options)).split({ validation: 5, shuffle: false });
    const deviation = Math.sqrt((15 * 15 - 1) / 12); // of 0 … 14
    expect(train.info.preprocessing).toBe(validation.info.preprocessing);
    expect(train.info.preprocessing).toMatchObject({
      columns: [{ scale: { offset: 7, divisor: deviation } }, { categories: ["a"] }],
    });
    expect(validation.x.toArray()).toEqual(Array(5).fill([Math.fround((1000 - 7) / deviation), 0]));
    const strict = (await data.csv({ text }, { label: "y" })).split.bind(await data.csv({ text }, { label: "y" }));
    expect(() => strict({ validation: 5, shuffle: false })).toThrow(
      'data.csv: line 17, column "c": "b" is not a known category (known: "a")',
    );
  });

  it.each<[string, string, Partial<data.CsvOptions>, string]>([
    ["missing numbers", "a,b\n1,2\n,3\n,4\n", { label: "b" }, 'column "a" is missing 2 of 3 cells, the first at line 3; say what they become, such as numbers: { missing: "median" }, or drop the column'],
    ["missing categories", "a,b\nx,2\n,3\n", { label: "b" }, 'column "a" is missing a cell, the first at line 3; say what they become, such as categories: { missing: "category" }'],
    ["a missing label", "a,b\n1,2\n3,\n", { label: "b" }, 'the label "b" is missing at line 3'],
    ["numbers and text in one column", "a,b\n1,2\nn/a,3\n", { label: "b" }, 'column "a" mixes numbers (1 at line 2) and text ("n/a" at line 3); say what stands for a missing cell, missingCells: ["", "n/a"], or that all are categories, columns: { "a": "category" }'],
    ["text in a column said to be numbers", "a,b\n1,2\nx,3\n", { label: "b", columns: { a: "number" } }, 'expected a number in column "a" at line 3, got "x"'],
    ["a column without a value", "a,b\n,2\n,3\n", { label: "b", numbers: { missing: "mean" } }, 'column "a" has no value in the 2 training rows'],
    ["a constant that is no category", "a,b\nx,2\n,3\n", { label: "b", categories: { missing: { constant: "y" } } }, 'the constant "y" is not one of its categories ("x")'],
    ["two columns of one name", "a,a,b\n1,2,3\n", { label: "b" }, 'two columns are called "a"'],
    ["a text column with a value a row", `a,b\n${Array.from({ length: 150 }, (_, i) => `name ${i},1`).join("\n")}\n`, { label: "b" }, 'column "a" has 150 different texts in 150 rows, too many to take it for categories; drop it'],
    ["a rule for the label", "a,b\n1,2\n", { label: "b", columns: { b: "number" } }, 'columns names "b", which is the label or dropped'],
    ["a rule for no column", "age,b\n1,2\n", { label: "b", columns: { aeg: "number" } }, 'there is no column "aeg", did you mean "age"?'],
    ["a rule that is none", "a,b\n1,2\n", { label: "b", numbers: { missing: "zero" as never } }, 'numbers: missing must be "mean", "median", "mostFrequent", "error" or { constant: 0 }, got "zero"'],
    ["a misspelt rule", "a,b\n1,2\n", { label: "b", numbers: { scal: "standard" } as never }, 'unknown option "scal", did you mean "scale"?'],
    ["unknown as missing without a rule", "a,b\nx,2\n", { label: "b", categories: { unknown: "missing" } }, 'unknown: "missing" needs a rule for missing cells'],
  ])("explains %s", async (_, text, options, message) => {
    const read = async () => (await data.csv({ text }, options as data.CsvOptions)).samples;
    await expect(read()).rejects.toThrow(`data.csv: `);
    await expect(read()).rejects.toThrow(message);
  }); // prettier-ignore
});

describe("raw rows", () => {
  const served = async () => echo((await data.csv({ text: table }, { label: "plan", ...filled })).preprocessing, 5);

  it("are read by the saved rule, one or many, at once or off the loop; null is missing", async () => {
    using model = await served();
    const rows = [
      { age: 7.5, city: "Nice" },
      { city: null, age: null },
    ];
    const want = [
      [7.5, 0, 1, 0, 0],
      [25, 0, 0, 0, 1],
    ];
    expect((await model.predict(rows)).toArray()).toEqual(want);
    expect(model.predictSync(rows).toArray()).toEqual(want);
    expect((await model.predict(rows[0]!)).toArray()).toEqual([want[0]]);
    expect((await model.predict(array(Float32Array.from(want.flat()), [2, 5]))).toArray()).toEqual(want);
    expect((await model.predict(await data.csvRows({ text: table }, model.info))).shape).toEqual([5, 5]);
  });

  it.each<[string, unknown, string]>([
    ["an unknown category", { age: 1, city: "Niece" }, 'predict: the row, column "city": "Niece" is not a known category, did you mean "Nice"? (known: "Lyon", "Nice", "Paris")'],
    ["an unknown category in a list", [{ age: 1, city: "Nice" }, { age: 1, city: "Rome" }], 'predict: row 1, column "city": "Rome" is not a known category (known: "Lyon", "Nice", "Paris")'],
    ["a missing column", { age: 1 }, 'predict: the row has no column "city"; the columns are "age", "city"; write null for a missing cell'],
    ["a misspelt column", { age: 1, City: "Lyon" }, 'predict: the row has no column "city" (it has "City")'],
    ["an undefined cell", { age: undefined, city: "Lyon" }, 'predict: the row has no column "age"'],
    ["a column too many", { age: 1, city: "Lyon", plan: "gold" }, 'predict: the row has a column "plan" that the model does not know; leave it out'],
    ["a text for a number", { age: "41", city: "Lyon" }, 'predict: the row, column "age": expected a number (null if it is missing), got "41"; write it without quotes'],
    ["a flag for a number", { age: true, city: "Lyon" }, "expected a number (null if it is missing), got true"],
    ["NaN", { age: NaN, city: "Lyon" }, "expected a number (null if it is missing), got NaN"],
    ["Infinity", { age: Infinity, city: "Lyon" }, "got Infinity"],
    ["an object for a text", { age: 1, city: { name: "Lyon" } }, 'column "city": expected a text (null if it is missing), got {"name":"Lyon"}'],
    ["a number that is no category", { age: 1, city: 3 }, 'column "city": "3" is not a known category'],
    ["a row that is null", [null], "predict: the row is not a row: expected an object"],
    ["a list in a list", [[1, "Lyon"]], "got an array"],
    ["no rows", [], "predict: expected at least one row, got none"],
    ["a number", 3, "predict: the row is not a row: expected an object such as { \"age\": … }, got 3"],
  ])("that cannot be read: %s", async (_, rows, message) => {
    using model = await served();
    await expect(model.predict(rows as never)).rejects.toMatchObject({ code: "ERR_ATHANOR_ARGUMENT" });
    await expect(model.predict(rows as never)).rejects.toThrow(message);
    expect(() => model.predictSync(rows as never)).toThrow(message.replace(/^predict:/, "predictSync:"));
  }); // prettier-ignore

  it("need a rule: without one the sentence says what to give", async () => {
    const path = join(folder, "plain");
    await artifact.save(nn.linear(2, 2), path, { input: { dtype: "f32", shape: [2] } });
    using model = await artifact.load(path);
    await expect(model.predict({ age: 1 })).rejects.toThrow(
      "predict: expected an array made by array(values, [batch, 2]), got an object; raw rows take a model that was trained on a table read by data.csv",
    );
    await expect(model.predict([1, 2] as never)).rejects.toThrow("got a plain array");
    await expect(model.predict(Float32Array.of(1, 2) as never)).rejects.toThrow("got a Float32Array");
  });

  it("come in any number without holding up other work", async () => {
    using model = await served();
    const rows = Array.from({ length: 60_000 }, (_, i) => ({ age: i % 90, city: i % 2 ? "Lyon" : "Nice" }));
    let [longest, last] = [0, performance.now()];
    const timer = setInterval(() => {
      const now = performance.now();
      [longest, last] = [Math.max(longest, now - last), now];
    }, 1);
    const y = await model.predict(rows);
    clearInterval(timer);
    expect(y.shape).toEqual([60_000, 5]);
    expect([...y.data.slice(-5)]).toEqual([59_999 % 90, 1, 0, 0, 0]);
    expect(longest).toBeGreaterThan(0);
  });
});

describe("classes", () => {
  const scores = (rows: number[][]): NdArray => array(Float32Array.from(rows.flat()), [rows.length, rows[0]!.length]);

  it("are named with their probabilities: softmax of scores", async () => {
    const rule = (await data.csv({ text: "a,b,y\n1,2,3\n" }, { label: "y" })).preprocessing;
    using model = await echo(rule, 2, ["no", "yes"]);
    const sure = 1 / (1 + Math.exp(-1));
    const near = (probability: number) => expect.closeTo(probability, 12) as number;
    expect(await model.classify({ a: 3, b: 4 })).toEqual({ class: "yes", probability: near(sure) });
    expect(await model.classify({ a: 3, b: 4 }, { top: 5 })).toEqual([
      { class: "yes", probability: near(sure) },
      { class: "no", probability: near(1 - sure) },
    ]);
    expect(await model.classify([{ a: 1000, b: -1000 }])).toEqual([{ class: "no", probability: 1 }]);
    expect(await model.classify(scores([[1, 0], [0, 1]]), { top: 1 })).toEqual([
      [{ class: "no", probability: near(sure) }],
      [{ class: "yes", probability: near(sure) }],
    ]); // prettier-ignore
    await expect(model.classify({ a: 1, b: 2 }, { top: 0 })).rejects.toThrow("top");
    await expect(model.classify({ a: 1, b: 2 }, { output: "z" })).rejects.toThrow(
      'there is no output "z"; outputs: "y"',
    );
  });

  it("of a model that ends in softmax or sigmoid are its probabilities as they are", async () => {
    const path = join(folder, "soft");
    const input = { dtype: "f32", shape: [2] } as const;
    await artifact.save(nn.sequential(nn.softmax()), path, { input, classes: ["a", "b"] });
    using soft = await artifact.load(path);
    expect(soft.info.scores).toBe("probabilities");
    expect(await soft.classify(scores([[0, 0]]))).toEqual([{ class: "a", probability: 0.5 }]);
    const one = { dtype: "f32", shape: [1] } as const;
    for (const last of [nn.sigmoid(), nn.flatten()]) {
      await artifact.save(nn.sequential(last), path, { input: one, classes: ["no", "yes"] });
      using binary = await artifact.load(path);
      const [answer] = await binary.classify(scores([[2]]));
      expect(answer).toEqual({ class: "yes", probability: expect.closeTo(1 / (1 + Math.exp(-2)), 6) as number });
    }
    await artifact.save(nn.sequential(nn.flatten()), path, { input, task: "regression" });
    using numbers = await artifact.load(path);
    await expect(numbers.classify(scores([[1, 2]]))).rejects.toThrow("its task is regression");
  });
});

// A table drawn at random, with the rule for each column.
const cellsOfNumbers = fc.array(
  fc.option(
    fc.integer({ min: -1e6, max: 1e6 }).map((n) => n / 16),
    { freq: 4 },
  ),
  {
    minLength: 4,
    maxLength: 4,
  },
);
const cellsOfTexts = fc.array(fc.option(fc.constantFrom("a", "b", "é, ü", '"q"', "__proto__"), { freq: 4 }), {
  minLength: 4,
  maxLength: 4,
});
const quoted = (cell: string) => `"${cell.replaceAll('"', '""')}"`;

describe("learned, saved, loaded, applied", () => {
  it("gives what definitions in float64 give, for any table", { timeout: 120_000 }, async () => {
    const rules = fc.constantFrom("mean", "median", "mostFrequent");
    const scales = fc.constantFrom("none", "standard", "minMax");
    await fc.assert(
      fc.asyncProperty(cellsOfNumbers, cellsOfTexts, rules, scales, fc.boolean(), async (numbers, texts, missing, scale, indicator) => {
        fc.pre(numbers.some((cell) => cell !== null) && texts.some((cell) => cell !== null));
        const lines = numbers.map((n, i) => `${n ?? ""},${texts[i] === null ? "" : quoted(texts[i]!)},1`);
        const options = { label: "y", numbers: { missing, scale, indicator }, categories: { missing: "category" } } as const;
        const read = await data.csv({ text: `n,t,y\n${lines.join("\n")}\n` }, options);
        using model = await echo(read.preprocessing, read.features.length);
        const got = await model.predict(numbers.map((n, i) => ({ n, t: texts[i]! })));
        expect(got.data).toEqual(read.samples.x.data);
        const want = reference(numbers, texts, missing, scale, indicator);
        expect(got.shape).toEqual([4, want[0]!.length]);
        want.flat().forEach((value, i) => expect(Math.abs(got.data[i]! - value)).toBeLessThanOrEqual(1e-6 * Math.max(1, Math.abs(value))));
      }),
      { numRuns: 60 },
    );
  }); // prettier-ignore
});

function reference(
  numbers: (number | null)[],
  texts: (string | null)[],
  missing: string,
  scale: string,
  indicator: boolean,
) {
  const present = numbers.filter((n) => n !== null).sort((a, b) => a - b);
  const middle = (present[Math.floor((present.length - 1) / 2)]! + present[Math.ceil((present.length - 1) / 2)]!) / 2;
  const counts = present.map((n) => present.filter((other) => other === n).length);
  const common = present[counts.indexOf(Math.max(...counts))]!;
  const fill = missing === "mean" ? present.reduce((a, b) => a + b) / present.length : missing === "median" ? middle : common;
  const all = numbers.map((n) => n ?? fill);
  const mean = all.reduce((a, b) => a + b) / 4;
  const deviation = Math.sqrt(all.reduce((sum, n) => sum + (n - mean) ** 2, 0) / 4);
  const constant = all.every((n) => n === all[0]);
  const least = Math.min(...all);
  const scaled = all.map((n) => {
    if (scale === "standard") return constant ? 0 : (n - mean) / deviation;
    return scale === "minMax" ? (constant ? 0 : (n - least) / (Math.max(...all) - least)) : n;
  });
  const known = [...new Set(texts.filter((t) => t !== null))].sort();
  return scaled.map((value, i) => [
    value,
    ...(indicator ? [Number(numbers[i] === null)] : []),
    ...known.map((t) => Number(texts[i] === t)),
    Number(texts[i] === null),
  ]);
} // prettier-ignore
