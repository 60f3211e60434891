// A search over compression recipes on handwritten digits: how wide, how many zeros and which number format in each layer, and whether a
// teacher helps. Every trial trains, prunes and quantizes a network, saves it, and measures the saved one: accuracy, bytes on disk, and
// latency in turns with the uncompressed network. Writes out/recipes/: report.html with the front, trials.csv, the study, and the artifacts
// of the front. One to two minutes; interrupted and started again, it goes on.
//   node scripts/run-ts.mjs examples/search-recipe.ts [-- --trials N --samples N --seed N --out DIR --quiet]
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { artifact, data, distill, loss, metrics, nn, optim, prune, quantize, report, schedule, seed, train, tune, type Study } from "athanor"; // prettier-ignore

const { values: flags } = parseArgs({
  options: {
    trials: { type: "string", default: "60" },
    samples: { type: "string", default: "12000" },
    seed: { type: "string", default: "1" },
    out: { type: "string", default: "out/recipes" },
    quiet: { type: "boolean", default: false },
  },
});
const runSeed = Number(flags.seed);
const say = (line: string): unknown => flags.quiet || console.log(line);

const digits = await data.mnist();
const training = digits.train.slice(0, Number(flags.samples));
const validation = digits.train.slice(55_000);
const samples = validation.take(64).x;
await mkdir(flags.out, { recursive: true });
const begun = performance.now();

const recipe = (epochs: number, peak: number) => ({
  loss: loss.crossEntropy(),
  optimizer: optim.adamW({ lr: schedule.cosine({ peak, warmup: 0.05 }), weightDecay: 0.01 }),
  batchSize: 64,
  epochs,
  seed: runSeed,
});

/** 784 → width → width / 2 → 10. */
function network(width: number): nn.Module {
  seed(runSeed);
  const half = width / 2;
  return nn.sequential(nn.flatten(), nn.linear(784, width), nn.relu(), nn.linear(width, half), nn.relu(), nn.linear(half, 10)); // prettier-ignore
}

const largest = 256;
const dense = network(largest);
await train.fit(dense, training, recipe(6, 2e-3));
await artifact.save(dense, join(flags.out, "dense"));
const reference = await artifact.load(join(flags.out, "dense"));
const denseMicros = (await report.compareSpeed([{ name: "dense", model: reference, x: samples }])).get("dense")!.latencyMicros.median; // prettier-ignore
// Asked once about every sample; all students read the same scores.
const teacher = distill.cached(dense);

const formats = ["f32", "int8", "int8 products", "int4", "int2"] as const;
const schemes = {
  f32: undefined,
  int8: quantize.int8(),
  "int8 products": quantize.int8({ activations: "dynamic" }),
  int4: quantize.int4(),
  int2: quantize.intN(2, { per: 32 }),
};
const layer = { zeros: tune.uniform(0, 0.95, { step: 0.05 }), format: tune.choice(formats) };
const space = {
  width: tune.int(16, largest, { step: 16 }),
  distilled: tune.choice([false, true]),
  distillation: tune.when("distilled", { true: { temperature: tune.uniform(1, 6), alpha: tune.uniform(0.3, 1) } }),
  first: layer,
  second: layer,
  third: layer,
};
const layers = { "1.weight": "first", "3.weight": "second", "5.weight": "third" } as const;

