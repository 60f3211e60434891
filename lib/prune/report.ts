// What pruning had to do without: where samples said nothing of weights, and what decided instead.
import type { Module } from "../nn/module.js";

/** What `prune` has to say of its masks; `toString()` is a line a note. */
export interface PruneReport {
  /** Sentences, each with the weight's name before it; none where every score was informed. */
  readonly notes: readonly string[];
  toString(): string;
}

const reports = new WeakMap<Module, PruneReport>();

/** @internal */
export function keepReport(model: Module, notes: readonly string[]): void {
  reports.set(model, { notes, toString: () => notes.join("\n") });
}

/**
 * What `prune` or `prune.mask` has to say of the masks that it put on this model: weights of whose inputs the samples say nothing,
 * and scores that are all 0. Undefined for any other model, a clone or a loaded one too.
 *
 * @example
 * const calibrate = { x: array(new Float32Array(16), [2, 8]), y: array(new Float32Array(8), [2, 4]) }; // inputs of 0
 * const pruned = await prune(nn.linear(8, 4), { amount: 0.5, criterion: prune.wanda, calibrate });
 * prune.report(pruned)?.notes.length; // 1
 */
export const report = (model: Module): PruneReport | undefined => reports.get(model);
