// What newcomers write: from PyTorch, Keras, TensorFlow.js and brain.js, and from plain JavaScript. Each mistake gets a sentence at
// the place where it is made, which names what to write instead; none is silent, and none is a TypeError from inside.
// Long because it is the whole list: one table a field.
/* eslint-disable @typescript-eslint/no-unsafe-assignment, @typescript-eslint/no-unsafe-call, @typescript-eslint/no-unsafe-member-access,
   @typescript-eslint/no-unsafe-argument, @typescript-eslint/no-unsafe-return, @typescript-eslint/require-await -- mistakes that types refuse, as JavaScript makes them */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, describe, expect, it } from "vitest";
import { ArgumentError, DTypeError, NonFiniteError, ShapeError } from "../../../lib/errors.js";
import * as typed from "../../../lib/index.js";

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- mistakes that types refuse, as plain JavaScript makes them
type Loose = any;
const athanor: Loose = typed;
const { array, artifact, compile, data, loss, metrics, nn, ops, optim, schedule, train, Parameter } = athanor;

const folder = mkdtempSync(join(tmpdir(), "athanor-mistakes-"));
afterAll(() => rmSync(folder, { recursive: true }));
const file = (name: string, bytes: Uint8Array): string => {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
};

const x = () => array(new Float32Array(8).fill(0.5), [4, 2]);
const y = () => array(Uint8Array.of(0, 1, 2, 0));
const column = () => array([1, 0, 1, 0], [4, 1]);
const model = () => nn.linear(2, 3);
const images = (shape: number[]) => ({ x: array(new Float32Array(shape.reduce((a, b) => a * b)), shape), y: y() });
const fit = async (net: Loose, set: Loose, options: Loose = {}) => {
  const given = { loss: loss.crossEntropy(), optimizer: optim.adam({ lr: 1e-3 }), ...options };
  return train.fit(net, set, given).result;
};
const step = (body: Loose) => train.step(model(), optim.adam({ lr: 1e-3 }), body);
const traced = (body: (x: Loose) => unknown) => compile(body).run(x());
// The promise itself is rejected as well, there is nothing in the folder; nobody waits for that.
const forgotten = (promise: Loose): Loose => {
  promise.catch(() => undefined);
  return promise;
};
const watched = (earlyStopping: Loose) =>
  fit(
    model(),
    { x: x(), y: y() },
    { validate: { on: { x: x(), y: y() }, metrics: { accuracy: metrics.accuracy() } }, earlyStopping },
  );

/** What is written, what comes of it, and the part of the sentence that says what to write. */
type Mistake = readonly [title: string, make: () => unknown, sentence: string];

const set = { x: x(), y: y() };

