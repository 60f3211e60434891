// Integer inputs are taken where they are faster than floats, and nowhere else unless asked.
import { describe, expect, it } from "vitest";
import { array, nn, quantize, seed, train, type NdArray, type Scheme } from "../../../lib/index.js";
import { PackedParametrization } from "../../../lib/quantize/packed-parametrization.js";
import { random } from "../../ops/value.js";

const normals = (seed: number, ...shape: number[]): NdArray => {
  const draw = random(seed);
  const normal = () => Math.sqrt(-2 * Math.log(1 - draw())) * Math.cos(2 * Math.PI * draw());
  return array(Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, normal), shape);
};

const inputsOf = (model: nn.Module) =>
  model
    .namedWeights()
    .flatMap(({ parameter: { parametrization: form } }) =>
      form instanceof PackedParametrization ? [form.scheme.activations] : [],
    );

interface Case {
  readonly layer: () => nn.Module;
  readonly takes: "integers" | "floats";
  readonly why?: RegExp;
}

const few = /rounding its inputs takes longer than \d+ outputs win/;
const small = /too small for integers to win/;
const cases: Readonly<Record<string, Case>> = {
  "128 → 5": { layer: () => nn.linear(128, 5), takes: "floats", why: few },
  "256 → 10": { layer: () => nn.linear(256, 10), takes: "floats", why: few },
  "4096 → 63": { layer: () => nn.linear(4096, 63), takes: "floats", why: few },
  "63 → 4096": { layer: () => nn.linear(63, 4096), takes: "floats", why: small },
  "100 → 64": { layer: () => nn.linear(100, 64), takes: "floats", why: small },
  "256 → 64": { layer: () => nn.linear(256, 64), takes: "integers" },
  "64 → 256": { layer: () => nn.linear(64, 256), takes: "integers" },
  "784 → 512": { layer: () => nn.linear(784, 512), takes: "integers" },
  "a convolution": { layer: () => nn.conv2d(32, 64, { kernel: 3 }), takes: "floats", why: /convolutions/ },
};

const schemes: readonly (readonly [string, (activations: "dynamic" | "static") => Scheme])[] = [
  ["int8", (activations) => quantize.int8({ activations })],
  ["int4", (activations) => quantize.int4({ activations })],
  ["nf4", (activations) => quantize.nf4({ activations })],
];

const samplesFor = (layer: nn.Module): NdArray =>
  layer.parameters()[0]!.shape.length === 4 ? normals(1, 2, 32, 5, 5) : normals(1, 8, layer.parameters()[0]!.shape[1]!);

describe("integer inputs", () => {
  for (const [name, { layer, takes, why }] of Object.entries(cases)) {
    it(`${name}: ${takes}`, async () => {
      seed(1);
      const model = nn.sequential(layer());
      const x = samplesFor(model);
      for (const activations of ["dynamic", "static"] as const) {
        for (const [, scheme] of schemes) {
          const chosen = await quantize(model, scheme(activations), { calibrate: x });
          expect(inputsOf(chosen)).toEqual([takes === "integers" ? activations : "float"]);
          const [said] = quantize.report(chosen)!.layers;
          if (why) expect(said!.notes.join("\n")).toMatch(why);
          else expect(said!.notes).toEqual([]);
          expect(inputsOf(await quantize(model, scheme(activations), { calibrate: x, integers: "all" }))).toEqual([
            activations,
          ]);
        }
      }
    });
  }

  it("are left out as if the scheme had float inputs: the same bits, tables too", async () => {
    seed(2);
    const model = nn.sequential(nn.linear(96, 10));
    const x = normals(3, 7, 96);
    for (const make of [quantize.int8, quantize.int4, quantize.nf4, quantize.apot] as const) {
      const asked = await quantize(model, make({ activations: "dynamic" }));
      const plain = await quantize(model, make());
      expect((await train.predict(asked, x)).data).toEqual((await train.predict(plain, x)).data);
    }
  });

  it("are chosen the same way in quantization-aware training", async () => {
    seed(3);
    const model = nn.sequential(nn.linear(64, 256), nn.relu(), nn.linear(256, 10));
    const trained = await quantize.prepare(model, quantize.int8({ activations: "dynamic" }));
    expect(inputsOf(await quantize.convert(trained))).toEqual(["dynamic", "float"]);
  });

  it("that are static need samples whatever the layer's size, so that code does not depend on it", async () => {
    await expect(quantize(nn.linear(8, 2), quantize.int8({ activations: "static" }))).rejects.toThrow("needs samples");
  });

  it("refuses another word than faster and all", async () => {
    const wrong = { integers: "always" as never };
    await expect(quantize(nn.linear(8, 2), quantize.int8(), wrong)).rejects.toThrow('"faster", "all"');
  });
});
