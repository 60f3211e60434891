// Models for tensor parallelism, with sizes that do not divide evenly, and samples for them.
import { array, data, loss, nn, type NdArray, type Tensor } from "athanor";

/** A model and what it is trained on. */
export interface DividedModel {
  readonly model: () => nn.Module;
  readonly input: { readonly dtype: "f32" | "i32"; readonly shape: readonly number[] };
  readonly loss: loss.Loss;
  readonly samples: { readonly x: NdArray; readonly y: NdArray };
}

function numbers(count: number, seed: number): number[] {
  let state = seed;
  return Array.from({ length: count }, () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32);
}

const floats = (shape: number[], seed: number): NdArray =>
  array(
    numbers(
      shape.reduce((a, b) => a * b, 1),
      seed,
    ).map((u) => u * 2 - 1),
    shape,
  );

const labels = (shape: number[], classes: number, seed: number): NdArray =>
  array(
    Int32Array.from(
      numbers(
        shape.reduce((a, b) => a * b, 1),
        seed,
      ),
      (u) => Math.floor(u * classes),
    ),
    shape,
  );

const vocabulary = 51;

/** A table whose rows are also the weights of the outputs. */
class Tied extends nn.Module {
  tokens = nn.embedding(vocabulary, 16);
  block = nn.transformerBlock({ dim: 16, heads: 4, kvHeads: 2, hidden: 22, causal: true, rotary: true });

  forward(x: Tensor): Tensor {
    return this.block.forward(this.tokens.forward(x)).matmul(this.tokens.weight, { transB: true });
  }
}

const text = { x: labels([12, 9], vocabulary, 5), y: labels([12, 9], vocabulary, 6) };

/** By name. */
export const models: Readonly<Record<string, DividedModel>> = {
  perceptron: {
    model: () => nn.sequential(nn.linear(10, 33), nn.gelu(), nn.linear(33, 7), nn.tanh(), nn.linear(7, 5)),
    input: { dtype: "f32", shape: [10] },
    loss: loss.crossEntropy(),
    samples: { x: floats([24, 10], 3), y: labels([24], 5, 4) },
  },
  transformer: {
    model: () =>
      nn.sequential(
        nn.embedding(vocabulary, 24),
        nn.transformerBlock({ dim: 24, heads: 3, hidden: 37, causal: true, dropout: 0.1 }),
        nn.layerNorm(24),
        nn.linear(24, vocabulary),
      ),
    input: { dtype: "i32", shape: [9] },
    loss: loss.crossEntropy({ labelSmoothing: 0.1 }),
    samples: text,
  },
  tied: { model: () => new Tied(), input: { dtype: "i32", shape: [9] }, loss: loss.crossEntropy(), samples: text },
  images: {
    model: () =>
      nn.sequential(
        nn.conv2d(1, 5, { kernel: 3, padding: 1 }),
        nn.batchNorm(5),
        nn.relu(),
        nn.conv2d(5, 3, { kernel: 3 }),
        nn.flatten(),
        nn.linear(48, 6),
      ),
    input: { dtype: "f32", shape: [1, 6, 6] },
    loss: loss.crossEntropy(),
    samples: { x: floats([16, 1, 6, 6], 7), y: labels([16], 6, 8) },
  },
};

/** Its samples as a data set. */
export const setOf = ({ samples }: DividedModel): data.Dataset => data.fromArrays({ x: samples.x, y: samples.y });
