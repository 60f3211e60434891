// Functions that JavaScript's Math lacks, to float64's precision: the error function by the series of DLMF 7.6.2 (all terms
// positive) below 2, by the continued fraction of DLMF 7.9.1 above.

/** 1 - erf(x), with its relative precision kept in the tail. */
export function erfc(x: number): number {
  if (Number.isNaN(x)) return NaN;
  if (x < 2) return 1 - erf(x);
  if (x > 28) return 0;
  let fraction = 0;
  for (let n = 200; n >= 1; --n) fraction = n / 2 / (x + fraction);
  return Math.exp(-x * x) / ((x + fraction) * Math.sqrt(Math.PI));
}

export function erf(x: number): number {
  if (Number.isNaN(x)) return NaN;
  if (Math.abs(x) >= 2) return Math.sign(x) * (1 - erfc(Math.abs(x)));
  let term = x;
  let sum = x;
  for (let n = 1; n < 80; ++n) {
    term *= (2 * x * x) / (2 * n + 1);
    sum += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}

export const sigmoid = (x: number): number => (x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x)));

/** x Φ(x) */
export const gelu = (x: number): number => 0.5 * x * erfc(-x / Math.SQRT2);

/** Φ(x) + x φ(x) */
export const geluSlope = (x: number): number =>
  0.5 * erfc(-x / Math.SQRT2) + (x * Math.exp((-x * x) / 2)) / Math.sqrt(2 * Math.PI);

const c = Math.sqrt(2 / Math.PI);
const inner = (x: number): number => c * (x + 0.044715 * x ** 3);

export const geluTanh = (x: number): number => 0.5 * x * (1 + Math.tanh(inner(x)));

export function geluTanhSlope(x: number): number {
  const t = Math.tanh(inner(x));
  return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * c * (1 + 3 * 0.044715 * x * x);
}

export const siluSlope = (x: number): number => sigmoid(x) * (1 + x * (1 - sigmoid(x)));

/** Halves to even. */
export function roundEven(x: number): number {
  const below = Math.floor(x);
  if (x - below !== 0.5) return Math.round(x);
  return below % 2 === 0 ? below : below + 1;
}
