// What weights become: codes and scales by their definitions in float64, tables from their papers, packing bit by bit.
import { describe, expect, it } from "vitest";
import { array, compile, nn, quantize, type NdArray, type Scheme, type Tensor } from "../../../lib/index.js";
import { keptPositions, packBits, packMask, unpackMask } from "../../../lib/ops/bits.js";
import { additivePowers, floatCodes, floatTable, normalFloat4 } from "../../../lib/quantize/tables.js";
import { bf16Bits, fromBf16, random } from "../../ops/value.js";

const draw = random(5);
const weights = (count: number) => Float32Array.from({ length: count }, () => (draw() - 0.4) * 3);

/** A linear layer with these weights, quantized, and its parts by name. */
async function packed(w: NdArray, scheme: Scheme) {
  const [N, K] = w.shape as [number, number];
  const layer = nn.linear(K, N, { bias: false });
  layer.weight.write(w);
  const small = await quantize(layer, scheme);
  const parts = small.weight.parametrization!.parts;
  const read = (name: string) => parts[name]?.readSync().data;
  return { read, values: (await small.weight.read()).data };
}

const halfEven = (x: number): number => {
  const low = Math.floor(x);
  return x - low === 0.5 ? low + (Math.abs(low) % 2) : Math.round(x);
};

describe("integers", () => {
  it("int8 per channel: the largest weight of a row is 127 steps", async () => {
    const w = array(weights(3 * 10), [3, 10]);
    const { read, values } = await packed(w, quantize.int8());
    for (let n = 0; n < 3; ++n) {
      const row = w.data.subarray(n * 10, n * 10 + 10);
      const scale = Math.fround(Math.max(...Array.from(row, Math.abs)) / 127);
      expect(read("scale")![n]).toBe(scale);
      row.forEach((value, k) => {
        const q = halfEven(Math.fround(value / scale));
        expect(read("q")![n * 10 + k]).toBe((q + 256) % 256);
        expect(values[n * 10 + k]).toBe(Math.fround(scale * q) + 0);
      });
    }
  });

  it("int4 by groups: bf16 scales, two to a byte, the first in the low bits, a short last group", async () => {
    const w = array(weights(2 * 13), [2, 13]);
    const { read, values } = await packed(w, quantize.int4({ group: 8 }));
    const q = read("q")!;
    expect(q.length).toBe(2 * 7);
    for (let n = 0; n < 2; ++n) {
      for (let k = 0; k < 13; ++k) {
        const group = Array.from(w.data.subarray(n * 13 + (k & 8), n * 13 + Math.min(13, (k & 8) + 8)));
        const exact = Math.max(Math.max(0, ...group) / 7, Math.min(0, ...group) / -8);
        const scale = fromBf16(bf16Bits(Math.fround(exact)));
        expect(fromBf16(read("scale")![n * 2 + (k >> 3)]!)).toBe(scale);
        const code = Math.min(7, Math.max(-8, halfEven(Math.fround(w.data[n * 13 + k]! / scale))));
        expect((q[n * 7 + (k >> 1)]! >> (4 * (k & 1))) & 15).toBe((code + 16) % 16);
        expect(values[n * 13 + k]).toBe(Math.fround(scale * code) + 0);
      }
    }
  });

  it("affine: the range from least to most has all codes, 0 is one of them", async () => {
    const w = array([0.5, 1, 2.5, 0, 1.5, 1, -1, 3], [2, 4]);
    const { read, values } = await packed(w, quantize.int8({ symmetric: false, per: "channel" }));
    expect(Array.from(read("zero")!)).toEqual([0, 64]);
    expect(read("scale")![0]).toBe(Math.fround(2.5 / 255));
    expect(read("q")![2]).toBe(255);
    expect(values[3]).toBe(0);
    expect(Array.from(read("q")!.subarray(4))).toEqual([64 + 96, 64 + 64, 0, 255]);
  });

  it("a weight of zeros stays one", async () => {
    for (const scheme of [
      quantize.int8(),
      quantize.int4({ symmetric: false }),
      quantize.nf4(),
      quantize.kmeans(),
      quantize.fp8(),
    ]) {
      const { values } = await packed(array(new Float32Array(32), [2, 16]), scheme);
      expect(Array.from(values, Math.abs)).toEqual(new Array(32).fill(0));
    }
  });
});

