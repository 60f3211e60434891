// What the runs of this process hold for their parameters, gradients and states, counted by the engine.

/** Bytes that a rank holds. */
export interface RankMemory {
  readonly parameters: number;
  /** Gradients, from one step to the next. */
  readonly gradients: number;
  /** States of the optimizer. */
  readonly states: number;
  /** Memory that messages and the sums of shards go through. */
  readonly messages: number;
}

const held = new Set<() => RankMemory>();

/** Counts what `bytes` tells among the rest, until the function that comes back is called. */
export function countMemory(bytes: () => RankMemory): () => void {
  held.add(bytes);
  return () => void held.delete(bytes);
}

/** Of all runs of this process together. */
export function rankMemory(): RankMemory {
  const total = { parameters: 0, gradients: 0, states: 0, messages: 0 };
  for (const bytes of held) {
    const own = bytes();
    for (const name of Object.keys(total) as (keyof RankMemory)[]) total[name] += own[name];
  }
  return total;
}
