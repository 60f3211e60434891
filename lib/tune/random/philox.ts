// Philox4x32-10 (Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC'11) on the host, as
// native/base/philox.h has it: numbers that depend on (seed, trial, stream, position) alone, so that the draws of a trial do not
// depend on which worker makes them, or when.

/** One block: four words of 32 bits of a 128-bit counter and a 64-bit key. */
export function philox(
  counter: readonly [number, number, number, number],
  key: readonly [number, number],
): [number, number, number, number] {
  let [c0, c1, c2, c3] = counter;
  let [k0, k1] = key;
  for (let round = 0; round < 10; round++) {
    const high0 = mulHigh(0xd2511f53, c0);
    const low0 = Math.imul(0xd2511f53, c0);
    const high1 = mulHigh(0xcd9e8d57, c2);
    const low1 = Math.imul(0xcd9e8d57, c2);
    c0 = high1 ^ c1 ^ k0;
    c1 = low1;
    c2 = high0 ^ c3 ^ k1;
    c3 = low0;
    k0 = (k0 + 0x9e3779b9) | 0;
    k1 = (k1 + 0xbb67ae85) | 0;
  }
  return [c0 >>> 0, c1 >>> 0, c2 >>> 0, c3 >>> 0];
}

// The upper 32 bits of the product of two unsigned words, by halves of 16 bits.
function mulHigh(a: number, b: number): number {
  const a0 = a & 0xffff;
  const a1 = a >>> 16;
  const b0 = b & 0xffff;
  const b1 = b >>> 16;
  const low = Math.imul(a0, b0) >>> 0;
  const middle = a1 * b0 + (low >>> 16); // below 2^32
  const other = a0 * b1 + (middle & 0xffff); // below 2^32
  return (a1 * b1 + Math.floor(middle / 65536) + Math.floor(other / 65536)) | 0;
}

/** The 32-bit number that stands for a name: FNV-1a over its UTF-8 bytes. */
export function streamOf(name: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(name)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}

/** Random numbers of one trial and purpose, one after the other. */
export class Draws {
  private readonly key: readonly [number, number];
  private readonly trial: number;
  private readonly stream: number;
  private block = 0;
  private words: readonly number[] = [];
  private left = 0;

  /** `stream` tells what is drawn, such as the name of a parameter; draws of different streams are independent. */
  constructor(seed: number, trial: number, stream: string | number) {
    this.key = [seed | 0, Math.floor(seed / 2 ** 32) | 0];
    this.trial = trial | 0;
    this.stream = typeof stream === "string" ? streamOf(stream) : stream | 0;
  }

  /** 32 random bits. */
  bits(): number {
    if (this.left === 0) {
      this.words = philox([this.block | 0, Math.floor(this.block / 2 ** 32) | 0, this.stream, this.trial], this.key);
      this.block++;
      this.left = 4;
    }
    return this.words[4 - this.left--]!;
  }

  /** In [0, 1), a multiple of 2^-53. */
  uniform(): number {
    const high = this.bits() >>> 5;
    return (high * 67108864 + (this.bits() >>> 6)) / 2 ** 53;
  }

  /** Standard normal, by Box and Muller's transform. */
  normal(): number {
    const radius = Math.sqrt(-2 * Math.log1p(-this.uniform()));
    return radius * Math.cos(2 * Math.PI * this.uniform());
  }

  /** A whole number from 0 to n − 1. */
  below(n: number): number {
    return Math.min(n - 1, Math.floor(this.uniform() * n));
  }

  /** The numbers 0 … n − 1 in a random order (Fisher and Yates). */
  order(n: number): number[] {
    const order = Array.from({ length: n }, (_, i) => i);
    for (let i = n - 1; i > 0; i--) {
      const j = this.below(i + 1);
      [order[i], order[j]] = [order[j]!, order[i]!];
    }
    return order;
  }
}
