// One rank of `supervise.test.ts`: trains with checkpoints, goes on from the last one, and rank 0 writes what came of it.
import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { array, data, loss, nn, optim, parallel, seed, train } from "athanor";

const [folder, steps] = process.argv.slice(2) as [string, string];
const { rank } = parallel.world();
const start = process.env.ATHANOR_RESTART ?? "0";
const rows = 64;
const x = Float32Array.from({ length: rows * 8 }, (_, i) => Math.sin(i * i));
const y = Int32Array.from({ length: rows }, (_, i) => (i * 7) % 4);
seed(1);
const model = nn.sequential(nn.linear(8, 32), nn.relu(), nn.dropout(0.2), nn.linear(32, 4));
const { resumed } = await train.fit(model, data.fromArrays({ x: array(x, [rows, 8]), y: array(y, [rows]) }), {
  loss: loss.crossEntropy(),
  optimizer: optim.adam({ lr: 1e-3 }),
  batchSize: 24,
  steps: Number(steps),
  parallel: parallel.data({ shards: 4, deadline: 20 }),
  checkpoint: { dir: join(folder, "checkpoints"), every: 10 },
  resume: "auto",
  callbacks: {
    // Told once the training is under way, so that whoever kills knows whom.
    onStep: ({ index }) => index % 10 === 5 && writeFileSync(join(folder, `pid-${start}-${rank}`), `${process.pid}\n`),
  },
});
const hash = createHash("sha256");
for (const { parameter } of model.namedParameters()) hash.update(new Uint8Array((await parameter.read()).data.buffer));
if (rank === 0) writeFileSync(join(folder, "result.json"), JSON.stringify({ weights: hash.digest("hex"), resumed }));