const calls: Mistake[] = [
  ["a loss that is not called", () => fit(model(), set, { loss: loss.crossEntropy }), "write loss.crossEntropy()"],
  ["the same in evaluate", () => train.evaluate(model(), set, { loss: loss.mse }), "write loss.mse()"],
  ["a loss given tensors", () => compile(loss.mse).run(x(), x()), "write loss.mse()(prediction, target)"],
  ["a loss by name", () => fit(model(), set, { loss: "mse" }), "write loss.mse()"],
  ["Keras' name", () => fit(model(), set, { loss: "categorical_crossentropy" }), "write loss.crossEntropy()"],
  ["no loss", () => fit(model(), set, { loss: undefined }), "such as loss.crossEntropy()"],
  ["an optimizer that is not called", () => fit(model(), set, { optimizer: optim.adam }), "write optim.adam()"],
  ["an optimizer by name", () => fit(model(), set, { optimizer: "AdamW" }), "write optim.adamW()"],
  ["no optimizer", () => fit(model(), set, { optimizer: undefined }), "such as optim.adamW({ lr: 1e-3 })"],
  ["a schedule that is not called", () => optim.adam({ lr: schedule.cosine }), "write schedule.cosine()"],
  ["a layer that is not called", () => nn.sequential(nn.linear(2, 3), nn.relu), "write nn.relu()"],
  ["dropout that is not called", () => nn.sequential(nn.dropout), "write nn.dropout()"],
  ["a class for its factory", () => nn.sequential(nn.Linear), "nn.linear(…)"],
  ["a layer by name", () => nn.sequential(nn.linear(2, 3), "relu"), "write nn.relu()"],
  ["a list of layers", () => nn.sequential([nn.linear(2, 3)]), "nn.sequential(...layers)"],
  ["a layer with a misspelt name", () => nn.sequential(nn.reul), "is its name misspelt?"],
  ["an initializer that is not called", () => nn.linear(2, 3, { init: nn.init.xavierUniform }), "xavierUniform()"],
  ["an initializer by name", () => nn.linear(2, 3, { init: "xavier" }), "such as nn.init.xavierUniform()"],
  [
    "a metric that is not called",
    () => train.evaluate(model(), set, { metrics: { accuracy: metrics.accuracy } }),
    "write metrics.accuracy()",
  ],
  [
    "a metric by name",
    () => fit(model(), set, { validate: { on: set, metrics: { acc: "acc" } } }),
    "write metrics.accuracy()",
  ],
  [
    "a list of metrics",
    () => fit(model(), set, { validate: { on: set, metrics: ["accuracy"] } }),
    "such as { accuracy: metrics.accuracy() }",
  ],
];

const layers: Mistake[] = [
  [
    "conv2d by filters",
    () => nn.conv2d({ filters: 32, kernelSize: 3 }),
    "nn.conv2d(inChannels, outChannels, { kernel: 3 })",
  ],
  ["conv2d without a kernel", () => nn.conv2d(1, 32), "nn.conv2d(inChannels, outChannels, { kernel: 3 })"],
  ["conv2d with a bare kernel", () => nn.conv2d(1, 32, 3), "nn.conv2d(inChannels, outChannels, { kernel: 3 })"],
  ["kernel_size", () => nn.conv2d(1, 32, { kernel_size: 3 }), 'did you mean "kernel"?'],
  ["dilation_rate", () => nn.conv2d(1, 32, { kernel: 3, dilation_rate: 2 }), 'did you mean "dilation"?'],
  ["use_bias", () => nn.linear(2, 3, { use_bias: false }), 'did you mean "bias"?'],
  ["padding in capitals", () => nn.conv2d(1, 32, { kernel: 3, padding: "SAME" }), 'write "same"'],
  ["an activation in a layer", () => nn.linear(2, 3, { activation: "relu" }), "nn.sequential(layer, nn.relu())"],
  ["dense by units", () => nn.linear({ units: 10 }), "write nn.linear(inFeatures, outFeatures)"],
  ["one size for two", () => nn.linear(10), "write nn.linear(inFeatures, outFeatures)"],
  ["pool_size", () => nn.maxPool2d({ pool_size: 2 }), 'did you mean "kernel"?'],
  ["a pool without a size", () => nn.maxPool2d(), "write nn.maxPool2d(2)"],
  ["dropout by rate", () => nn.dropout({ rate: 0.5 }), "write nn.dropout(0.5)"],
  ["dropout in percent", () => nn.dropout(50), "write nn.dropout(0.5)"],
  ["batch norm without channels", () => nn.batchNorm(), "write nn.batchNorm(channels)"],
  ["epsilon", () => nn.layerNorm(4, { epsilon: 1e-3 }), 'did you mean "eps"?'],
  ["a parameter of values", () => new Parameter([0.5, 1.5]), "write(array(values, shape))"],
];

