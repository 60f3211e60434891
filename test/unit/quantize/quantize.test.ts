// Schemes, packing and fake quantization: the values that weights become, that training and packed weights agree to the bit in the
// integers, and what is refused.
import { describe, expect, it } from "vitest";
import { array, compile, nn, quantize, seed, type NdArray, type Scheme, type Tensor } from "../../../lib/index.js";
import { FakeQuantizedParametrization } from "../../../lib/quantize/fake-quantized-parametrization.js";
import { PackedParametrization } from "../../../lib/quantize/packed-parametrization.js";
import { random } from "../../ops/value.js";

const draw = random(11);
const normal = (count: number) =>
  Float32Array.from({ length: count }, () => Math.sqrt(-2 * Math.log(1 - draw())) * Math.cos(2 * Math.PI * draw()));

/** All weight formats, at sizes that leave short groups and half-filled bytes. */
const schemes: readonly Scheme[] = [
  quantize.int8(),
  quantize.int8({ per: "tensor" }),
  quantize.int8({ per: 16 }),
  quantize.int8({ symmetric: false }),
  quantize.int4({ group: 32 }),
  quantize.int4({ group: 8, symmetric: false }),
  quantize.intN(2, { per: 16 }),
  quantize.intN(3),
  quantize.intN(5, { per: "tensor", symmetric: false }),
  quantize.intN(6),
  quantize.nf4({ group: 64 }),
  quantize.kmeans({ entries: 4 }),
  quantize.kmeans({ entries: 16, per: 32 }),
  quantize.kmeans({ entries: 200, per: "channel" }),
  quantize.apot({ bits: 2 }),
  quantize.apot({ bits: 4 }),
  quantize.apot({ bits: 5, per: 24 }),
  quantize.fp8("e4m3"),
  quantize.fp8("e5m2", { per: "tensor" }),
];
const withInputs: readonly Scheme[] = [
  quantize.int8({ activations: "dynamic" }),
  quantize.int8({ activations: "static" }),
  quantize.int4({ group: 32, activations: "dynamic" }),
];

const nameOf = (scheme: Scheme) =>
  `${scheme.name} per ${scheme.per}, ${scheme.activations}${scheme.grid.kind === "uniform" && !scheme.grid.symmetric ? ", affine" : ""}`;

function models(): { name: string; model: nn.Module; x: NdArray }[] {
  seed(3);
  return [
    { name: "linear", model: nn.sequential(nn.linear(77, 13)), x: array(normal(5 * 77), [5, 77]) },
    {
      name: "convolution",
      model: nn.sequential(
        nn.conv2d(4, 6, { kernel: 3, padding: 1, groups: 2 }),
        nn.relu(),
        nn.flatten(),
        nn.linear(150, 3),
      ),
      x: array(normal(2 * 4 * 25), [2, 4, 5, 5]),
    },
  ];
}

const forward = async (model: nn.Module, x: NdArray) => (await compile((t: Tensor) => model.forward(t)).run(x)).data;

function expectNear(got: ArrayLike<number>, want: ArrayLike<number>, relative: number): void {
  const largest = Math.max(...Array.from(want, Math.abs));
  expect(got.length).toBe(want.length);
  for (let i = 0; i < want.length; ++i) {
    expect(Math.abs(got[i]! - want[i]!), `element ${i}: ${got[i]} for ${want[i]}`).toBeLessThanOrEqual(
      relative * largest,
    );
  }
}

describe("training and packed weights agree", () => {
  for (const scheme of [...schemes, ...withInputs]) {
    it(nameOf(scheme), async () => {
      for (const { model, x } of models()) {
        for (const lsq of [false, true]) {
          const trained = await quantize.prepare(model, scheme, { integers: "all", calibrate: x, lsq });
          const packed = await quantize.convert(trained);
          const pairs = trained
            .namedWeights()
            .map(({ parameter }, i) => [parameter, packed.namedWeights()[i]!.parameter] as const);
          for (const [fake, real] of pairs) {
            if (!(fake.parametrization instanceof FakeQuantizedParametrization)) continue;
            expect(real.parametrization).toBeInstanceOf(PackedParametrization);
            const value = compile(() => fake.tensor());
            // + 0: the sign of a zero is no value.
            expect((await real.read()).data.map((v) => v + 0)).toEqual((await value.run()).data.map((v) => v + 0));
          }
          expectNear(await forward(packed, x), await forward(trained, x), 2 ** -20);
        }
      }
    });
  }
});
