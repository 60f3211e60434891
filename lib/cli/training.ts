// Options of commands that train: how long, how fast, and what is shown meanwhile.
import type { Command } from "commander";
import type { Dataset } from "../data/index.js";
import { crossEntropy, mse, type Loss } from "../loss/index.js";
import { adamW } from "../optim/index.js";
import { cosine } from "../schedule/index.js";
import type { FitOptions } from "../train/index.js";
import type { Context } from "./context.js";
import { count, realNumber, wholeNumber } from "./options.js";

/** What {@link withTraining} adds. */
export interface TrainingOptions {
  readonly epochs: number;
  readonly lr: number;
  readonly batch: number;
  readonly seed: number;
  readonly quiet?: boolean;
}

/** Adds the options of a training run. */
export function withTraining(command: Command, epochs: number, batch = 128): Command {
  return command
    .option("-e, --epochs <n>", "passes over the data; 0: none", count, epochs)
    .option("--lr <rate>", "peak learning rate of AdamW, on a cosine with warmup", realNumber, 1e-3)
    .option("-b, --batch <n>", "samples a step", wholeNumber, batch)
    .option("--seed <n>", "decides initial weights and the order of the samples", count, 0)
    .option("-q, --quiet", "no progress");
}

/** The run that the options ask for. */
export function recipeOf(
  options: TrainingOptions,
  samples: Dataset,
  { signal }: Context,
): Omit<FitOptions, "validate" | "earlyStopping" | "reduceOnPlateau" | "callbacks"> {
  return {
    loss: lossFor(samples),
    optimizer: adamW({ lr: cosine({ peak: options.lr, warmup: 0.05 }), weightDecay: 0.01, clipNorm: 1 }),
    batchSize: options.batch,
    epochs: Math.max(1, options.epochs),
    seed: options.seed,
    progress: !options.quiet,
    signal,
  };
}

/** Classes are told by whole numbers in i32 or u8; other targets are numbers to be met. */
export function lossFor(samples: Dataset): Loss {
  return hasNumbers(samples) ? mse() : crossEntropy();
}

/** Whether the targets are numbers rather than classes. */
export function hasNumbers({ y }: Dataset): boolean {
  return y.dtype === "f32" || y.dtype === "f64";
}
