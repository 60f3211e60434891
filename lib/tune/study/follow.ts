// What is derived from a history, kept from one question to the next: a study of twenty thousand trials does not read them all for each.
import type { TrialRecord } from "./record.js";

/** Follows a history: trials that came are added, those that it has not any more are taken back, the last first; the others are not looked at. */
export abstract class Following {
  protected records: TrialRecord[] = [];

  protected abstract add(record: TrialRecord): void;
  protected abstract remove(record: TrialRecord): void;

  /** Brings it up to the first `count` trials of a history; default all. */
  update(history: readonly TrialRecord[], count = history.length): void {
    const kept = keptOf(this.records, history, count);
    while (this.records.length > kept) this.remove(this.records.pop()!);
    for (let i = kept; i < count; i++) {
      this.records.push(history[i]!);
      this.add(history[i]!);
    }
  }
}

/**
 * How many records both begin with. Histories are by number and none of their trials goes: where one that is known stands where it
 * stood, nothing has come before it. So the last such is looked for from the end, where histories differ.
 */
export function keptOf(known: readonly TrialRecord[], history: readonly TrialRecord[], count = history.length): number {
  let kept = Math.min(known.length, count);
  while (kept > 0 && known[kept - 1] !== history[kept - 1]) kept--;
  return kept;
}
