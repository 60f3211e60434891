// How many weights of a model are zero, by layer.
import { ArgumentError } from "../errors.js";
import { describeWeights } from "../artifact/weights.js";
import { Module } from "../nn/module.js";
import { showShape, type Shape } from "../tensor/nd-array.js";
import { alignedRows } from "../tensor/text-table.js";

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
    return alignedRows(rows, 2).join("\n");
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
  const described = await describeWeights(counted.map(({ parameter }) => parameter));
  return new Sparsity(
    counted.map(({ name, parameter: { shape, size, mask, parametrization } }, i) => {
      const { nonzero } = described[i]!;
      const masked = mask !== undefined || parametrization?.parts.bitmap !== undefined;
      return { name, shape, size, nonzero, sparsity: 1 - nonzero / size, masked };
    }),
  );
}
