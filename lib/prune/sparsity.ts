// How many weights of a model are zero, by layer.
import { ArgumentError } from "../errors.js";
import { compile } from "../tensor/compile.js";
import { Module } from "../nn/module.js";
import { showShape, type Shape } from "../tensor/nd-array.js";
import type { Parameter } from "../tensor/parameter.js";

/** One parameter of {@link Sparsity}. */
export interface LayerSparsity {
  readonly name: string;
  readonly shape: Shape;
  readonly size: number;
  readonly nonzero: number;
  /** The share of zeros. */
  readonly sparsity: number;
  /** Whether a mask keeps them, or the bitmap of a packed weight. */
  readonly masked: boolean;
}

/** Zeros of a model: its weights of two dimensions or more, and whatever else has a mask. `toString()` is a table. */
export class Sparsity {
  readonly layers: readonly LayerSparsity[];
  readonly size: number;
  readonly nonzero: number;
  /** The share of zeros over all layers. */
  readonly sparsity: number;

  constructor(layers: readonly LayerSparsity[]) {
    const total = (key: "size" | "nonzero") => layers.reduce((sum, layer) => sum + layer[key], 0);
    this.layers = layers;
    this.size = total("size");
    this.nonzero = total("nonzero");
    this.sparsity = this.size === 0 ? 0 : 1 - this.nonzero / this.size;
  }

  toString(): string {
    const whole = (n: number) => n.toLocaleString("en");
    const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
    const rows = [
      ["layer", "shape", "weights", "left", "pruned"],
      ...this.layers.map(({ name, shape, size, nonzero, sparsity }) => [
        name,
        showShape(shape),
        whole(size),
        whole(nonzero),
        percent(sparsity),
      ]),
      ["all", "", whole(this.size), whole(this.nonzero), percent(this.sparsity)],
    ];
    const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
    return rows
      .map((row) => row.map((cell, i) => (i < 2 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join("  "))
      .join("\n");
  }
}

/**
 * Counts the zeros of a model, in the engine.
 *
 * @throws ArgumentError for what is no module.
 * @example
 * const pruned = await prune(nn.linear(8, 4), { amount: 0.5 });
 * (await prune.sparsity(pruned)).layers.map((layer) => layer.nonzero); // [16]
 */
export async function sparsity(model: Module): Promise<Sparsity> {
  if (!(model instanceof Module)) throw new ArgumentError(`prune.sparsity: expected a module, got ${typeof model}`);
  const counted = model
    .namedWeights()
    .filter(({ parameter }) => parameter.dtype === "f32" && (parameter.shape.length >= 2 || parameter.mask));
  if (counted.length === 0) return new Sparsity([]);
  using count = compile(() => counted.map(({ parameter }) => nonzeros(parameter)));
  const counts = await count.run();
  return new Sparsity(
    counted.map(({ name, parameter: { shape, size, mask, form } }, i) => {
      const nonzero = counts[i]!.item();
      const masked = mask !== undefined || form?.parts.bitmap !== undefined;
      return { name, shape, size, nonzero, sparsity: 1 - nonzero / size, masked };
    }),
  );
}

// In f64: a sum of ones in f32 stops at 2²⁴.
const nonzeros = (parameter: Parameter) => parameter.tensor().ne(0).cast("f64").sum();
