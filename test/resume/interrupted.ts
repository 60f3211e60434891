// A long run that takes signals: `interrupted.ts <dir> <uncaught | caught>`. Says when it trains, and what it was told.
import { array, data, InterruptedError, loss, nn, optim, train } from "athanor";

const [dir, how] = process.argv.slice(2) as [string, string];
const set = data.fromArrays({ x: array(new Float32Array(64 * 8).fill(0.5), [64, 8]), y: array(new Uint8Array(64)) });
const model = nn.sequential(nn.linear(8, 64), nn.relu(), nn.linear(64, 2));
let told = false;
try {
  await train.fit(model, set, {
    loss: loss.crossEntropy(),
    optimizer: optim.sgd({ lr: 1e-3 }),
    batchSize: 8,
    epochs: 1_000_000,
    checkpoint: { dir, every: "1 h" },
    resume: "auto",
    signals: true,
    callbacks: {
      onStep: ({ index }) => {
        if (!told) process.send!({ first: index });
        told = true;
      },
    },
  });
} catch (thrown) {
  if (how !== "caught") throw thrown;
  const { signal, checkpoint } = thrown as InterruptedError;
  process.send!({ interrupted: thrown instanceof InterruptedError, signal, checkpoint });
}
