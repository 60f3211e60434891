// Random numbers of sources: a function of (seed, epoch, position), so that nothing has to be kept to go on. SplitMix's finaliser in 32
// bits (murmur3's), applied to each number in turn.

const scramble = (value: number): number => {
  let z = value | 0;
  z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
  z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
  return (z ^ (z >>> 16)) >>> 0;
};

const GOLDEN = 0x9e3779b9;

const absorb = (state: number, value: number): number =>
  scramble(scramble(state + (value % 2 ** 32) + GOLDEN) ^ Math.floor(value / 2 ** 32));

/** 53 random bits of some whole numbers, as a number in [0, 1). */
export function uniform(...numbers: readonly number[]): number {
  const state = numbers.reduce(absorb, 0);
  const [high, low] = [scramble(state + GOLDEN), scramble(state + 2 * GOLDEN)];
  return ((high >>> 5) * 2 ** 26 + (low >>> 6)) / 2 ** 53;
}

/** A sequence of numbers in [0, 1) that depends on some whole numbers. */
export function uniforms(...numbers: readonly number[]): () => number {
  let state = numbers.reduce(absorb, 0);
  return () => {
    state = (state + GOLDEN) | 0;
    const high = scramble(state);
    state = (state + GOLDEN) | 0;
    return ((high >>> 5) * 2 ** 26 + (scramble(state) >>> 6)) / 2 ** 53;
  };
}
