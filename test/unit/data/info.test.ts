// What is known of a model: where it comes from, that every step and every file keeps it, and what is refused.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  array,
  artifact,
  compile,
  data,
  distill,
  loss,
  metrics,
  nn,
  optim,
  prune,
  quantize,
  seed,
  train,
  type NdArray,
  type Tensor,
} from "../../../lib/index.js";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "athanor-info-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

// 120 customers whose plan follows from age and city; every seventh age and every eleventh city is missing.
const lines = Array.from({ length: 120 }, (_, i) => {
  const [age, city] = [20 + ((i * 37) % 50), ["Lyon", "Paris", "Nice"][i % 3]!];
  const plan = age > 45 ? "gold" : city === "Lyon" ? "silver" : "free";
  return `${i % 7 === 3 ? "" : age},${i % 11 === 5 ? "" : city},${plan}`;
});
const text = `age,city,plan\n${lines.join("\n")}\n`;
const options = {
  label: "plan",
  numbers: { missing: "median", scale: "standard" },
  categories: { missing: "category", unknown: "ignore" },
} as const;

const recipe = { loss: loss.crossEntropy(), optimizer: optim.adam({ lr: 1e-2 }), batchSize: 32, epochs: 3, seed: 1 };

async function trained() {
  const { train: training, validation } = (await data.csv({ text }, options)).split({ validation: 20, seed: 3 });
  seed(1);
  const model = nn.sequential(nn.linear(5, 64), nn.relu(), nn.linear(64, 3));
  await train.fit(model, training, {
    ...recipe,
    validate: { on: validation, metrics: { accuracy: metrics.accuracy() } },
  });
  model.setInfo({ metadata: { author: "me" } });
  return { model, training };
}

describe("what training notes", () => {
  it("is what the samples say, the metrics of the last validation, and the run", async () => {
    const { model, training } = await trained();
    const { info } = model;
    expect(info.task).toBe("classification");
    expect(info.classes).toEqual(["free", "gold", "silver"]);
    expect(info.preprocessing).toEqual({ x: training.info.preprocessing });
    expect(Object.keys(info.metrics!).sort()).toEqual(["val.accuracy", "val.loss"]);
    const [run] = info.provenance!;
    expect(run).toMatchObject({
      step: "train",
      options: { loss: "crossEntropy", optimizer: { name: "adam", lr: 0.01 }, batchSize: 32, steps: 12, samples: 100 },
      metrics: info.metrics,
    });
    expect(Number.isNaN(Date.parse(run!.date))).toBe(false);
  });

  it("is put back where a run cannot begin", async () => {
    const { training } = await trained();
    const wrong = nn.linear(4, 3);
    await expect(train.fit(wrong, training, recipe)).rejects.toThrow(/5/);
    expect(wrong.info).toEqual({});
  });

  it("refuses samples that are read by another rule, in training and evaluation", async () => {
    const { model } = await trained();
    const other = (await data.csv({ text }, options)).split({ validation: 20, seed: 4 }).train;
    await expect(train.fit(model, other, recipe)).rejects.toThrow(/read by another rule than the model was trained on/);
    await expect(train.evaluate(model, other)).rejects.toThrow(/data\.csv\(file, \{ label, info: model\.info \}\)/);
    const again = (await data.csv({ text }, { label: "plan", info: model.info })).samples;
    expect(again.info.preprocessing).toEqual(model.info.preprocessing!.x);
    await train.fit(model, again, recipe);
  });
});

type Step = (model: nn.Sequential, training: data.Dataset) => Promise<nn.Module>;
const steps: [string, Step][] = [
  ["clone", (model) => Promise.resolve(model.clone())],
  ["prune", (model) => prune(model, { amount: 0.5 })],
  ["prune while training", (model, set) => prune(model, { amount: 0.5, during: { data: set, ...recipe } })],
  ["prune.pack", async (model) => prune.pack(await prune(model, { amount: 0.9 }))],
  ["structured", (model) => prune(model, { structured: "neurons", amount: 0.5 })],
  ["prune.plan", (model) => Promise.resolve(prune.plan(model, { structured: "neurons", amount: 0.5 }).apply())],
  ["int8", (model) => quantize(model, quantize.int8())],
  ["int8 with integer activations", (model, set) => quantize(model, quantize.int8({ activations: "static" }), { integers: "all", calibrate: set })],
  ["int4", (model) => quantize(model, quantize.int4())],
  ["nf4", (model) => quantize(model, quantize.nf4())],
  ["k-means", (model) => quantize(model, quantize.kmeans())],
  ["fake quantization", async (model) => quantize.convert(await quantize.prepare(model, quantize.int8()))],
  ["loadModel", async (model) => {
    await artifact.save(model, join(folder, "between"));
    return artifact.loadModel(join(folder, "between"));
  }],
  ["a student of it", async (teacher, set) => {
    const student = nn.sequential(nn.linear(5, 8), nn.relu(), nn.linear(8, 3));
    const plain = data.fromArrays({ x: set.x, y: set.y });
    await train.fit(student, plain, { ...recipe, distill: distill.kd({ teacher, temperature: 2, alpha: 0.5 }) });
    return student.setInfo({ metadata: teacher.info.metadata });
  }],
  ["a student of a loaded artifact", async (model, set) => {
    await artifact.save(model, join(folder, "teacher"));
    using teacher = await artifact.load(join(folder, "teacher"));
    const student = nn.sequential(nn.linear(5, 8), nn.relu(), nn.linear(8, 3));
    const plain = data.fromArrays({ x: set.x, y: set.y });
    await train.fit(student, plain, { ...recipe, distill: distill.kd({ teacher, temperature: 2, alpha: 0.5 }) });
    return student.setInfo({ metadata: teacher.info.metadata });
  }],
]; // prettier-ignore