const habits: Mistake[] = [
  ["model.fit", () => model().fit(x(), y()), "write train.fit(model, { x, y }"],
  ["model.compile", () => model().compile({ loss: "mse" }), "write train.fit(model, { x, y }"],
  ["model.predict", () => model().predict(x()), "await train.predict(model, x)"],
  ["model.train", () => model().train(), "leave it out"],
  ["model.eval", () => model().eval(), "leave it out"],
  ["model.add", () => nn.sequential().add(model()), "nn.sequential("],
  ["model.save", () => model().save("file"), "await artifact.save(model, path)"],
  ["model.to(device)", () => model().to("cuda"), "everything runs on the processor"],
  ["model.forward with an array", () => model().forward(x()), "compile((x) => …)"],
  ["optimizer.step", () => optim.adam().step(), "write train.step("],
  ["optimizer.zeroGrad", () => optim.adam().zeroGrad(), "write train.step("],
  ["loss.backward", () => traced((t) => t.sum().backward()), "write train.step("],
  ["tensor.item", () => traced((t) => t.sum().item()), "read what run() gives"],
  ["tensor.toArray", () => traced((t) => t.toArray()), "read what run() gives"],
  ["a loop over a tensor", () => traced((t) => [...t]), "read what run() gives"],
  ["tensor.view", () => traced((t) => t.view(2, 4)), "x.reshape([rows, columns])"],
  ["tensor.unsqueeze", () => traced((t) => t.unsqueeze(0)), "x.expandDims(axis)"],
  ["sizes without a list", () => traced((t) => t.reshape(2, 4)), "write reshape([2, 4])"],
  ["axes without a list", () => traced((t) => t.transpose(0, 1)), "write transpose([0, 1])"],
  ["a range without a list", () => traced((t) => t.slice(0, 2)), "write slice([0, 2])"],
  ["an axis in an object", () => traced((t) => t.sum({ axis: 1 })), "such as sum(1)"],
  ["keepdim", () => traced((t) => t.sum(1, { keepdim: true })), "{ keep: true }"],
  ["a list as operand", () => traced((t) => t.add([1, 2])), "make it array(values, shape)"],
  ["a module as operand", () => traced((t) => t.mul(model())), "module.forward(x)"],
  ["a dtype of NumPy", () => traced((t) => t.cast("float32")), "use f32"],
  ["a list where tensors go", () => traced((t) => ops.concat([t, [1, 2]])), "array(values, shape)"],
  ["an async function", () => compile(async (t: Loose) => t.relu()).run(x()), "leave out async and await"],
  ["a function without return", () => traced((t) => void t.relu()), "is a return missing?"],
  ["a module compiled", () => compile(model()).run(x()), "compile((x) => model.forward(x))"],
  ["nested lists into a compiled function", () => compile((t: Loose) => t).run([[1, 2]]), "array(rows.flat(), shape)"],
];

