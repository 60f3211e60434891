// npm start -- --quick: one epoch of the perceptron alone, on the device that is asked for, and beside it on the CPU. What the device
// trained is then pruned and quantized, and every compressed model predicts on both.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { artifact, metrics, prune, quantize, train, type data, type device, type nn } from "athanor";
import { build, options, recipes } from "./recipes.js";

/** What {@link quick} trains. */
export interface QuickRun {
  readonly device: device.DeviceName;
  readonly seed: number;
  readonly training: data.Dataset;
  readonly validation: data.Dataset;
  readonly test: data.Dataset;
  readonly quiet: boolean;
  readonly signal: AbortSignal;
}

/** A model as one device predicts the test set with it: trained there, or compressed and loaded there. */
export interface Reached {
  readonly model: string;
  readonly device: string;
  readonly accuracy: number;
  /** Of the training, or of the predictions of a compressed model. */
  readonly seconds: number;
  /** Compressed models: test images whose class is the one that the CPU gives. */
  readonly agreed?: number;
}

/** Trains on the device, and on the CPU where that is another one; then compresses the device's model. The device's rows come first. */
export async function quick(run: QuickRun): Promise<readonly Reached[]> {
  const { model, ...first } = await trained(run, run.device);
  const reached: Reached[] = [{ model: "mlp", ...first }];
  if (run.device !== "cpu") {
    const { model: other, ...second } = await trained(run, "cpu");
    other.dispose();
    reached.push({ model: "mlp", ...second });
  }
  for (const [name, make] of compressions(run)) {
    const small = await make(model);
    reached.push(...(await predicted(run, name, small)));
    small.dispose();
  }
  model.dispose();
  return reached;
}

function compressions({ training, signal }: QuickRun): readonly [string, (model: nn.Module) => Promise<nn.Module>][] {
  const calibrate = training.take(1024);
  return [
    ["pruned", async (model) => prune.pack(await prune(model, { amount: 0.8 }))],
    ["int8", (model) => quantize(model, quantize.int8({ activations: "static" }), { calibrate, signal })],
    ["int4", (model) => quantize(model, quantize.int4({ group: 64 }), { signal })],
  ];
}

// Saved, loaded on the device and on the CPU, and asked for every test image.
async function predicted({ device: name, test, signal }: QuickRun, model: string, made: nn.Module): Promise<Reached[]> {
  const folder = await mkdtemp(join(tmpdir(), "athanor-quick-"));
  try {
    await artifact.save(made, folder, { input: { dtype: "u8", shape: [1, 28, 28] } });
    const rows: Reached[] = [];
    let wanted: number[] = [];
    for (const where of new Set(["cpu" as const, name])) {
      using served = await artifact.load(folder, { device: where });
      const begun = performance.now();
      const classes = await classesOf(served, test, signal);
      const seconds = (performance.now() - begun) / 1e3;
      if (where === "cpu") wanted = classes;
      const labels = test.slice(0, test.length).y.data;
      const accuracy = classes.filter((got, i) => got === labels[i]).length / classes.length;
      const agreed = classes.filter((got, i) => got === wanted[i]).length;
      rows.unshift({ model, device: where, accuracy, seconds, agreed });
    }
    return rows;
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function classesOf(served: artifact.LoadedModel, test: data.Dataset, signal: AbortSignal): Promise<number[]> {
  const classes = [];
  for (let start = 0; start < test.length; start += 500) {
    signal.throwIfAborted();
    const scores = await served.predict(test.slice(start, start + 500).x);
    for (let i = 0; i < scores.size; i += 10) {
      const ten = scores.data.subarray(i, i + 10) as Float32Array;
      classes.push(ten.indexOf(Math.max(...ten)));
    }
  }
  return classes;
}

async function trained(run: QuickRun, name: device.DeviceName) {
  const { seed, training, validation, test, quiet, signal } = run;
  const recipe = { ...recipes[0]!, epochs: 1 };
  const model = build(recipe, seed);
  const begun = performance.now();
  const how = options(recipe, { on: validation }, seed);
  await train.fit(model, training, { ...how, device: name, progress: !quiet, signal });
  const seconds = (performance.now() - begun) / 1e3;
  const { accuracy } = await train.evaluate(model, test, { metrics: { accuracy: metrics.accuracy() }, signal });
  return { model, device: name, accuracy, seconds };
}
