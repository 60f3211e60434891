// f16 (IEEE 754 binary16) on the host, rounding to nearest even: scores kept at half the size, off by at most 2⁻¹¹ of themselves.

const word = new Float32Array(1);
const bits = new Uint32Array(word.buffer);

/** The largest finite f16. */
export const largestHalf = 65504;

/** The bits of the f16 nearest to each number; beyond ±65504 the largest. */
export function toHalf(values: Float32Array): Uint16Array {
  return Uint16Array.from(values, (value) => encode(Math.max(-largestHalf, Math.min(largestHalf, value))));
}

/** The numbers of f16 bits. */
export function fromHalf(halves: Uint16Array): Float32Array {
  return Float32Array.from(halves, decode);
}

function encode(value: number): number {
  word[0] = value;
  const f = bits[0]!;
  const sign = (f >>> 16) & 0x8000;
  const exponent = (f >>> 23) & 0xff;
  const mantissa = f & 0x7fffff;
  if (exponent === 0xff) return sign | 0x7c00 | (mantissa ? 0x200 : 0);
  // Below 2⁻¹⁴ a subnormal: so many more bits of the mantissa, its leading one included, fall away.
  const shift = exponent < 113 ? 126 - exponent : 13;
  if (shift > 24) return sign;
  const whole = exponent < 113 ? mantissa | 0x800000 : ((exponent - 112) << 23) | mantissa;
  const kept = whole >>> shift;
  const rest = whole & ((1 << shift) - 1);
  const halfway = 1 << (shift - 1);
  const up = rest > halfway || (rest === halfway && (kept & 1) === 1) ? 1 : 0;
  return sign | (kept + up); // a carry out of the mantissa is the next exponent, as it should be
}

function decode(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >>> 10) & 0x1f;
  const mantissa = half & 0x3ff;
  if (exponent === 0) return sign * mantissa * 2 ** -24;
  if (exponent === 31) return mantissa ? NaN : sign * Infinity;
  return sign * (1 + mantissa / 1024) * 2 ** (exponent - 15);
}