const training: Mistake[] = [
  ["early stopping without a monitor", () => watched({ patience: 3 }), 'write monitor: "val.loss"'],
  ["early stopping as a flag", () => watched(true), '{ monitor: "val.loss", patience: 3 }'],
  ["val_loss", () => watched({ monitor: "val_loss" }), 'did you mean "val.loss"?'],
  ["val_acc", () => watched({ monitor: "val_acc" }), 'did you mean "val.accuracy"?'],
  ["a bare metric", () => watched({ monitor: "accuracy" }), 'did you mean "val.accuracy"?'],
  ["a metric that is not measured", () => watched({ monitor: "val.f1" }), "metrics: { f1: metrics.f1() }"],
  ["restore_best_weights", () => watched({ monitor: "loss", restore_best_weights: 1 }), '"restoreBest"'],
  ["val.loss without validation", () => fit(model(), set, { earlyStopping: { monitor: "val.loss" } }), "validate: {"],
  ["patience of fit", () => fit(model(), set, { patience: 3 }), 'earlyStopping: { monitor: "val.loss", patience: 3 }'],
  ["validation_split", () => fit(model(), set, { validation_split: 0.2 }), "set.split({ validation: 0.2 })"],
  ["validation_data", () => fit(model(), set, { validation_data: set }), 'did you mean "validate"?'],
  ["validation without on", () => fit(model(), set, { validate: set }), "validate: { on: { x, y } }"],
  ["validation without y", () => fit(model(), set, { validate: { on: { x: x() } } }), "y is missing"],
  ["validation as a pair", () => fit(model(), set, { validate: { on: [x(), y()] } }), "write { x, y }"],
  ["metrics of fit", () => fit(model(), set, { metrics: ["accuracy"] }), "validate: { on: set, metrics:"],
  [
    "a table among the numbers",
    () => fit(model(), set, { validate: { on: set, metrics: { table: metrics.confusionMatrix() } } }),
    "await train.evaluate(",
  ],
  ["batch_size", () => fit(model(), set, { batch_size: 2 }), 'did you mean "batchSize"?'],
  ["iterations", () => fit(model(), set, { iterations: 200 }), 'did you mean "epochs"?'],
  ["verbose", () => fit(model(), set, { verbose: 1 }), 'did you mean "progress"?'],
  ["no epochs", () => fit(model(), set, { epochs: 0 }), "a whole number from 1 on"],
  ["a learning rate of fit", () => fit(model(), set, { lr: 1e-3 }), "optim.adamW({ lr: 1e-3 })"],
  ["callbacks in a list", () => fit(model(), set, { callbacks: [() => 0] }), "onEpoch"],
  ["onEpochEnd", () => fit(model(), set, { callbacks: { onEpochEnd: () => 0 } }), 'did you mean "onEpoch"?'],
  ["learning_rate", () => optim.adam({ learning_rate: 1e-3 }), 'did you mean "lr"?'],
  ["a rate in quotes", () => optim.adam({ lr: "1e-3" }), "write lr: 0.001"],
  ["a bare rate", () => optim.adam(1e-3), "such as { lr: 1e-3 }"],
  ["an optimizer of parameters", () => optim.adam(model().parameters()), "train.fit or train.step"],
  ["clipNorm NaN", () => optim.adam({ clipNorm: NaN }), "a number above 0, got NaN"],
  ["max_grad_norm", () => optim.adam({ max_grad_norm: 1 }), 'did you mean "clipNorm"?'],
  ["T_max", () => schedule.cosine({ peak: 1, T_max: 10 }), 'did you mean "steps"?'],
  ["a step that returns nothing", () => step(() => undefined).run(set), "is a return missing?"],
  ["an async step", () => step(async () => 1).run(set), "leave out async and await"],
  ["a step that returns a factory", () => step(() => loss.mse).run(set), "write loss.mse()(prediction, target)"],
  ["a loss for each sample", () => step(({ x: t }: Loose) => t.mean(1)).run(set), "take its mean() or sum()"],
  ["a step of another model", () => step(({ x: t }: Loose) => t.mean()).run(set), "model.forward(x)"],
  ["a batch as arguments", () => step(({ x: t }: Loose) => t.mean()).run(x(), y()), "such as { x, y }"],
];

const losses: Mistake[] = [
  [
    "softmax before cross-entropy",
    () => fit(nn.sequential(model(), nn.softmax()), set),
    "leave nn.softmax() out of the model",
  ],
  [
    "softmax in a function of one's own",
    () =>
      train.evaluate((t: Loose) => t.matmul(array(new Float32Array(6), [2, 3])).softmax(), set, {
        loss: loss.crossEntropy(),
      }),
    "leave nn.softmax() out of the model",
  ],
  ["sigmoid before cross-entropy", () => fit(nn.sequential(model(), nn.sigmoid()), set), "loss.bceWithLogits()"],
  [
    "sigmoid before bceWithLogits",
    () => fit(nn.sequential(nn.linear(2, 1), nn.sigmoid()), { x: x(), y: column() }, { loss: loss.bceWithLogits() }),
    "write loss.bce()",
  ],
  [
    "scores into bce",
    () => fit(nn.linear(2, 1), { x: x(), y: column() }, { loss: loss.bce() }),
    "write loss.bceWithLogits()",
  ],
  ["scores into nll", () => fit(model(), set, { loss: loss.nll() }), "write loss.crossEntropy()"],
  ["one class", () => fit(nn.linear(2, 1), set), "write loss.bceWithLogits()"],
  [
    "one-hot labels of integers",
    () => fit(model(), { x: x(), y: array(new Uint8Array(12), [4, 3]) }),
    "(one-hot) go in as f32",
  ],
  ["labels in a column", () => fit(model(), { x: x(), y: array(new Uint8Array(4), [4, 1]) }), "reshape them to [4]"],
  ["class numbers for mse", () => fit(model(), set, { loss: loss.mse() }), "use loss.crossEntropy()"],
  [
    "accuracy of one score",
    () => train.evaluate(nn.linear(2, 1), { x: x(), y: column() }, { metrics: { accuracy: metrics.accuracy() } }),
    "metrics.binaryAccuracy",
  ],
  ["binary accuracy without a threshold", () => metrics.binaryAccuracy(), "write { threshold: 0 } for scores"],
  ["labels from 1 on", () => fit(model(), { x: x(), y: array(Uint8Array.of(1, 2, 3, 1)) }), "expected 0 to 2"],
];

