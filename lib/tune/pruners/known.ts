// What a pruner knows of the studies that it is asked about, kept from one decision to the next.
import type { Following } from "../study/follow.js";
import { isEnded, type Direction, type TrialRecord } from "../study/record.js";
import type { PruneRequest } from "./pruner.js";

interface Entry<T> {
  readonly direction: Direction;
  readonly seed: number;
  readonly index: T;
}

/** An index a study: a pruner may serve several, and a study is told by its first trial. */
export class Known<T extends Following> {
  private readonly make: (direction: Direction, seed: number) => T;
  private readonly entries = new WeakMap<TrialRecord, Entry<T>>();

  constructor(make: (direction: Direction, seed: number) => T) {
    this.make = make;
  }

  /** The index of the trials that have ended, and those behind them that run. */
  of({ history, direction, seed }: PruneRequest): { readonly index: T; readonly running: readonly TrialRecord[] } {
    let count = history.length;
    while (count > 0 && !isEnded(history[count - 1]!.state)) count--;
    const index = this.indexOf(count > 0 ? history[0] : undefined, direction, seed);
    index.update(history, count);
    return { index, running: history.slice(count) };
  }

  private indexOf(first: TrialRecord | undefined, direction: Direction, seed: number): T {
    const known = first && this.entries.get(first);
    if (known?.direction === direction && known.seed === seed) return known.index;
    const index = this.make(direction, seed);
    if (first !== undefined) this.entries.set(first, { direction, seed, index });
    return index;
  }
}
