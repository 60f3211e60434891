import { describe, expect, it } from "vitest";
import { Draws, philox } from "../../lib/tune/random/philox.js";

// Known answers of the authors' kat_vectors for philox4x32-10: counter, key, output.
const known: [number[], number[], number[]][] = [
  [
    [0, 0, 0, 0],
    [0, 0],
    [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8],
  ],
  [
    [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
    [0xffffffff, 0xffffffff],
    [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd],
  ],
  [
    [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
    [0xa4093822, 0x299f31d0],
    [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
  ],
];

describe("draws", () => {
  it.each(known)("philox gives the published words for %j", (counter, key, words) => {
    expect(philox(counter as [number, number, number, number], key as [number, number])).toEqual(words);
  });

  it("are those of (seed, trial, stream) alone, and differ in each", () => {
    const first = (seed: number, trial: number, stream: string) => new Draws(seed, trial, stream).uniform();
    expect(first(1, 2, "lr")).toBe(first(1, 2, "lr"));
    const others = [
      first(1, 2, "lr"),
      first(2, 2, "lr"),
      first(1, 3, "lr"),
      first(1, 2, "wd"),
      first(2 ** 32 + 1, 2, "lr"),
    ];
    expect(new Set(others).size).toBe(others.length);
  });

  it("are uniform and normal: moments of 100,000 draws", () => {
    const n = 100_000;
    const draws = new Draws(3, 0, "moments");
    const moments = (draw: () => number) => {
      let [sum, squares] = [0, 0];
      for (let i = 0; i < n; i++) {
        const x = draw();
        sum += x;
        squares += x * x;
      }
      return { mean: sum / n, variance: squares / n - (sum / n) ** 2 };
    };
    // Five standard errors of the mean and of the variance.
    const uniform = moments(() => draws.uniform());
    expect(Math.abs(uniform.mean - 0.5)).toBeLessThan(5 * Math.sqrt(1 / 12 / n));
    expect(Math.abs(uniform.variance - 1 / 12)).toBeLessThan(5 * Math.sqrt(1 / 180 / n));
    const normal = moments(() => draws.normal());
    expect(Math.abs(normal.mean)).toBeLessThan(5 / Math.sqrt(n));
    expect(Math.abs(normal.variance - 1)).toBeLessThan(5 * Math.sqrt(2 / n));
  });

  it("order is a permutation", () => {
    expect(new Draws(1, 1, "order").order(100).sort((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, i) => i));
  });
});
