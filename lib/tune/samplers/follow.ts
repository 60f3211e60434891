// What is derived from a history, kept from one question to the next: a study of twenty thousand trials does not read them all for each.
import type { TrialRecord } from "../study/record.js";

/** Follows a history: trials that came are added, those that it has not any more are taken back, the others are not looked at. */
export abstract class Following {
  protected records: TrialRecord[] = [];

  protected abstract add(record: TrialRecord): void;
  protected abstract remove(record: TrialRecord): void;

  update(history: readonly TrialRecord[]): void {
    const kept = keptOf(this.records, history);
    for (let i = kept; i < this.records.length; i++) this.remove(this.records[i]!);
    this.records.length = kept;
    for (let i = kept; i < history.length; i++) {
      this.records.push(history[i]!);
      this.add(history[i]!);
    }
  }
}

/**
 * How many records both begin with. Histories are by number and none of their trials goes: where one that is known stands where it
 * stood, nothing has come before it.
 */
export function keptOf(known: readonly TrialRecord[], history: readonly TrialRecord[]): number {
  const count = known.length;
  if (count > 0 && history[count - 1] === known[count - 1]) return count;
  let kept = 0;
  while (kept < count && known[kept] === history[kept]) kept++;
  return kept;
}