describe("tables", () => {
  it("NormalFloat: halves of equal probability mass around a zero (Dettmers et al. 2023)", () => {
    // The published values, as bitsandbytes has them.
    expect(normalFloat4).toHaveLength(16);
    expect(normalFloat4[7]).toBe(0);
    // Quantiles by bisection of the normal distribution: 8 steps up from 0, 7 down, offset as in the authors' code.
    const phi = (x: number) => {
      const t = 1 / (1 + 0.2316419 * Math.abs(x));
      const tail = Math.exp((-x * x) / 2) * 0.3989422804 * t * (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429)))); // prettier-ignore
      return x >= 0 ? 1 - tail : tail;
    };
    const quantile = (p: number) => {
      let [low, high] = [-6, 6];
      for (let i = 0; i < 80; ++i) {
        const middle = (low + high) / 2;
        if (phi(middle) < p) low = middle;
        else high = middle;
      }
      return (low + high) / 2;
    };
    const offset = 0.9677083;
    const most = quantile(offset);
    const up = Array.from({ length: 8 }, (_, i) => quantile(offset + ((0.5 - offset) * i) / 8) / most).reverse();
    const down = Array.from({ length: 7 }, (_, i) => -quantile(offset + ((0.5 - offset) * i) / 7) / most);
    [...down, 0, ...up].forEach((want, i) => expect(normalFloat4[i]).toBeCloseTo(want, 4));
  });

  it("additive powers of two: the levels of the paper's authors", () => {
    const of = (magnitudes: number[], most: number) => [...magnitudes.slice(1).map((m) => -m / most).reverse(), ...magnitudes.map((m) => m / most)]; // prettier-ignore
    expect(additivePowers(2)).toEqual([-1, 0, 1]);
    expect(additivePowers(3)).toEqual(of([0, 1 / 8, 1 / 4, 1 / 2], 1 / 2));
    expect(additivePowers(4)).toEqual(of([0, 1, 2, 3, 4, 6, 8, 10], 10));
    expect(additivePowers(8)).toHaveLength(255);
  });

  it("8-bit floats: OCP values, and every value is its own nearest", () => {
    const e4m3 = floatCodes("e4m3");
    expect([e4m3[0x7e], e4m3[0x08], e4m3[0x01], e4m3[0x7f], e4m3[0xb8]]).toEqual([448, 2 ** -6, 2 ** -9, 0, -1]);
    const e5m2 = floatCodes("e5m2");
    expect([e5m2[0x7b], e5m2[0x04], e5m2[0x01], e5m2[0x7c], e5m2[0xbc]]).toEqual([57_344, 2 ** -14, 2 ** -16, 0, -1]);
    for (const format of ["e4m3", "e5m2"] as const) {
      const { table, zero } = floatTable(format);
      expect(zero % 2).toBe(0);
      expect(table[zero]).toBe(0);
      expect(table.every((entry, i) => i === 0 || entry > table[i - 1]!)).toBe(true);
    }
  });

  it("fp8 rounds to the nearest float, halves to the even mantissa, and stores its byte", async () => {
    // Largest 448, so that the scale is 1. 17 lies between 16 (0x58) and 18 (0x59): even is 16; 19 goes to 20 (0x5a).
    const { read, values } = await packed(array([448, 17, 19, -17, 0.001, -300], [1, 6]), quantize.fp8("e4m3"));
    expect(read("scale")![0]).toBe(1);
    expect(Array.from(read("q")!)).toEqual([0x7e, 0x58, 0x5a, 0xd8, 0x01, 0xf9]);
    expect(Array.from(values)).toEqual([448, 16, 20, -16, 2 ** -9, -288]);
  });

  it("k-means finds clusters; entries ascend and one is 0", async () => {
    const centres = [-0.9, -0.2, 0, 0.4, 1];
    const w = Float32Array.from({ length: 400 }, (_, i) => centres[i % 5]! + (i % 5 === 2 || i % 5 === 4 ? 0 : (draw() - 0.5) * 0.02)); // prettier-ignore
    const { read } = await packed(array(w, [4, 100]), quantize.kmeans({ entries: 8 }));
    const table = Array.from(read("table")!);
    for (const centre of centres)
      expect(Math.min(...table.map((entry) => Math.abs(entry - centre)))).toBeLessThan(0.01);
    expect(table.slice().sort((a, b) => a - b)).toEqual(table);
    expect(table.some((entry) => Math.abs(entry) === 0)).toBe(true);
  });
});