describe("everything that is known survives", () => {
  it.each(steps)("%s, and saving, loading, loadModel and saving again after it", async (name, step) => {
    const { model, training } = await trained();
    const made = await step(model, training);
    const { task, classes, preprocessing, metadata } = model.info;
    const kept = { task, classes, preprocessing, metadata };
    expect(made.info).toMatchObject(kept);
    const noted = made.info.provenance!.map((record) => record.step);
    if (!name.includes("student")) expect(noted[0]).toBe("train");
    const path = join(folder, "saved");
    await artifact.save(made, path);
    using served = await artifact.load(path);
    expect(served.info).toEqual(made.info);
    const again = await artifact.loadModel(path);
    await artifact.save(again, join(folder, "again"));
    using last = await artifact.load(join(folder, "again"));
    expect(last.info).toEqual(made.info);
    const rows = [
      { age: 30, city: "Nice" },
      { age: null, city: null },
      { age: 70, city: "Rome" },
    ];
    const scores = await served.predict(rows);
    expect(scores.shape).toEqual([3, 3]);
    expect((await last.predict(rows)).data).toEqual(scores.data);
    const answers = await served.classify(rows);
    expect(answers.every(({ class: plan }) => classes!.includes(plan))).toBe(true);
  });

  it("compression notes itself and takes metrics away that no longer hold", async () => {
    const { model } = await trained();
    const small = await quantize(
      await prune(model, { amount: 0.5, criterion: prune.l2 }),
      quantize.int4({ group: 32 }),
    );
    expect(small.info.metrics).toBeUndefined();
    expect(small.info.provenance!.map(({ step }) => step)).toEqual(["train", "prune", "quantize"]);
    expect(small.info.provenance![1]!.options).toEqual({ amount: 0.5, criterion: "l2" });
    expect(small.info.provenance![0]!.metrics).toEqual(model.info.metrics);
    expect(model.info.provenance).toHaveLength(1);
  });

  it("has the date that the environment fixes", async () => {
    process.env.SOURCE_DATE_EPOCH = "1700000000";
    try {
      const { model } = await trained();
      expect(model.info.provenance![0]!.date).toBe("2023-11-14T22:13:20.000Z");
    } finally {
      delete process.env.SOURCE_DATE_EPOCH;
    }
  });
});

