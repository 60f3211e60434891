// One rank of `faults.test.ts`: trains, and rank 1 meets the fault that it is told to at step 20. What `fit` throws is printed, and
// the process ends as one does that does not catch it.
import { array, CommunicationError, data, loss, nn, optim, parallel, train } from "athanor";

type Fault =
  | "none"
  | "throw"
  | "exit"
  | "exit-code"
  | "kill"
  | "stop"
  | "callback"
  | "label"
  | "weights"
  | "nan"
  | "options"
  | "data"
  | "leave"
  | "before";

const fault = process.argv[2] as Fault;
const { rank } = parallel.world();
const guilty = rank === 1;
if (guilty && fault === "before") throw new TypeError("this rank never got to the training");

const rows = 64;
const x = Float32Array.from({ length: rows * 8 }, (_, i) => Math.sin(i));
const y = Int32Array.from({ length: rows }, (_, i) => i % 4);
// Sample 5 stands in one shard of every epoch: whoever meets it, all ranks have to know.
if (fault === "label") y[5] = 7;
if (guilty && fault === "data") x[3]! += 1;
const model = nn.sequential(nn.linear(8, 300), nn.relu(), nn.linear(300, 4));

function befall(): void {
  if (fault === "throw") setImmediate(() => { throw new RangeError("thrown beside the run"); }); // prettier-ignore
  if (fault === "exit") process.exit(0);
  if (fault === "exit-code") process.exit(3);
  if (fault === "kill") process.kill(process.pid, "SIGKILL");
  if (fault === "stop") process.kill(process.pid, "SIGSTOP");
  if (fault === "weights") model.namedParameters()[1]!.parameter.write(array(new Float32Array(300), [300]));
  if (fault === "callback") throw new TypeError("the callback of this rank is broken");
}

const run = train.fit(model, data.fromArrays({ x: array(x, [rows, 8]), y: array(y, [rows]) }), {
  loss: loss.crossEntropy(),
  optimizer: optim.sgd({ lr: fault === "nan" ? 1e30 : guilty && fault === "options" ? 0.2 : 0.1 }),
  batchSize: 16,
  epochs: fault === "none" || fault === "leave" ? 10 : 1_000_000,
  // Short where the deadline is what is tested; elsewhere a busy machine must not be taken for a rank that hangs.
  parallel: parallel.data({
    shards: 4,
    deadline: fault === "stop" || fault === "before" ? 5 : 40,
    compareWeights: fault === "weights" ? 30 : undefined,
  }),
  callbacks: {
    onStep({ index }) {
      if (index !== 20 || !guilty) return;
      console.log(`fault ${Date.now()}`);
      befall();
    },
  },
});
try {
  if (fault === "leave") {
    for await (const { index } of run) if (guilty && index === 20) break;
  }
  const { stopped } = await run;
  console.log(`end ${rank} ${stopped}`);
} catch (thrown) {
  const of = thrown instanceof CommunicationError ? JSON.stringify(thrown.fault ?? {}) : "";
  console.log(`thrown ${rank} ${(thrown as Error).name} ${(thrown as Error).message} ${of}`);
  throw thrown;
}
