// No layer is emptied unasked, whatever the sizes, magnitudes, amounts, scopes and shapes of zeros.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { array, nn, prune, seed } from "athanor";
import { floors, kept } from "../../../lib/prune/floor.js";

const network = (widths: readonly number[], scales: readonly number[]) => {
  seed(3);
  const layers = widths.slice(1).map((width, i) => nn.linear(widths[i]!, width));
  layers.forEach((layer, i) => {
    const values = layer.weight.readSync().data as Float32Array;
    layer.weight.write(
      array(
        values.map((value) => value * scales[i]!),
        layer.weight.shape,
      ),
    );
  });
  return nn.sequential(...layers);
};
const keptBy = async (model: nn.Module) => (await prune.sparsity(model)).layers.map(({ nonzero }) => nonzero);

describe("pruning", () => {
  it("over all layers leaves every layer something, and just as much in all as was asked (property)", async () => {
    const size = fc.integer({ min: 1, max: 24 });
    const model = fc.tuple(fc.array(size, { minLength: 3, maxLength: 5 }), fc.array(fc.integer({ min: -6, max: 3 }), { minLength: 4, maxLength: 4 })); // prettier-ignore
    await fc.assert(
      fc.asyncProperty(model, fc.double({ min: 0, max: 0.99, noNaN: true }), async ([widths, powers], amount) => {
        const dense = network(widths, powers.map((power) => 10 ** power)); // prettier-ignore
        const sparse = await prune(dense, { amount, scope: "global" });
        const total = widths.slice(1).reduce((sum, width, i) => sum + width * widths[i]!, 0);
        const keep = Math.max(1, total - Math.round(amount * total));
        const left = await keptBy(sparse);
        expect(left.reduce((a, b) => a + b, 0)).toBe(keep);
        const outputs = widths.slice(1).reduce((a, b) => a + b, 0);
        if (keep >= 2 * outputs) for (const n of left) expect(n).toBeGreaterThanOrEqual(1);
        [dense, sparse].forEach((m) => m.dispose());
      }),
      { numRuns: 60 },
    );
  });

  it("keeps a last layer whose weights are all the smallest: as many as it has outputs, a quarter of its even share", async () => {
    const dense = network([6, 64, 64, 4], [1, 1, 1e-3]);
    const left = await keptBy(await prune(dense, { amount: 0.9, scope: "global" }));
    expect(left[2]).toBe(7); // 0.25 × 0.1 × 256 is 6.4; the layer has 4 outputs
    const unasked = await keptBy(await prune(dense, { amount: 0.9, scope: "global", floor: 0 }));
    expect(unasked[2]).toBe(0);
    const even = await keptBy(await prune(dense, { amount: 0.9, scope: "global", floor: 1 }));
    expect(even[2]).toBe(24); // of 26 that would be its even share: the first layer needs 64 where 39 would be, one an output
    expect(even.reduce((a, b) => a + b, 0)).toBe(left.reduce((a, b) => a + b, 0));
  });

  it.each(["layer", "row"] as const)("by %s keeps one weight where the share rounds to none", async (scope) => {
    const sparse = await prune(network([3, 5, 1, 2], [1, 1, 1]), { amount: 0.9, scope });
    expect(await keptBy(sparse)).toEqual(scope === "layer" ? [1, 1, 1] : [5, 1, 2]);
  });

  it("by blocks too", async () => {
    const left = await keptBy(await prune(network([16, 64, 16], [1, 1e-4]), { amount: 0.9, scope: "global", structure: { block: [1, 16] } })); // prettier-ignore
    expect(left.every((n) => n >= 16)).toBe(true);
  });

  it("refuses a floor that is no share", async () => {
    await expect(prune(network([3, 4], [1]), { amount: 0.5, floor: 2 })).rejects.toThrow(/floor must be from 0 to 1, got 2/); // prettier-ignore
  });
});

describe("floors", () => {
  it("never ask for more than stays in all, or than a part has (property)", () => {
    const part = fc.record({ size: fc.integer({ min: 1, max: 9999 }), rows: fc.integer({ min: 1, max: 99 }) });
    fc.assert(
      fc.property(fc.array(part, { minLength: 1 }), fc.double({ min: 0, max: 1, noNaN: true }), fc.double({ min: 0, max: 0.999, noNaN: true }), (parts, floor, amount) => {
        const keep = kept(parts.reduce((sum, { size }) => sum + size, 0), amount);
        const least = floors(parts, keep, floor);
        expect(least.reduce((a, b) => a + b, 0)).toBeLessThanOrEqual(keep);
        least.forEach((n, i) => expect(n).toBeLessThanOrEqual(parts[i]!.size));
      }),
    ); // prettier-ignore
  });
});