describe("what is said of a model", () => {
  const refused: [string, artifact.InfoOptions, RegExp][] = [
    ["an unknown field", { clases: ["a"] } as never, /unknown option "clases", did you mean "classes"\?/],
    ["a class twice", { classes: ["a", "b", "a"] }, /classes has "a" twice/],
    ["classes that are numbers", { classes: [0, 1] as never }, /classes must be a list of names/],
    ["a regression with classes", { task: "regression", classes: ["a", "b"] }, /has the task "classification"/],
    ["another task", { task: "ranking" as never }, /task must be "classification" or "regression", got "ranking"/],
    ["metrics that are none", { metrics: { accuracy: NaN } }, /metrics\.accuracy must be a finite number, got NaN/],
    ["metadata that is no text", { metadata: { epoch: 3 } as never }, /metadata "epoch" must be text, got 3/],
    ["a rule of another kind", { preprocessing: { kind: "scale" } as never }, /"table" or "normalize", got "scale"/],
    ["a rule that divides by 0", { preprocessing: { kind: "normalize", divide: 0 } }, /divide must be a number above 0, got 0/],
    ["a deviation of 0", { preprocessing: { kind: "normalize", deviation: [1, 0] } }, /deviation must be a list of finite numbers above 0/],
  ]; // prettier-ignore
  it.each(refused)("refuses %s, in setInfo and in save, alike", async (_, info, message) => {
    const model = nn.linear(4, 3);
    expect(() => model.setInfo(info)).toThrow(message);
    const input = { dtype: "f32", shape: [4] } as const;
    await expect(artifact.save(model, join(folder, "refused"), { input, ...info })).rejects.toThrow(message);
    expect(model.info).toEqual({});
  });

  const unfit: [string, artifact.InfoOptions, RegExp][] = [
    ["other classes than columns", { classes: ["a", "b"] }, /there are 2 classes, the model's result "y" has 3 columns/],
    ["a rule for another input", { preprocessing: { z: { kind: "normalize", divide: 2 } } }, /preprocessing for "z", the model has the inputs "x"/],
    ["an output that is none", { outputs: { price: {} } }, /something is said of the output "price", the model has "y"/],
    ["a table of other features", { preprocessing: { kind: "table", columns: [{ name: "a", type: "number", missing: "error" }] } }, /makes rows of 1 features, the model takes f32 \[4\]/],
  ]; // prettier-ignore
  it.each(unfit)("is not saved if it does not fit: %s", async (_, info, message) => {
    const input = { dtype: "f32", shape: [4] } as const;
    await expect(artifact.save(nn.linear(4, 3), join(folder, "unfit"), { input, ...info })).rejects.toThrow(message);
  });
});

describe("several inputs and results", () => {
  class Offer extends nn.Module<{ plan: Tensor; price: Tensor }> {
    image = nn.linear(6, 8);
    meta = nn.linear(3, 8);
    plan = nn.linear(8, 2);
    price = nn.linear(8, 1);
    forward(image: Tensor, meta: Tensor) {
      const h = this.image.forward(image).add(this.meta.forward(meta)).relu(); // (N, 8)
      return { plan: this.plan.forward(h), price: this.price.forward(h) };
    }
  }
  const table = "age,city\n20,Lyon\n40,Nice\n";
  type Result = { plan: NdArray; price: NdArray };

  async function saved(name: string) {
    seed(2);
    const rule = (await data.csv({ text: table.replaceAll("\n", ",1\n").replace(",1", ",y") }, { label: "y" }))
      .preprocessing;
    const model = new Offer().setInfo({
      outputs: { plan: { task: "classification", classes: ["free", "gold"] }, price: { task: "regression" } },
      preprocessing: { image: { kind: "normalize", divide: 255 }, meta: rule },
    });
    const inputs = { image: { dtype: "u8", shape: [6] }, meta: { dtype: "f32", shape: [3] } } as const;
    await artifact.save(model, join(folder, name), { inputs });
    return model;
  }
  const images = array(Uint8Array.from({ length: 12 }, (_, i) => i * 20), [2, 6]); // prettier-ignore
  const meta = [
    { age: 20, city: "Lyon" },
    { age: 40, city: "Nice" },
  ];

  it("are saved, loaded and served by name, each with its own rule", async () => {
    const model = await saved("offer");
    using served = await artifact.load<Result>(join(folder, "offer"));
    expect(served.inputs.map(({ name }) => name)).toEqual(["image", "meta"]);
    expect(served.outputs).toEqual(["plan", "price"]);
    const got = await served.predict({ image: images, meta });
    const x = array(Float32Array.from(images.data, (byte) => Math.fround(byte / 255)), [2, 6]); // prettier-ignore
    const want = compile((a: Tensor, b: Tensor) => model.forward(a, b)).runSync(x, array([20, 1, 0, 40, 0, 1], [2, 3]));
    for (const name of ["plan", "price"] as const) {
      expect(got[name].shape).toEqual(want[name].shape);
      expect(got[name].data).toEqual(want[name].data);
    }
    const answers = await served.classify({ image: images, meta }, { output: "plan" });
    expect(answers.map(({ class: plan }) => plan)).toHaveLength(2);
    await expect(served.classify({ image: images, meta }, { output: "price" })).rejects.toThrow(/gives numbers/);
    const one = served.predictSync({ image: array(images.data.slice(0, 6), [1, 6]), meta: meta[0]! });
    expect([...one.plan.data].map(Math.fround)).toEqual([...got.plan.data.slice(0, 2)]);
  });

  it("go on as a loaded model: compressed, saved again, the same results", async () => {
    await saved("first");
    const model = await artifact.loadModel<{ plan: Tensor; price: Tensor }>(join(folder, "first"));
    await artifact.save(model, join(folder, "second"));
    using before = await artifact.load<Result>(join(folder, "first"));
    using after = await artifact.load<Result>(join(folder, "second"));
    expect(after.info).toEqual(before.info);
    const x = { image: images, meta };
    expect((await after.predict(x)).price.data).toEqual((await before.predict(x)).price.data);
  });

  it("are asked for by name, and by as many samples as each other", async () => {
    await saved("asked");
    using served = await artifact.load<Result>(join(folder, "asked"));
    await expect(served.predict(images)).rejects.toThrow('predict: expected an object with the inputs "image", "meta"');
    await expect(served.predict({ image: images })).rejects.toThrow('predict: the input "meta" is missing');
    await expect(served.predict({ image: images, meta, more: images })).rejects.toThrow('has no input "more"');
    await expect(served.predict({ image: images, meta: meta[0]! })).rejects.toThrow('got 2 of "image" and 1 of "meta"');
    await expect(served.predict({ image: meta, meta })).rejects.toThrow(
      /made by array\(values, \[batch, 6\]\) for "image"/,
    );
  });
});
