// The networks of bench/peers/cases.json, as a user of the package writes them, and what they are fed.
import { array, nn, ops, type NdArray, type Tensor } from "athanor";

/** A repeatable stream of numbers in [0, 1): xorshift32. */
export function numbers(seed = 1): () => number {
  let state = seed >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

/** f32 values in [0, 1). */
export function uniform(shape: readonly number[], seed = 1): NdArray {
  const next = numbers(seed);
  const size = shape.reduce((a, b) => a * b, 1);
  return array(Float32Array.from({ length: size }, next), shape);
}

/** Numbers of either sign, as a layer sees them that no ReLU goes before. */
export function centred(shape: readonly number[], seed = 1): NdArray {
  const { data } = uniform(shape, seed);
  return array(
    Float32Array.from(data as Float32Array, (value) => value - 0.5),
    shape,
  );
}

/** Whole numbers below `limit`. */
export function whole(shape: readonly number[], limit: number, seed = 1): NdArray {
  const next = numbers(seed);
  const size = shape.reduce((a, b) => a * b, 1);
  return array(
    Int32Array.from({ length: size }, () => Math.floor(next() * limit)),
    shape,
  );
}

/** Linear layers of these widths with relu between them. */
export function mlp(...widths: number[]): nn.Sequential {
  const layers = widths.slice(1).flatMap((width, i) => [nn.linear(widths[i]!, width), nn.relu()]);
  return nn.sequential(...layers.slice(0, -1));
}

/** W2: (B, 1, 28, 28) → (B, 10) */
export function cnn(): nn.Sequential {
  return nn.sequential(
    nn.conv2d(1, 32, { kernel: 3 }),
    nn.relu(),
    nn.conv2d(32, 64, { kernel: 3 }),
    nn.relu(),
    nn.maxPool2d(2),
    nn.flatten(),
    nn.linear(9216, 128),
    nn.relu(),
    nn.linear(128, 10),
  );
}

const W3 = { layers: 4, dim: 256, heads: 4, vocabulary: 256, context: 128 };

/** W3: tokens i32 (B, T) → scores (B, T, vocabulary) */
export class Gpt extends nn.Module {
  token = nn.embedding(W3.vocabulary, W3.dim);
  position = nn.embedding(W3.context, W3.dim);
  blocks = Array.from({ length: W3.layers }, () => nn.transformerBlock({ dim: W3.dim, heads: W3.heads, causal: true }));
  norm = nn.layerNorm(W3.dim);
  head = nn.linear(W3.dim, W3.vocabulary, { bias: false });

  forward(tokens: Tensor): Tensor {
    const positions = ops.arange(tokens.shape[1]!, { dtype: "i32" });
    let x = this.token.forward(tokens).add(this.position.forward(positions)); // (B, T, C)
    for (const block of this.blocks) x = block.forward(x);
    return this.head.forward(this.norm.forward(x));
  }
}
