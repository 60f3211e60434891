// Models for the tests of structured pruning, and the masked model that a shrunk one must equal: every slice that goes is zero.
import { concat } from "../../../lib/ops/index.js";
import * as nn from "../../../lib/nn/index.js";
import { planStructured, type StructuredOptions, type StructuredPlan } from "../../../lib/prune/structured/index.js";
import { array, compile, type NdArray, type Tensor } from "../../../lib/tensor/index.js";
import { NdArray as Host, countOf } from "../../../lib/tensor/nd-array.js";

/** Two branches of which one has grouped and depthwise convolutions; a residual join, a concat, flatten → linear. */
export class ResidualCnn extends nn.Module {
  stem = nn.sequential(nn.conv2d(3, 8, { kernel: 3, padding: 1 }), nn.batchNorm(8), nn.relu());
  inner = nn.sequential(
    nn.conv2d(8, 12, { kernel: 1, bias: false }),
    nn.batchNorm(12),
    nn.relu(),
    nn.conv2d(12, 12, { kernel: 3, padding: 1, groups: 4 }), // whole groups of 3
    nn.batchNorm(12),
    nn.silu(),
    nn.conv2d(12, 12, { kernel: 3, padding: 1, groups: 12 }), // depthwise
    nn.batchNorm(12),
    nn.relu(),
    nn.conv2d(12, 8, { kernel: 1 }),
    nn.batchNorm(8),
  );
  side = nn.sequential(nn.conv2d(8, 6, { kernel: 3, padding: 1 }), nn.gelu());
  halves = nn.conv2d(14, 8, { kernel: 3, groups: 2 }); // one channel of each half
  head = nn.sequential(nn.avgPool2d(2), nn.flatten(), nn.linear(8 * 9, 20), nn.relu(), nn.linear(20, 5));

  /** x (N, 3, 8, 8) → (N, 5) */
  forward(x: Tensor): Tensor {
    const y = this.stem.forward(x); // (N, 8, 8, 8)
    const sum = y.add(this.inner.forward(y)).relu();
    return this.head.forward(this.halves.forward(concat([sum, this.side.forward(sum)], 1)));
  }
}

/** Running statistics as a model has after some training, and scales and shifts that are not 1 and 0. */
export function unsettle(model: nn.Module, seed = 1): void {
  for (const { name, parameter } of model.namedParameters()) {
    const values = uniform(parameter.shape, seed++);
    const { data } = values;
    if (name.endsWith("runningVar")) for (let i = 0; i < data.length; i++) data[i] = 0.5 + data[i]!;
    else if (parameter.shape.length === 1) for (let i = 0; i < data.length; i++) data[i] = data[i]! - 0.4;
    else continue;
    parameter.write(values);
  }
}

/** f32 in [0, 1), by xorshift32. */
export function uniform(shape: readonly number[], seed: number): NdArray {
  let state = (seed * 2654435761) >>> 0 || 1;
  const next = () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
  for (let i = 0; i < 8; i++) next();
  return array(Float32Array.from({ length: countOf(shape) }, next), shape);
}

/** Where each element that stays stood before, for every parameter that the plan cuts. */
export function placesOf(plan: StructuredPlan): Map<string, number[]> {
  return new Map(
    plan.cuts.map(({ name, before }) => {
      const numbers = Float64Array.from({ length: countOf(before) }, (_, i) => i);
      return [name, [...plan.slice(name, new Host(numbers, before, "f64")).data]];
    }),
  );
}

/** A copy of the model in which all that the plan takes away is masked; statistics are left, a scale of 0 hides them. */
export function maskedCopy<M extends nn.Module>(model: M, plan: StructuredPlan): M {
  const copy = model.clone();
  const places = placesOf(plan);
  for (const { name, parameter } of copy.namedParameters()) {
    const kept = places.get(name);
    if (!kept || parameter instanceof nn.Buffer) continue;
    const mask = new Uint8Array(parameter.size);
    for (const place of kept) mask[place] = 1;
    parameter.setMask(mask);
  }
  return copy;
}

/** What a model makes of an input, in use. */
export function outputOf(model: nn.Module, x: NdArray): NdArray {
  const compiled = compile((t: Tensor) => model.forward(t));
  try {
    return compiled.runSync(x);
  } finally {
    compiled.dispose();
  }
}

/** max |a − b| / max |b| */
export function distance(a: NdArray, b: NdArray): number {
  let [difference, largest] = [0, 0];
  b.data.forEach((value, i) => {
    difference = Math.max(difference, Math.abs(a.data[i]! - value));
    largest = Math.max(largest, Math.abs(value));
  });
  if (String(a.shape) !== String(b.shape)) return Infinity;
  return largest === 0 ? difference : difference / largest;
}

const kinds = ["channels", "neurons", "heads"] as const;

/** A plan of half of everything, unless said otherwise. */
export function planOf<M extends nn.Module>(
  model: M,
  shape: readonly number[],
  options: Partial<StructuredOptions> = {},
) {
  return planStructured(model, { structured: kinds, amount: 0.5, input: { dtype: "f32", shape }, ...options });
}

/** A module of one function, with the layers it uses. */
export class Net<Layers extends object> extends nn.Module {
  layers: Layers;
  private readonly body: (x: Tensor, layers: Layers) => Tensor;

  constructor(layers: Layers, body: (x: Tensor, layers: Layers) => Tensor) {
    super();
    this.layers = layers;
    this.body = body;
  }

  forward(x: Tensor): Tensor {
    return this.body(x, this.layers);
  }
}
