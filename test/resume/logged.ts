// A run that logs and is killed: `logged.ts <dir>`. Tells every step that it has taken.
import { array, data, loss, nn, optim, train } from "athanor";

const [dir] = process.argv.slice(2) as [string];
const set = data.fromArrays({ x: array(new Float32Array(64 * 8).fill(0.5), [64, 8]), y: array(new Uint8Array(64)) });
await train.fit(nn.linear(8, 2), set, {
  loss: loss.crossEntropy(),
  optimizer: optim.sgd({ lr: 1e-3 }),
  batchSize: 64,
  epochs: 1_000_000,
  log: { dir, every: 1, loggers: [train.log.jsonLines(), train.log.tensorBoard()] },
  callbacks: {
    onStep: async ({ index }) => {
      await new Promise((resolve) => setTimeout(resolve, 2));
      process.send!({ step: index + 1, time: Date.now() });
    },
  },
});
