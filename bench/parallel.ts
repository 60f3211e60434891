// What communication costs a training step on this machine:
//   mpirun -n 2 --bind-to none node --import tsx bench/parallel.ts [network] [steps]     beside     node --import tsx bench/parallel.ts
// Prints samples per second, and the bytes and seconds of what was exchanged. Ranks get one thread each, one rank as many threads as
// there would be ranks: ATHANOR_THREADS.
import { array, data, loss, nn, optim, parallel, train } from "athanor";

const networks = {
  // 784-1024-1024-10, 1.86 million parameters.
  mlp: () => nn.sequential(nn.linear(784, 1024), nn.relu(), nn.linear(1024, 1024), nn.relu(), nn.linear(1024, 10)),
  small: () => nn.sequential(nn.linear(784, 128), nn.relu(), nn.linear(128, 10)),
};
const [network = "mlp", count = "60"] = process.argv.slice(2) as [
  keyof typeof networks | undefined,
  string | undefined,
];
const steps = Number(count);
const rows = 4096;
const x = Float32Array.from({ length: rows * 784 }, (_, i) => ((i * 2654435761) % 1000) / 1000);
const y = Int32Array.from({ length: rows }, (_, i) => i % 10);
const { rank, size } = parallel.world();
const shards = Number(process.env.SHARDS ?? 0);
const times: number[] = [];
let last = 0;
await train.fit(networks[network](), data.fromArrays({ x: array(x, [rows, 784]), y: array(y, [rows]) }), {
  loss: loss.crossEntropy(),
  optimizer: optim.adam({ lr: 1e-4 }),
  batchSize: 256,
  steps,
  ...(shards === 0 && size === 1 ? {} : { parallel: parallel.data({ shards: shards === 0 ? size : shards }) }),
  callbacks: {
    onStep({ samplesPerSecond }) {
      if (samplesPerSecond !== last) times.push((last = samplesPerSecond));
    },
  },
});
if (rank === 0) {
  times.shift(); // compiled, warmed
  const sorted = times.sort((a, b) => a - b);
  const median = sorted[Math.floor(sorted.length / 2)]!;
  console.log(
    `${network}, ${size} ranks: ${Math.round(median)} samples/s (${Math.round(sorted[0]!)} to ${Math.round(sorted.at(-1)!)})`,
  );
  for (const { name, calls, sent, seconds } of parallel.ledger()) {
    console.log(
      `  ${name}: ${calls} calls, ${(sent / 2 ** 20).toFixed(2)} MiB, ${((seconds / calls) * 1e6).toFixed(1)} µs each`,
    );
  }
}
