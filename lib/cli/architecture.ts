// The network that `train` builds when nothing else is said: for rows of a table dense layers, for images convolutions until few
// pixels are left. Classes get a score each; numbers are learned at mean 0 and deviation 1, and the last layer is scaled back after.
import type { Dataset } from "../data/index.js";
import * as nn from "../nn/index.js";
import { array } from "../tensor/nd-array.js";

/** A network for samples of this kind. @param hidden widths of the dense layers */
export function networkFor({ x }: Dataset, outputs: number, hidden: readonly number[]): nn.Module {
  const [, ...sample] = x.shape as [number, ...number[]];
  return sample.length === 3 ? convolutional(sample as [number, number, number], outputs, hidden) : nn.sequential(...(sample.length === 1 ? [] : [nn.flatten()]), ...dense(sample.reduce((a, b) => a * b, 1), outputs, hidden)); // prettier-ignore
}

function dense(inputs: number, outputs: number, hidden: readonly number[]): nn.Module[] {
  const layers: nn.Module[] = [];
  let width = inputs;
  for (const next of hidden) {
    layers.push(nn.linear(width, next), nn.relu());
    width = next;
  }
  return [...layers, nn.linear(width, outputs)];
}

const FIRST_CHANNELS = 16;
const MOST_CHANNELS = 64;
const FEW_PIXELS = 7;

function convolutional([inChannels, inHeight, inWidth]: [number, number, number], outputs: number, hidden: readonly number[]): nn.Module {
  const layers: nn.Module[] = [];
  let [channels, height, width, next] = [inChannels, inHeight, inWidth, FIRST_CHANNELS];
  do {
    layers.push(nn.conv2d(channels, next, { kernel: 3, padding: 1 }), nn.relu());
    if (Math.min(height, width) >= 2) {
      layers.push(nn.maxPool2d(2));
      [height, width] = [height >> 1, width >> 1];
    }
    [channels, next] = [next, Math.min(2 * next, MOST_CHANNELS)];
  } while (Math.min(height, width) > FEW_PIXELS);
  return nn.sequential(...layers, nn.flatten(), ...dense(channels * height * width, outputs, hidden));
} // prettier-ignore

/** Mean and deviation of targets. */
export interface TargetScale {
  readonly mean: number;
  readonly deviation: number;
}

/** Mean and deviation of the targets of a set; 1 for targets that are all the same. */
export function scaleOf({ y }: Dataset): TargetScale {
  let [mean, squares, seen] = [0, 0, 0];
  for (const value of y.data) {
    const from = value - mean;
    mean += from / ++seen;
    squares += from * (value - mean);
  }
  return { mean, deviation: Math.sqrt(squares / seen) || 1 };
}

/** Targets at mean 0 and deviation 1. */
export function scaled(y: Dataset["y"], { mean, deviation }: TargetScale): Dataset["y"] {
  return array(Float32Array.from(y.data, (value) => (value - mean) / deviation), y.shape); // prettier-ignore
}

/** Makes a network that was trained on scaled targets answer in the targets' own unit, by its last layer. */
export async function scaleBack(model: nn.Module, { mean, deviation }: TargetScale): Promise<void> {
  const parameters = model.namedParameters().slice(-2);
  for (const { name, parameter } of parameters) {
    const values = await parameter.read();
    const shift = name.endsWith("bias") ? mean : 0;
    parameter.write(array(Float32Array.from(values.data, (value) => value * deviation + shift), values.shape)); // prettier-ignore
  }
}