const shapes: Mistake[] = [
  ["no flatten", () => fit(nn.linear(64, 3), images([4, 1, 8, 8])), "put nn.flatten() before it"],
  [
    "no flatten, and another size",
    () => fit(nn.sequential(nn.conv2d(1, 4, { kernel: 3 }), nn.linear(256, 3)), images([4, 1, 8, 8])),
    "write nn.linear(144, 3)",
  ],
  ["another number of features", () => fit(nn.linear(5, 3), set), "write nn.linear(2, 3)"],
  ["channels last", () => fit(nn.conv2d(1, 4, { kernel: 3 }), images([4, 8, 8, 1])), "transpose([0, 3, 1, 2])"],
  ["images without channels", () => fit(nn.conv2d(1, 4, { kernel: 3 }), images([4, 8, 8])), "reshape to [4, 1, 8, 8]"],
  ["flat images", () => fit(nn.conv2d(1, 4, { kernel: 3 }), images([4, 64])), "[N, channels, height, width]"],
  ["f64", () => fit(model(), { x: array(new Float64Array(8), [4, 2]), y: y() }), "Float32Array.from(values)"],
  ["numbers of words as floats", () => fit(nn.embedding(4, 3), set), "feed an Int32Array"],
];

const samples: Mistake[] = [
  ["x and y apart", () => train.fit(model(), x(), y(), {}), "as one object: { x, y }"],
  ["no data", () => train.fit(model(), undefined, {}), "(await data.mnist()).train"],
  ["model and data exchanged", () => train.fit(set, model(), {}), "the model comes first"],
  ["nested arrays", () => fit(model(), { x: [[1, 2], [3, 4]], y: [0, 1] }), "array(rows.flat(), [2, 2])"], // prettier-ignore
  ["a bare typed array", () => fit(model(), { x: new Float32Array(8), y: y() }), "array(values, [n, features])"],
  ["a list of samples", () => fit(model(), [{ input: [0, 1], output: [1] }]), "rows.flatMap((row) => row.input)"],
  ["other names", () => data.fromArrays({ inputs: x(), labels: y() }), "{ x: inputs, y: labels }"],
  ["both parts", () => fit(model(), { train: set, test: set }), "digits.train"],
  ["a promise", () => fit(model(), Promise.resolve(set)), "await it first"],
  ["x and y of other lengths", () => fit(model(), { x: x(), y: array(Uint8Array.of(1)) }), "got 4 and 1"],
  ["NaN", () => data.fromArrays({ x: array([NaN, 1], [2, 1]), y: array([1, 2]) }), "drop or fill in sample 0"],
  ["mnist without await", () => data.mnist().train, "await data.mnist("],
  ["csv without await", () => data.csv({ text: "a,b\n1,2\n" }, { label: "b" }).samples, "await data.csv("],
  ["load without await", () => forgotten(artifact.load(folder)).predict(x()), "await artifact.load("],
  ["loadModel without await", () => forgotten(artifact.loadModel(folder)).parameters(), "await artifact.loadModel("],
  [
    "a spreadsheet as CSV",
    () => data.csv(file("a.xlsx", Buffer.from("PK\u0003\u0004\0\0")), { label: "y" }),
    "save the sheet as CSV",
  ],
  ["a packed CSV", () => data.csv(file("a.csv.gz", gzipSync("a,b\n1,2\n")), { label: "b" }), "unpack it first"],
  [
    "any binary file as CSV",
    () => data.csv(file("a.bin", Uint8Array.of(1, 2, 0, 3, 0)), { label: "y" }),
    "is a binary file",
  ],
];

