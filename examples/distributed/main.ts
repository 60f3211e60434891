// Digits on several ranks:   npm run build && mpirun -n 4 node --import tsx examples/distributed/main.ts
// The same command with -n 1 or -n 2, or without mpirun, ends with the same weights, bit for bit.
import { createHash } from "node:crypto";
import { artifact, data, loss, metrics, nn, optim, parallel, schedule, seed, train } from "athanor";

const { rank, size } = parallel.world();
function say(text: string): void {
  if (rank === 0) console.log(text);
}
const epochs = Number(process.env.EPOCHS ?? 3);

seed(1);
const digits = await data.mnist();
const model = nn.sequential(
  nn.flatten(),
  nn.linear(784, 512),
  nn.relu(),
  nn.dropout(0.2),
  nn.linear(512, 256),
  nn.relu(),
  nn.linear(256, 10),
);
const run = await train.fit(model, digits.train, {
  loss: loss.crossEntropy(),
  optimizer: optim.adamW({ lr: schedule.cosine({ peak: 1e-3, warmup: 0.05 }), weightDecay: 0.01, clipNorm: 1 }),
  batchSize: 256,
  epochs,
  seed: 7,
  parallel: parallel.data({ shards: 4 }),
  validate: { on: digits.test, metrics: { accuracy: metrics.accuracy() } },
  callbacks: {
    onEpoch: ({ epoch, metrics, seconds }) =>
      say(
        `epoch ${epoch + 1}: loss ${metrics.loss.toFixed(4)}, accuracy ${metrics["val.accuracy"]}, ${seconds.toFixed(1)} s`,
      ),
  },
});

const { name, hosts } = await parallel.connect();
const hash = createHash("sha256");
for (const { parameter } of model.namedParameters()) hash.update(new Uint8Array((await parameter.read()).data.buffer));
say(`${size} ranks on ${new Set(hosts).size} hosts by ${name}: ${run.steps} steps in ${run.seconds.toFixed(1)} s`);
say(`weights ${hash.digest("hex").slice(0, 16)}`);
for (const row of parallel.ledger())
  say(`${row.name}: ${row.calls} calls, ${(row.sent / 2 ** 20).toFixed(1)} MiB sent by rank 0`);
if (rank === 0) await artifact.save(model, "out/distributed");
