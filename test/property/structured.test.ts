// Random small architectures: whatever is pruned, the shrunk model computes what the masked one does.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import * as nn from "../../lib/nn/index.js";
import { concat } from "../../lib/ops/index.js";
import { planStructured, type StructuredOptions } from "../../lib/prune/structured/index.js";
import { seed, type Tensor } from "../../lib/tensor/index.js";
import { distance, maskedCopy, outputOf, uniform, unsettle } from "../unit/prune/structured-models.js";

const full = process.env.ATHANOR_TEST_MATRIX === "full";
const activations = [nn.relu, nn.silu, nn.gelu, nn.tanh, nn.sigmoid, nn.leakyRelu];

interface Step {
  readonly kind: "conv" | "grouped" | "depthwise" | "norm" | "act" | "residual" | "join" | "pool" | "gated";
  readonly size: number;
}

const steps = fc.array(
  fc.record({
    kind: fc.constantFrom<Step["kind"][]>("conv", "grouped", "depthwise", "norm", "act", "residual", "join", "pool", "gated"), // prettier-ignore
    size: fc.integer({ min: 1, max: 6 }),
  }),
  { minLength: 2, maxLength: 7 },
);

/** A layer, and how many channels it makes of how many. */
interface Layer {
  readonly module: nn.ModuleLike;
  readonly channels: number;
}

/** Both of a convolution's halves, one as the gate of the other (Dauphin et al. 2017). */
class Gated extends nn.Module {
  conv: nn.Conv2d;

  constructor(from: number, to: number) {
    super();
    this.conv = nn.conv2d(from, 2 * to, { kernel: 1 });
  }

  forward(x: Tensor): Tensor {
    const y = this.conv.forward(x);
    const half = y.shape[1]! / 2;
    return y.slice(null, [0, half]).mul(y.slice(null, [half, 2 * half]).sigmoid());
  }
}

/** What comes in beside what is made of it. */
class Join extends nn.Module {
  conv: nn.Conv2d;

  constructor(from: number, to: number) {
    super();
    this.conv = nn.conv2d(from, to, { kernel: 3, padding: 1 });
  }

  forward(x: Tensor): Tensor {
    return concat([x, this.conv.forward(x)], 1);
  }
}

function layerOf({ kind, size }: Step, channels: number): Layer {
  const divisors = [1, 2, 3, 4, 6].filter((count) => channels % count === 0);
  const groups = divisors[size % divisors.length]!;
  const inner = () =>
    nn.sequential(nn.conv2d(channels, size + 2, { kernel: 1 }), nn.batchNorm(size + 2), nn.relu(), nn.conv2d(size + 2, channels, { kernel: 3, padding: 1 })); // prettier-ignore
  const made: Record<Step["kind"], () => Layer> = {
    conv: () => ({ module: nn.conv2d(channels, 2 * size, { kernel: 3, padding: 1 }), channels: 2 * size }),
    grouped: () => ({ module: nn.conv2d(channels, groups * size, { kernel: 1, groups }), channels: groups * size }),
    depthwise: () => ({ module: nn.conv2d(channels, channels * ((size % 2) + 1), { kernel: 3, padding: 1, groups: channels }), channels: channels * ((size % 2) + 1) }), // prettier-ignore
    norm: () => ({ module: nn.batchNorm(channels), channels }),
    act: () => ({ module: activations[size % activations.length]!(), channels }),
    residual: () => ({ module: nn.residual(inner()), channels }),
    join: () => ({ module: new Join(channels, size), channels: channels + size }),
    pool: () => ({ module: nn.maxPool2d({ kernel: 3, stride: 1, padding: 1 }), channels }),
    gated: () => ({ module: new Gated(channels, 2 * size), channels: 2 * size }),
  };
  return made[kind]();
}

function convolutional(list: readonly Step[], flat: boolean): nn.Module {
  let channels = 6;
  const layers: nn.ModuleLike[] = [nn.conv2d(2, channels, { kernel: 3, padding: 1 })];
  for (const step of list) {
    const layer = layerOf(step, channels);
    layers.push(layer.module);
    channels = layer.channels;
  }
  const end = flat ? [nn.flatten(), nn.linear(16 * channels, 7)] : [nn.globalAvgPool2d(), nn.linear(channels, 7)];
  return nn.sequential(...layers, ...end, nn.relu(), nn.linear(7, 3));
}

const options = fc.record({
  structured: fc.constantFrom<StructuredOptions["structured"][]>("channels", "neurons", ["channels", "neurons"]),
  amount: fc.constantFrom(0.2, 0.5, 0.8, 0.99),
  scope: fc.constantFrom<NonNullable<StructuredOptions["scope"]>[]>("layer", "isomorphic", "global"),
  roundTo: fc.constantFrom(1, 2, 4),
});

function check(model: nn.Module, sample: readonly number[], choice: StructuredOptions, keyed: number): void {
  unsettle(model, keyed);
  const x = uniform([2, ...sample], keyed + 1);
  const plan = planStructured(model, { ...choice, input: { dtype: "f32", shape: sample } });
  const small = plan.apply();
  expect(distance(outputOf(small, x), outputOf(maskedCopy(model, plan), x))).toBeLessThan(1e-5);
  for (const { units, removed } of plan.groups) expect(units - removed.length).toBeGreaterThan(0);
  for (const { parameter } of small.namedParameters()) expect(Math.min(...parameter.shape)).toBeGreaterThan(0);
  small.dispose();
}

describe("shrinking is masking without the zeros", () => {
  it("in random convolutional networks", () => {
    fc.assert(
      fc.property(steps, fc.boolean(), options, fc.nat(1000), (list, flat, choice, keyed) => {
        seed(keyed);
        check(convolutional(list, flat), [2, 4, 4], choice, keyed);
      }),
      { numRuns: full ? 500 : 60 },
    );
  });

  it("in random transformers", () => {
    const shape = fc.record({
      kvHeads: fc.constantFrom(1, 2, 4),
      depth: fc.constantFrom(2, 4),
      hidden: fc.integer({ min: 1, max: 9 }),
      rotary: fc.boolean(),
      norm: fc.constantFrom<("pre" | "post")[]>("pre", "post"),
      normKind: fc.constantFrom<("layer" | "rms")[]>("layer", "rms"),
    });
    const amounts = fc.record({ heads: fc.constantFrom(0, 0.25, 0.5, 0.9), neurons: fc.constantFrom(0.2, 0.7) });
    fc.assert(
      fc.property(shape, amounts, fc.nat(1000), ({ depth, ...rest }, { heads, neurons }, keyed) => {
        seed(keyed);
        const model = nn.transformerBlock({ dim: 4 * depth, heads: 4, ...rest });
        const amount = (name: string) => (name.startsWith("attention") ? heads : neurons);
        check(model, [3, 4 * depth], { structured: ["heads", "neurons"], amount }, keyed);
      }),
      { numRuns: full ? 300 : 40 },
    );
  });
});
