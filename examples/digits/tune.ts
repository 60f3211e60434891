// A search on handwritten digits: learning rate, width, dropout and weight decay of a small network, 40 trials with ASHA. Writes out/tune/: the
// study (study.db, which the next run goes on with), trials.csv and report.html.
//   npm run start:tune [-- --trials N --seed N --out DIR --quiet]
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { data, loss, metrics, nn, optim, report, schedule, seed, train, tune, type Study } from "athanor";

const { values: flags } = parseArgs({
  options: {
    trials: { type: "string", default: "40" },
    seed: { type: "string", default: "1" },
    out: { type: "string", default: "out/tune" },
    quiet: { type: "boolean", default: false },
  },
});
const trials = Number(flags.trials);
const epochs = 9;

const digits = await data.mnist();
const training = digits.train.slice(0, 12_000);
const validation = digits.train.slice(50_000, 55_000);
await mkdir(flags.out, { recursive: true });
const begun = performance.now();

const study = await tune(
  {
    rate: tune.logUniform(1e-4, 3e-2),
    width: tune.int(32, 256, { step: 32 }),
    dropout: tune.uniform(0, 0.5),
    decay: tune.logUniform(1e-6, 1e-1),
  },
  async (trial, { params }) => {
    seed(trial.number);
    const model = nn.sequential(
      nn.flatten(),
      nn.linear(784, params.width),
      nn.relu(),
      nn.dropout(params.dropout),
      nn.linear(params.width, 10),
    );
    const result = await train.fit(model, training, {
      loss: loss.crossEntropy(),
      optimizer: optim.adamW({ lr: schedule.cosine({ peak: params.rate, warmup: 0.1 }), weightDecay: params.decay }),
      batchSize: 64,
      epochs,
      seed: trial.number,
      validate: { on: validation, metrics: { accuracy: metrics.accuracy() } },
      trial,
    });
    const last = result.history.at(-1)!.metrics;
    trial.setAttribute("accuracy", last["val.accuracy"]!);
    model.dispose();
    return last["val.loss"]!;
  },
  {
    trials,
    labels: ["val.loss"],
    seed: Number(flags.seed),
    concurrency: 2,
    lag: 4,
    pruner: tune.asha({ min: 1, max: epochs, factor: 3 }),
    storage: join(flags.out, "study.db"),
    name: `digits ${flags.seed}`,
    signals: true,
    progress: !flags.quiet,
  },
);

await writeFile(join(flags.out, "trials.csv"), study.toCSV());
const page = join(flags.out, "report.html");
await report.writeStudy(page, study as unknown as Study, { title: "Digits: a search" });
if (!flags.quiet) {
  const { best, trials: all } = study;
  const pruned = all.filter(({ state }) => state === "pruned").length;
  console.log(
    `\nBest of ${all.length} trials (${pruned} pruned): trial ${best?.number}, val.loss ${best?.value.toFixed(4)}, accuracy ${Number(best?.attributes.accuracy)}`,
  );
  console.log(best?.params);
  console.log(`${((performance.now() - begun) / 1000).toFixed(1)} s; ${page}`);
}