describe("bits", () => {
  /** Bit b of code k at bit k · bits + b of a row of bytes. */
  const written = (codes: Float32Array, bits: number, inner: number): Uint8Array => {
    const rowBytes = Math.ceil((inner * bits) / 8);
    const bytes = new Uint8Array((codes.length / inner) * rowBytes);
    codes.forEach((code, i) => {
      for (let b = 0; b < bits; b++) {
        const at = (i % inner) * bits + b;
        if ((code >> b) & 1) bytes[Math.floor(i / inner) * rowBytes + (at >> 3)]! |= 1 << (at & 7);
      }
    });
    return bytes;
  };

  for (const bits of [1, 2, 3, 4, 5, 6, 7, 8]) {
    it(`${bits} a code: low bits first, over the ends of bytes`, async () => {
      for (const inner of [1, 3, 8, 13]) {
        for (const low of [0, -(2 ** (bits - 1))]) {
          const codes = Float32Array.from({ length: 3 * inner }, () => low + Math.floor(draw() * 2 ** bits));
          const bytes = await compile((c: Tensor) => packBits(c, bits)).run(array(codes, [3, inner]));
          expect(bytes.shape).toEqual([3, Math.ceil((inner * bits) / 8)]);
          expect(bytes.data).toEqual(written(codes, bits, inner));
        }
      }
    });
  }

  it("of masks come out as they were", async () => {
    const mask = Uint8Array.from({ length: 2 * 16 }, () => (draw() < 0.5 ? 1 : 0));
    const back = compile((m: Tensor) => unpackMask(packMask(m)));
    expect((await back.run(array(mask, [2, 16], "u8"))).data).toEqual(Float32Array.from(mask));
  });
});

describe("masked weights", () => {
  it("stay zero in every format, and take a bitmap where that is smaller", async () => {
    for (const scheme of [
      quantize.int8(),
      quantize.int8({ symmetric: false }),
      quantize.int4({ group: 8 }),
      quantize.int4({ group: 8, symmetric: false }),
      quantize.nf4({ group: 8 }),
      quantize.kmeans({ entries: 16 }),
      quantize.apot(),
      quantize.fp8("e4m3"),
    ]) {
      const layer = nn.linear(24, 5, { bias: false });
      layer.weight.write(array(weights(120), [5, 24]));
      const mask = Uint8Array.from({ length: 120 }, () => Number(draw() < 0.25));
      layer.weight.setMask(mask);
      const dense = (await quantize(layer, scheme, { keep: () => false })).weight;
      const values = (await dense.read()).data;
      mask.forEach((kept, i) => kept === 0 && expect(Math.abs(values[i]!)).toBe(0));
      expect(dense.parametrization!.parts.bitmap).toBeDefined();
      const unmasked = nn.linear(24, 5, { bias: false });
      unmasked.weight.write(await layer.weight.read());
      expect((await (await quantize(unmasked, scheme)).weight.read()).data.map((v) => v + 0)).toEqual(values.map((v) => v + 0)); // prettier-ignore
    }
  });
});

it("a mask may mark what it keeps by any byte but 0", async () => {
  const mask = Uint8Array.of(1, 0, 2, 255, 4, 0, 0, 8, 16);
  const bitmap = compile((m: Tensor) => packMask(m));
  expect((await bitmap.run(array(mask, [1, 9]))).toArray()).toEqual([[0b10011101, 1]]);
  expect([...(await keptPositions(mask))]).toEqual([0, 2, 3, 4, 7, 8]);
});
