// One rank of `pipeline-memory.test.ts`: what it holds of the model while a pipeline takes its steps, and when it may be read.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { array, data, loss, nn, optim, parallel, seed, train } from "athanor";

const [folder] = process.argv.slice(2) as [string];
const { rank, size } = await parallel.connect({ deadline: 60 });
const features = 96;
const x = Float32Array.from({ length: 16 * features }, (_, i) => Math.sin(i));
const set = data.fromArrays({ x: array(x, [16, features]), y: array(x, [16, features]) });

seed(2);
const model = nn.sequential(
  ...Array.from({ length: 8 }, () => nn.sequential(nn.linear(features, features), nn.batchNorm(features))),
);
const parameters = model.namedParameters();
const own = { steps: [] as string[], validation: 0, memory: undefined as parallel.RankMemory | undefined };
const readable = () =>
  parameters.filter(({ parameter }) => {
    try {
      return parameter.readSync().data.every(Number.isFinite);
    } catch (thrown) {
      own.steps.push(`${(thrown as Error).name}: ${(thrown as Error).message}`);
      return false;
    }
  }).length;
let here = 0;
await train.fit(model, set, {
  loss: loss.mse(),
  optimizer: optim.adam({ lr: 1e-3 }),
  batchSize: 16,
  steps: 4,
  validate: { on: set, every: 2 },
  parallel: parallel.pipeline({ microBatches: 4, balance: "flops" }),
  callbacks: {
    onStep({ index }) {
      if (index !== 2) return;
      own.memory = parallel.memory();
      here = readable();
    },
    onValidate: () => void (own.validation = readable()),
  },
});
const trained = parameters.filter(({ parameter }) => parameter.trainable);
const total = (list: typeof parameters) => list.reduce((sum, { parameter }) => sum + parameter.size, 0);
writeFileSync(
  join(folder, `${size}-${rank}.json`),
  JSON.stringify({
    ...own,
    here,
    after: readable(),
    count: parameters.length,
    trained: total(trained),
    all: total(parameters),
  }),
);
