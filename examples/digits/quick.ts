// npm start -- --quick: one epoch of the perceptron alone, on the device that is asked for, and beside it on the CPU.
import { metrics, train, type data, type device } from "athanor";
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

/** Trains on the device, and on the CPU where that is another one; the accuracies on the test set, the device's first. */
export async function quick(run: QuickRun): Promise<readonly { device: string; accuracy: number; seconds: number }[]> {
  const reached = [];
  for (const name of new Set([run.device, "cpu" as const])) reached.push(await trained(run, name));
  return reached;
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
  model.dispose();
  return { device: name, accuracy, seconds };
}
