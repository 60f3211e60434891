// One rank of `zero.test.ts`: trains with what ranks divide, tells what came of it, what it held and what it sent.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { array, data, loss, nn, optim, parallel, seed, train } from "athanor";
import { run, type Outcome, type Scenario } from "./scenarios.js";

const [folder, names] = process.argv.slice(2) as [string, string];
const { rank, size } = await parallel.connect({ deadline: 60 });
const scenarios = names.split(",") as Scenario[];

const outcomes: Record<string, Outcome> = {};
for (const zero of [1, 2, 3] as const) {
  for (const name of scenarios) outcomes[`${name} ${zero}`] = await run(name, { shards: 4, zero, bucketBytes: 1500 });
}

// Goes on from where one rank was, and keeps where it is itself.
const kept = { checkpoint: { dir: join(folder, "divided"), every: 40, keep: 9 } };
await run("adam", { shards: 4, zero: 3 }, kept);
const resumed = await run("adam", { shards: 4, zero: 2 }, { resume: join(folder, "alone", "step-000000040") });

const [features, layers] = [96, 100];
const x = Float32Array.from({ length: 8 * features }, (_, i) => Math.sin(i));
const set = data.fromArrays({ x: array(x, [8, features]), y: array(x, [8, features]) });
const sent = (name: string) => parallel.ledger().find((row) => row.name === name)?.sent ?? 0;

/** What a step of a deeper model holds and sends: a layer is a bucket. */
async function measured(zero: parallel.ZeroStage, steps: number) {
  seed(2);
  const model = nn.sequential(...Array.from({ length: layers }, () => nn.linear(features, features)));
  const before = { scatter: sent("reduce-scatter"), reduce: sent("all-reduce"), gather: sent("all-gather") };
  let memory: parallel.RankMemory | undefined;
  await train.fit(model, set, {
    loss: loss.mse(),
    optimizer: optim.adam({ lr: 1e-3 }),
    batchSize: 8,
    steps,
    parallel: parallel.data({ shards: size, zero, bucketBytes: 4 * features * (features + 1) }),
    callbacks: { onStep: () => void (memory = parallel.memory()) },
  });
  const parameters = model.namedParameters().reduce((sum, { parameter }) => sum + parameter.size, 0);
  const { scatter, reduce, gather } = before;
  return {
    parameters,
    memory,
    sent: {
      scatter: sent("reduce-scatter") - scatter,
      reduce: sent("all-reduce") - reduce,
      gather: sent("all-gather") - gather,
    },
  };
}
const metrics = [];
for (const zero of [0, 1, 2, 3] as const)
  metrics.push({ zero, few: await measured(zero, 2), many: await measured(zero, 6) });
writeFileSync(join(folder, `${size}-${rank}.json`), JSON.stringify({ outcomes, resumed: resumed.weights, metrics }));