const study = await tune(
  space,
  async (trial, { params, signal }) => {
    const options = {
      ...recipe(3, 4e-3),
      signal,
      ...(params.distilled ? { distill: distill.kd({ teacher, ...params.distillation }) } : {}),
    };
    const zeros = Object.fromEntries(Object.entries(layers).flatMap(([name, key]) => (params[key].zeros > 0 ? [[name, params[key].zeros]] : []))); // prettier-ignore
    let model = network(params.width);
    if (Object.keys(zeros).length === 0) await train.fit(model, training, options);
    else {
      const steps = Math.floor((0.6 * options.epochs * training.length) / options.batchSize);
      model = await prune(model, { amount: zeros, schedule: prune.cubic({ steps }), during: { data: training, ...options } }); // prettier-ignore
    }
    const schemeOf = (name: string) => schemes[params[layers[name as keyof typeof layers]].format];
    const isQuantized = Object.values(layers).some((key) => params[key].format !== "f32");
    if (isQuantized) model = await quantize(model, schemeOf, { signal });
    const isSparse = Object.values(layers).some((key) => params[key].zeros > 0 && params[key].format === "f32");
    if (isSparse) model = await prune.pack(model);
    const path = join(flags.out, `trial-${trial.number}`);
    await artifact.save(model, path);
    model.dispose();

    const served = await artifact.load(path);
    const contenders = [{ name: "dense", model: reference, x: samples }, { name: "trial", model: served, x: samples }]; // prettier-ignore
    const speed = (await report.compareSpeed(contenders, { seconds: 0.4, signal })).get("trial")!;
    const accuracy = await accuracyOf(served, validation);
    trial.constrain(0.9 - accuracy);
    served.dispose();
    // What slows the machine down for a while slows both: the ratio of one turn is steadier than a time.
    return [1 - accuracy, served.bytes, denseMicros / speed.speedup.latency.median];
  },
  {
    trials: Number(flags.trials),
    direction: ["minimize", "minimize", "minimize"],
    labels: ["error", "bytes", "latency (µs)"],
    constraints: 1, // an accuracy below 90 % is no use at any price
    seed: runSeed,
    lag: 1, // one after the other: a neighbour would be measured, too
    enqueue: [
      { width: largest, distilled: false, ...Object.fromEntries(Object.values(layers).map((key) => [key, { zeros: 0, format: "f32" }])) }, // prettier-ignore
    ],
    storage: join(flags.out, "study.db"),
    name: "recipes",
    signals: true,
    progress: !flags.quiet,
  },
);

// What is on the front stays, and meets images that no trial has seen.
const front = new Set(study.front.map(({ number }) => number));
for (const { number } of study.trials) if (!front.has(number)) await rm(join(flags.out, `trial-${number}`), { recursive: true, force: true }); // prettier-ignore
const sorted = study.front.toSorted((a, b) => a.values[0]! - b.values[0]!);
for (const { number, values, params } of sorted) {
  const served = await artifact.load(join(flags.out, `trial-${number}`));
  const accuracy = await accuracyOf(served, digits.test);
  served.dispose();
  const [, bytes, micros] = values as [number, number, number];
  const made = Object.values(layers).map((key) => `${params[key].format} ${Math.round(100 * params[key].zeros)} %`);
  say(
    `trial ${String(number).padEnd(3)} ${(100 * accuracy).toFixed(2)} % of the test set  ${String(bytes).padStart(7)} bytes  ${micros.toFixed(1).padStart(6)} µs  width ${params.width}${params.distilled ? ", distilled" : ""}: ${made.join(", ")}`,
  );
}
// Beside the dense network: a volume of 1 would be no error, no bytes and no time at all.
const origin = study.trials[0]!.values as [number, number, number];
const volume = await tune.hypervolume(study, [0.1, origin[1], origin[2]]);
say(
  `hypervolume ${(volume / (0.1 * origin[1] * origin[2])).toFixed(3)} of that below 10 % error and the dense network's bytes and time`,
);

await writeFile(join(flags.out, "trials.csv"), study.toCSV());
await report.writeStudy(join(flags.out, "report.html"), study as unknown as Study, {
  title: "Digits: compression recipes",
  reference: [0.1, origin[1], origin[2]],
});
reference.dispose();
dense.dispose();
say(
  `${((performance.now() - begun) / 1e3).toFixed(0)} s; open ${join(flags.out, "report.html")}, or athanor dashboard ${join(flags.out, "study.db")}`,
);

async function accuracyOf(model: artifact.LoadedModel, { x, y }: data.Dataset): Promise<number> {
  const accuracy = metrics.accuracy().start();
  accuracy.update(await model.predict(x), y);
  return accuracy.result();
}
