// Whatever artifact.save accepts, artifact.load and loadModel give back: the same bits for any batch, names, metadata. What they
// would refuse, save refuses.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { array, artifact, compile, nn, type NdArray, type Tensor } from "../../lib/index.js";
import { Parameter } from "../../lib/tensor/parameter.js";

const folder = mkdtempSync(join(tmpdir(), "athanor-round-trip-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const path = join(folder, "model");

const special = fc.constantFrom(0, -0, 1, -1, NaN, Infinity, -Infinity, 1e-45, 3.4e38, 2 ** -126, 0.1);
const number = fc.oneof(special, fc.double({ min: -10, max: 10, noNaN: true }));
const text = fc.oneof(
  fc.string({ unit: "binary", maxLength: 8 }),
  fc.constantFrom(
    "",
    "__proto__",
    "constructor",
    "__metadata__",
    "a.mask",
    "constant.3",
    "\0",
    "\u2028",
    "\ud800",
    "🜁",
  ),
);

/** One layer of a random model. */
type Part =
  | { readonly kind: "mul" | "add" | "maximum" | "pad"; readonly value: number }
  | { readonly kind: "relu" | "constant" | "rows" }
  | { readonly kind: "weight"; readonly name: string; readonly frozen: boolean; readonly mask: readonly number[] };

const part: fc.Arbitrary<Part> = fc.oneof(
  fc.record({ kind: fc.constantFrom("mul", "add", "maximum", "pad"), value: number }),
  fc.record({ kind: fc.constantFrom("relu", "constant", "rows") }),
  fc.record({
    kind: fc.constant("weight" as const),
    name: text,
    frozen: fc.boolean(),
    mask: fc.array(fc.integer({ min: 0, max: 1 }), { maxLength: 3 }),
  }),
);

// Weights are members by the names drawn, so that names that JSON, JavaScript or the file's format has plans for come up.
function modelOf(parts: readonly Part[], width: number): nn.Module {
  class Random extends nn.Module {
    readonly weights: (Parameter | undefined)[];
    private readonly named: [string, unknown][];
    constructor() {
      super();
      this.weights = parts.map((one, i) => {
        if (one.kind !== "weight") return undefined;
        const weight = new Parameter([width], { trainable: !one.frozen });
        weight.write(
          array(
            Float32Array.from({ length: width }, (_, at) => Math.cos(i + at * 1.3)),
            [width],
          ),
        );
        if (one.mask.length > 0) weight.setMask(Uint8Array.from({ length: width }, (_, at) => one.mask[at] ?? 0));
        return weight;
      });
      this.named = parts.flatMap((one, i) => (one.kind === "weight" ? [[one.name, this.weights[i]]] : []));
    }
    override members(): [string, unknown][] {
      return this.named;
    }
    forward(x: Tensor): Tensor {
      let y = x;
      parts.forEach((one, i) => {
        if (one.kind === "weight") y = y.mul(this.weights[i]!.tensor());
        else if (one.kind === "relu") y = y.relu();
        else if (one.kind === "constant") y = y.add(y.trace.constant(array(new Float32Array(width).fill(i), [width])));
        else if (one.kind === "rows") y = y.reshape([-1, width]);
        else if (one.kind === "pad")
          y = y.pad([[0, 0], [1, 1]], one.value).slice(null, [0, width]); // prettier-ignore
        else if ("value" in one) y = y[one.kind](one.value);
      });
      return y;
    }
  }
  return new Random();
}

const bitsOf = ({ data }: NdArray) => Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("hex");

describe("what save accepts", () => {
  it("comes back: bits, metadata, and the same files for the same model", { timeout: 240_000 }, async () => {
    let accepted = 0;
    const property = fc.asyncProperty(
      fc.array(part, { minLength: 1, maxLength: 6 }),
      fc.integer({ min: 1, max: 3 }),
      fc.dictionary(text, text, { maxKeys: 4 }),
      async (parts, width, metadata) => {
        const model = modelOf(parts, width);
        const input = { dtype: "f32", shape: [width] } as const;
        try {
          await artifact.save(model, path, { input, metadata });
        } catch (thrown) {
          expect(thrown).toMatchObject({ code: "ERR_ATHANOR_ARGUMENT" });
          return;
        }
        accepted++;
        const files = ["graph.json", "weights.safetensors"].map((name) => readFileSync(join(path, name)));
        using served = await artifact.load(path);
        const loaded = await artifact.loadModel(path);
        expect(served.metadata).toEqual({ ...metadata });
        for (const batch of [1, 4]) {
          const x = array(
            Float32Array.from({ length: batch * width }, (_, i) => Math.sin(i) * 3),
            [batch, width],
          );
          const want = bitsOf(compile((t: Tensor) => nn.call(model, t)).runSync(x));
          expect(bitsOf(served.predictSync(x))).toBe(want);
          expect(bitsOf(compile((t: Tensor) => nn.call(loaded, t)).runSync(x))).toBe(want);
        }
        await artifact.save(model, path, { input, metadata });
        expect(["graph.json", "weights.safetensors"].map((name) => readFileSync(join(path, name)))).toEqual(files);
      },
    );
    await fc.assert(property, { numRuns: 150 });
    expect(accepted).toBeGreaterThan(60);
  });

  const input = { dtype: "f32", shape: [2] } as const;
  it.each<[string, unknown, RegExp]>([
    ["a number", { epoch: 3 }, /metadata "epoch" must be text, got 3; give String\(value\), or JSON.stringify/],
    ["null", { a: null }, /metadata "a" must be text, got null/],
    ["undefined", { a: undefined }, /metadata "a" must be text, got undefined/],
    ["an array", { classes: ["cat"] }, /metadata "classes" must be text, got an array/],
    ["an object", { a: {} }, /metadata "a" must be text, got an object/],
    ["a date", { at: new Date(0) }, /metadata "at" must be text, got a Date/],
    ["a list for all", [], /metadata must be an object of texts by name, such as \{ author: "me" \}, got an array/],
    ["text for all", "me", /metadata must be an object of texts by name.* got a string/],
    ["a Map for all", new Map([["a", "b"]]), /metadata must be .* got a Map/],
  ])("does not hold metadata that load would refuse or lose: %s", async (_, metadata, message) => {
    const saving = artifact.save(nn.linear(2, 2), path, { input, metadata: metadata as Record<string, string> });
    await expect(saving).rejects.toMatchObject({
      code: "ERR_ATHANOR_ARGUMENT",
      message: expect.stringMatching(message) as string,
    });
  });

  it.each<[unknown, RegExp]>([
    [{ dtype: "f16", shape: [2] }, /got dtype "f16"/],
    [{ dtype: "f32" }, /got shape undefined/],
    [{ dtype: "f32", shape: [-2] }, /got shape \[-2\]/],
    [{ dtype: "f32", shape: [1.5] }, /got shape \[1.5\]/],
    [{ dtype: "f32", shape: ["2"] }, /got shape \["2"\]/],
    [{ dtype: "f32", shape: 2 }, /got shape 2/],
    [{ shape: [2] }, /got dtype undefined/],
    ["f32", /got dtype undefined/],
  ])("has an input with a type and sizes, not %j", async (wrong, message) => {
    const saving = artifact.save(nn.linear(2, 2), path, { input: wrong as typeof input });
    await expect(saving).rejects.toMatchObject({
      code: "ERR_ATHANOR_ARGUMENT",
      message: expect.stringMatching(message) as string,
    });
  });
});
