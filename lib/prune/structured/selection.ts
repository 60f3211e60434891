// Which units go: the ones with the smallest scores, of each group on its own, or of groups that are compared with one another.
// Every group keeps at least one unit, or a whole multiple of what is asked for.
import type { UnitGroup } from "./groups.js";

/**
 * Which units are compared: those of one group; those of all groups that look alike (isomorphic pruning, Fang et al. 2024); or
 * all of them, each score in parts of its group's mean.
 */
export type UnitScope = "layer" | "isomorphic" | "global";

/** A group to be pruned. */
export interface Candidate {
  readonly group: UnitGroup;
  readonly scores: readonly number[];
  /** Share of the units to take away, in [0, 1). */
  readonly amount: number;
}

/** For each candidate the numbers of the units that go, in order. */
export function select(candidates: readonly Candidate[], scope: UnitScope, roundTo: number): number[][] {
  const sets = new Map<unknown, Candidate[]>();
  for (const candidate of candidates) {
    const key = scope === "layer" ? candidate : scope === "global" ? "" : looksOf(candidate.group);
    sets.set(key, [...(sets.get(key) ?? []), candidate]);
  }
  const counts = new Map<Candidate, number>();
  for (const set of sets.values()) share(set, scope === "global").forEach((count, i) => counts.set(set[i]!, count));
  return candidates.map((candidate) => {
    const order = ordered(candidate.scores);
    const kept = keptCount(order.length, counts.get(candidate)!, roundTo);
    return order.slice(0, order.length - kept).sort((a, b) => a - b);
  });
}

// Two groups look alike if they take slices of the same sizes at the same axes.
function looksOf({ kind, members }: UnitGroup): string {
  const looks = members.map(({ parameter, axis, perUnit }) => {
    const rest = parameter.size / parameter.shape[axis]!;
    return `${parameter.shape.length}:${axis}:${perUnit}:${rest}`;
  });
  return [kind, ...looks].join(" ");
}

// Places by rising score; of equal ones the later goes first.
function ordered(scores: readonly number[]): number[] {
  return scores.map((_, i) => i).sort((a, b) => scores[a]! - scores[b]! || b - a);
}

// How many units of each candidate go when all of the set are compared.
function share(set: readonly Candidate[], relative: boolean): number[] {
  const wanted = Math.round(set.reduce((sum, { amount, scores }) => sum + amount * scores.length, 0));
  const all = set.flatMap(({ scores }, candidate) => {
    const mean = scores.reduce((sum, score) => sum + score, 0) / scores.length;
    const scale = relative && mean > 0 ? 1 / mean : 1;
    return scores.map((score) => ({ candidate, score: score * scale }));
  });
  all.sort((a, b) => a.score - b.score || b.candidate - a.candidate);
  const counts = set.map(() => 0);
  let gone = 0;
  for (const { candidate } of all) {
    if (gone === wanted) break;
    if (set[candidate]!.amount === 0 || counts[candidate]! + 1 === set[candidate]!.scores.length) continue;
    counts[candidate]!++;
    gone++;
  }
  return counts;
}

function keptCount(size: number, gone: number, roundTo: number): number {
  if (gone === 0 || size < roundTo) return size;
  return Math.min(size, Math.max(1, Math.round((size - gone) / roundTo)) * roundTo);
}
