// Whole training steps as a user's own loop runs them: batches into train.step, losses out of it, each read by JavaScript. The
// loop is one step ahead of its reader, as step.over is; every timed turn waits for the loss of a whole step.
import { array, data, loss, nn, optim, seed, train, type NdArray } from "athanor";
import { sharedSuite } from "../definitions.js";
import { cnn, Gpt, mlp, whole } from "../networks.js";
import type { Prepared } from "../suite.js";

type Batch = Record<"x" | "y", NdArray>;

const ROWS = 12_800; // as the peers: a multiple of all batch sizes, small enough to stay resident

/** Batches of MNIST, pixels / 255 ahead of time. */
async function digits(batch: number, ...shape: number[]): Promise<Batch[]> {
  const { x, y } = (await data.mnist()).train.take(ROWS);
  const pixels = 28 * 28;
  return Array.from({ length: ROWS / batch }, (_, i) => {
    const raw = x.data.subarray(i * batch * pixels, (i + 1) * batch * pixels);
    return {
      x: array(
        Float32Array.from(raw, (value) => value / 255),
        [batch, ...shape],
      ),
      y: array(y.data.slice(i * batch, (i + 1) * batch), [batch]),
    };
  });
}

function* endless(batches: readonly Batch[]): Generator<Batch, never> {
  for (let turn = 0; ; turn++) yield batches[turn % batches.length]!;
}

function texts(): Batch[] {
  return Array.from({ length: 8 }, (_, i) => {
    const tokens = whole([16, 129], 256, i + 1).data;
    const part = (from: number) =>
      array(
        Int32Array.from({ length: 16 * 128 }, (_, at) =>
          Number(tokens[Math.floor(at / 128) * 129 + (at % 128) + from]),
        ),
        [16, 128],
      );
    return { x: part(0), y: part(1) };
  });
}

const makers: Record<string, () => Promise<[nn.Module, optim.Optimizer, Batch[]]>> = {
  w1: async () => [mlp(784, 512, 256, 10), optim.adam({ lr: 1e-3 }), await digits(128, 784)],
  w2: async () => [cnn(), optim.adam({ lr: 1e-3 }), await digits(64, 1, 28, 28)],
  w3: () => Promise.resolve([new Gpt(), optim.adamW({ lr: 3e-4 }), texts()]),
};

export default sharedSuite("train", async (name): Promise<Prepared> => {
  seed(1);
  const [model, optimizer, batches] = await makers[name]!();
  const step = train.step(model, optimizer, ({ x, y }) => loss.crossEntropy()(nn.call(model, x), y));
  const figures = step.over(endless(batches));
  return {
    step: () => figures.next(),
    dispose: async () => {
      await figures.return();
      step.dispose();
      model.dispose();
    },
  };
});
