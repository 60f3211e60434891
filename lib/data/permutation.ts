// A seeded random order, for splits made on the host. Fisher and Yates' shuffle over splitmix32 (Steele, Lea and Flood,
// "Fast splittable pseudorandom number generators", 2014, with murmur3's 32-bit finaliser): small, and the same everywhere.

/** The numbers 0 … n − 1 in an order that depends on `seed` alone. */
export function permutation(n: number, seed: number): Int32Array {
  const order = Int32Array.from({ length: n }, (_, i) => i);
  const next = splitmix32(seed);
  for (let i = n - 1; i > 0; i--) {
    const j = Math.floor((next() / 2 ** 32) * (i + 1));
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}

function splitmix32(seed: number): () => number {
  // Both halves of a seed above 32 bits count.
  let state = (seed ^ Math.imul(Math.floor(seed / 2 ** 32), 0x85ebca6b)) | 0;
  return () => {
    state = (state + 0x9e3779b9) | 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
    z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
    return (z ^ (z >>> 16)) >>> 0;
  };
}
