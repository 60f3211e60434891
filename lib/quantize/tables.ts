// The value tables of the non-uniform formats, ascending, in units of the scale. Every one holds 0, so that pruned weights stay 0.

/**
 * 4-bit NormalFloat: quantiles of a normal distribution, scaled to [-1, 1], one of them 0 (Dettmers et al. 2023, appendix E).
 */
export const normalFloat4: readonly number[] = [
  -1, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334,
  -0.09105003625154495, 0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
  0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1,
];

/**
 * Additive powers of two (Li et al. 2020) of `bits` bits, one of them the sign: every magnitude is a sum of terms, each 0 or a
 * power of two of its own. A term takes two bits; of an odd number of bits the last term takes one. Scaled to [-1, 1].
 */
export function additivePowers(bits: number): readonly number[] {
  const magnitudeBits = bits - 1;
  const full = Math.floor(magnitudeBits / 2);
  const terms: number[][] = Array.from({ length: Math.ceil(magnitudeBits / 2) }, () => [0]);
  // Exponents -1, -2, … go round the terms, three rounds; the term of one bit takes part in the second alone, as in the authors'
  // own code, which leaves small values the finer steps.
  let exponent = -1;
  for (let round = 0; round < 3; ++round) {
    for (let term = 0; term < full; ++term) terms[term]!.push(2 ** exponent--);
    if (round === 1) terms[full]?.push(2 ** exponent--);
  }
  const sums = terms.reduce<number[]>((all, term) => all.flatMap((sum) => term.map((power) => sum + power)), [0]);
  const most = Math.max(...sums);
  const magnitudes = [...new Set(sums)].map((sum) => sum / most).sort((a, b) => a - b);
  return [
    ...magnitudes
      .slice(1)
      .map((value) => -value)
      .reverse(),
    ...magnitudes,
  ];
}

/** Names of the 8-bit floats. */
export type Float8 = "e4m3" | "e5m2";

/** The largest finite value of an 8-bit float: OCP 8-bit floating point, revision 1.0 (Micikevicius et al. 2022). */
export const float8Limit: Readonly<Record<Float8, number>> = { e4m3: 448, e5m2: 57_344 };

// Bytes of the largest finite value.
const largestByte: Readonly<Record<Float8, number>> = { e4m3: 0x7e, e5m2: 0x7b };

/** The value of a non-negative 8-bit float. */
function float8Value(format: Float8, byte: number): number {
  const mantissaBits = format === "e4m3" ? 3 : 2;
  const bias = format === "e4m3" ? 7 : 15;
  const exponent = byte >> mantissaBits;
  const fraction = (byte & ((1 << mantissaBits) - 1)) / 2 ** mantissaBits;
  return exponent === 0 ? fraction * 2 ** (1 - bias) : (1 + fraction) * 2 ** (exponent - bias);
}

/**
 * All finite values of an 8-bit float, ascending, with the number of 0 even, so that a tie of `nearest_entry`, which goes to the
 * even number, goes to the even mantissa. What stands before the finite values to that end is out of reach of clamped values.
 */
export function float8Table(format: Float8): { readonly table: readonly number[]; readonly zero: number } {
  const positive = Array.from({ length: largestByte[format] + 1 }, (_, byte) => float8Value(format, byte));
  const negative = positive.slice(1).map((value) => -value);
  const padding = negative.length % 2 === 0 ? [] : [-2 * float8Limit[format]];
  return { table: [...padding, ...negative.reverse(), ...positive], zero: padding.length + negative.length };
}

/** The value of every byte of an 8-bit float; those that are no number are 0. */
export function float8Bytes(format: Float8): Float32Array {
  return Float32Array.from({ length: 256 }, (_, byte) => {
    const magnitude = byte & 0x7f;
    if (magnitude > largestByte[format]) return 0;
    const value = float8Value(format, magnitude);
    return byte < 128 ? value : -value;
  });
}
