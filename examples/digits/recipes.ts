// What is trained: two networks for 28 × 28 grey digits, and how. The same recipes in PyTorch and what they reach there:
// bench/peers/README.md.
import { loss, metrics, nn, optim, schedule, seed, type train } from "athanor";

/** One model of the run. */
export interface Recipe {
  readonly name: "mlp" | "cnn" | "student";
  readonly description: string;
  build(): nn.Module;
  readonly peakRate: number;
  readonly epochs: number;
}

export const recipes: readonly Recipe[] = [
  {
    name: "mlp",
    description: "784 → 512 → 256 → 10, ReLU",
    build: () =>
      nn.sequential(nn.flatten(), nn.linear(784, 512), nn.relu(), nn.linear(512, 256), nn.relu(), nn.linear(256, 10)),
    peakRate: 1e-3,
    epochs: 10,
  },
  {
    name: "cnn",
    description: "conv 3×3 1 → 16, pool, conv 3×3 16 → 32, pool, 800 → 128 → 10, ReLU",
    build: () =>
      nn.sequential(
        nn.conv2d(1, 16, { kernel: 3 }),
        nn.relu(),
        nn.maxPool2d(2),
        nn.conv2d(16, 32, { kernel: 3 }),
        nn.relu(),
        nn.maxPool2d(2),
        nn.flatten(),
        nn.linear(800, 128),
        nn.relu(),
        nn.linear(128, 10),
      ),
    peakRate: 2e-3,
    epochs: 6,
  },
];

/** What the CNN is distilled into: 9,478 parameters, of its 108,618. */
export const student: Recipe = {
  name: "student",
  description: "conv 3×3 1 → 8, pool, conv 3×3 8 → 16, pool, 400 → 20 → 10, ReLU",
  build: () =>
    nn.sequential(
      nn.conv2d(1, 8, { kernel: 3 }),
      nn.relu(),
      nn.maxPool2d(2),
      nn.conv2d(8, 16, { kernel: 3 }),
      nn.relu(),
      nn.maxPool2d(2),
      nn.flatten(),
      nn.linear(400, 20),
      nn.relu(),
      nn.linear(20, 10),
    ),
  peakRate: 3e-3,
  epochs: 6,
};

/** A fresh model with the initial weights of `runSeed`. */
export function build(recipe: Recipe, runSeed: number): nn.Module {
  seed(runSeed);
  return recipe.build();
}

/** How it is trained. */
export function options(recipe: Recipe, validation: train.FitOptions["validate"], runSeed: number) {
  return {
    loss: loss.crossEntropy(),
    optimizer: optim.adamW({
      lr: schedule.cosine({ peak: recipe.peakRate, warmup: 0.05 }),
      weightDecay: 0.01,
      clipNorm: 1,
      groups: [{ match: /bias$/, weightDecay: 0 }],
    }),
    batchSize: 128,
    epochs: recipe.epochs,
    seed: runSeed,
    validate: { ...validation!, metrics: { accuracy: metrics.accuracy() } },
    earlyStopping: { monitor: "val.accuracy", patience: 4, restoreBest: true },
  } as const;
}
