// What the tests of workers and processes run: trains until it is stopped, or for `steps` and then posts its weights.
import { parentPort, workerData } from "node:worker_threads";
import { array, data, loss, nn, optim, seed, train } from "athanor";

interface Job {
  readonly steps: number;
  readonly seed: number;
  /** Milliseconds after which the process exits in mid-step. */
  readonly exitAfter?: number;
}

const job = (workerData ?? JSON.parse(process.argv[2]!)) as Job;
const n = 512;
const set = data.fromArrays({
  x: array(
    Float32Array.from({ length: n * 64 }, (_, i) => Math.sin(i * job.seed)),
    [n, 64],
  ),
  y: array(
    Uint8Array.from({ length: n }, (_, i) => i % 10),
    [n],
  ),
});
seed(job.seed);
const model = nn.sequential(nn.linear(64, 256), nn.relu(), nn.linear(256, 10));
const run = train.fit(model, set, {
  loss: loss.crossEntropy(),
  optimizer: optim.adam({ lr: 1e-3 }),
  batchSize: 64,
  steps: job.steps,
  seed: job.seed,
});
let begun = false;
for await (const step of run) {
  if (begun || step.index < 0) continue;
  begun = true;
  parentPort?.postMessage("begun");
  if (job.exitAfter !== undefined) setTimeout(() => process.exit(7), job.exitAfter);
}
parentPort?.postMessage(model.parameters().map((parameter) => parameter.readSync().data));
