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

/** Names of floats of few bits: a sign, so many bits of exponent and so many of mantissa. */
export type SmallFloat = Float8 | "e2m1";

interface FloatFormat {
  readonly bits: number;
  readonly mantissaBits: number;
  readonly bias: number;
  /** The code of the largest finite value. */
  readonly largest: number;
}

// OCP 8-bit floating point, revision 1.0 (Micikevicius et al. 2022); OCP microscaling formats, revision 1.0 (Rouhani et al. 2023).
const floatFormats: Readonly<Record<SmallFloat, FloatFormat>> = {
  e4m3: { bits: 8, mantissaBits: 3, bias: 7, largest: 0x7e },
  e5m2: { bits: 8, mantissaBits: 2, bias: 15, largest: 0x7b },
  e2m1: { bits: 4, mantissaBits: 1, bias: 1, largest: 0x7 },
};

/** The value of a non-negative code. */
function floatValue({ mantissaBits, bias }: FloatFormat, code: number): number {
  const exponent = code >> mantissaBits;
  const fraction = (code & ((1 << mantissaBits) - 1)) / 2 ** mantissaBits;
  return exponent === 0 ? fraction * 2 ** (1 - bias) : (1 + fraction) * 2 ** (exponent - bias);
}

/** The largest finite value: 448, 57344 or 6. */
export const floatLimit = (format: SmallFloat): number =>
  floatValue(floatFormats[format], floatFormats[format].largest);

/** The code whose sign alone is set. */
export const signCode = (format: SmallFloat): number => 2 ** (floatFormats[format].bits - 1);

/**
 * All finite values of a small float, ascending, with the number of 0 even, so that a tie of `nearest_entry`, which goes to the
 * even number, goes to the even mantissa. What stands before the finite values to that end is out of reach of clamped values.
 */
export function floatTable(format: SmallFloat): { readonly table: readonly number[]; readonly zero: number } {
  const own = floatFormats[format];
  const positive = Array.from({ length: own.largest + 1 }, (_, code) => floatValue(own, code));
  const negative = positive.slice(1).map((value) => -value);
  const padding = negative.length % 2 === 0 ? [] : [-2 * floatLimit(format)];
  return { table: [...padding, ...negative.reverse(), ...positive], zero: padding.length + negative.length };
}

/** The value of every code of a small float; those that are no number are 0. */
export function floatCodes(format: SmallFloat): Float32Array {
  const own = floatFormats[format];
  const sign = signCode(format);
  return Float32Array.from({ length: 2 * sign }, (_, code) => {
    const magnitude = code % sign;
    if (magnitude > own.largest) return 0;
    const value = floatValue(own, magnitude);
    return code < sign ? value : -value;
  });
}

/** The powers of two that a scale of one byte stands for, by its byte; 255 is no number. */
export const exponentScales: readonly number[] = Array.from({ length: 255 }, (_, byte) => 2 ** (byte - 127));