describe.each([
  ["what is called, and by what name", calls],
  ["layers", layers],
  ["methods and arguments of elsewhere", habits],
  ["training", training],
  ["losses", losses],
  ["shapes and element types", shapes],
  ["data", samples],
])("%s", (_, mistakes) => {
  it.each(mistakes)("%s", async (_title, make, sentence) => {
    const error = await Promise.resolve()
      .then(make)
      .then(
        () => undefined,
        (thrown: unknown) => thrown as Error,
      );
    expect(error, "it was accepted").toBeDefined();
    const ours = [ArgumentError, ShapeError, DTypeError, NonFiniteError].some((Class) => error instanceof Class);
    expect(ours, String(error)).toBe(true);
    expect(error!.message).toContain(sentence);
    expect(error!.message).toMatch(/^[\w.]+\S*:? .{20,}/); // the operation, then a sentence
    expect(error!.message).not.toMatch(/\[object|�|\p{Cc}(?<!\n)/u);
  });
});

describe("what looks like a mistake and is none", () => {
  it("a model that ends in softmax, said to be meant, learns by −log p", async () => {
    const p = [0.2, 0.5, 0.3];
    const f = compile(loss.crossEntropy({ fromLogits: false }));
    const value = (await f.run(array(p, [1, 3]), array(Int32Array.of(1)))).item();
    expect(value).toBeCloseTo(-Math.log(0.5), 6);
    const run = await fit(nn.sequential(model(), nn.softmax()), set, {
      loss: loss.crossEntropy({ fromLogits: false }),
    });
    expect(run.history[0].metrics.loss).toBeGreaterThan(0);
  });

  it("log-softmax before cross-entropy changes nothing, and softmax within a model neither", async () => {
    const scores = array([1, 2, 3, 0, 1, 0], [2, 3]);
    const labels = array(Int32Array.of(0, 2));
    const plain = await compile(loss.crossEntropy()).run(scores, labels);
    const twice = await compile((t: Loose, l: Loose) => loss.crossEntropy()(t.logSoftmax(), l)).run(scores, labels);
    expect(twice.item()).toBeCloseTo(plain.item(), 6);
    await fit(nn.sequential(nn.linear(2, 4), nn.softmax(), nn.linear(4, 3)), set);
  });

  it("a class of one's own may have methods of such names", () => {
    class Own extends typed.nn.Module {
      fit = () => 1;
      predict(): number {
        return 2;
      }
      forward(t: typed.Tensor): typed.Tensor {
        return t;
      }
    }
    const own = new Own();
    expect([own.fit(), own.predict()]).toEqual([1, 2]);
    expect(Object.keys(typed.optim.adam())).not.toContain("step");
  });

  it("functions that take tensors are layers", () => {
    expect(nn.sequential((x: typed.Tensor) => x.relu(), model()).layers).toHaveLength(2);
  });
});

it("labels whose memory is transferred while they are read are told so", async () => {
  const rows = 20_000;
  const labels = new Uint8Array(rows);
  const big = { x: array(new Float32Array(rows * 2), [rows, 2]), y: array(labels, [rows]) };
  const running = train.evaluate(model(), big, { metrics: { accuracy: metrics.accuracy() } }) as Promise<unknown>;
  structuredClone(labels, { transfer: [labels.buffer] });
  await expect(running).rejects.toThrow("hand postMessage a copy: y.data.slice()");
});
