// A trial of a search that a run belongs to: what it reports, where it is kept, and when it ends.
import { ArgumentError } from "../../errors.js";
import { got } from "../../names/got.js";
import { anyOf } from "./cancellation.js";
import type { FitOptions } from "../fit-options.js";
import type { FitHooks } from "./hooks.js";
import type { EpochRecord, MetricValues } from "./records.js";

/** What a run asks of the trial that it belongs to; the trials of `tune` have it. */
export interface FitTrial {
  /** Fires when the search ends. */
  readonly signal: AbortSignal;
  /** Where the run is kept, if the search keeps any. */
  readonly folder: string | undefined;
  /** The trial whose checkpoint, which lies in `folder`, it goes on from. */
  readonly parent?: { readonly number: number } | undefined;
  report(step: number, value: number): void;
  shouldPrune(): boolean;
  prune(): never;
}

const where = "train.fit";

/**
 * Options and hooks of a run that belongs to a trial: after every epoch it reports what early stopping monitors (or `val.loss`, or `loss`),
 * ends where the pruner says so, and goes on from the trial's own checkpoint where another worker had begun it, or from that of the trial
 * which it is a fork of.
 */
export function belongTo(
  options: FitOptions,
  hooks: FitHooks,
): { readonly options: FitOptions; readonly hooks: FitHooks } {
  const { trial } = options;
  if (trial === undefined) return { options, hooks };
  requireTrial(trial);
  const monitor: string = options.earlyStopping?.monitor ?? (options.validate === undefined ? "loss" : "val.loss");
  const report = ({ epoch, metrics }: EpochRecord): void => {
    const value = (metrics as MetricValues & Readonly<Record<string, number | undefined>>)[monitor];
    if (value !== undefined) trial.report(epoch, value);
  };
  const { callbacks } = options;
  // A fork is a longer run than its parent's, with other rates.
  const allow: FitOptions["allow"] = trial.parent === undefined ? options.allow : [...(options.allow ?? []), "length", "optimizer"]; // prettier-ignore
  const isKept = options.checkpoint === undefined && trial.folder !== undefined;
  return {
    options: {
      ...options,
      signal: anyOf(options.signal, trial.signal),
      ...(allow === undefined ? {} : { allow }),
      ...(isKept ? { checkpoint: { dir: trial.folder, keep: 2, best: false }, resume: options.resume ?? "auto" } : {}),
      callbacks: {
        ...callbacks,
        async onEpoch(record) {
          await callbacks?.onEpoch?.(record);
          report(record);
          if (trial.shouldPrune()) trial.prune();
        },
      },
    },
    hooks: {
      ...hooks,
      resumed(history) {
        hooks.resumed?.(history);
        // What the worker before had reported may not have been written.
        for (const record of history) report(record);
        if (history.length > 0 && trial.shouldPrune()) trial.prune();
      },
    },
  };
}

function requireTrial(trial: unknown): asserts trial is FitTrial {
  const { report, shouldPrune, prune } = (
    typeof trial === "object" && trial !== null ? trial : {}
  ) as Partial<FitTrial>;
  if ([report, shouldPrune, prune].every((method) => typeof method === "function")) return;
  throw new ArgumentError(
    `${where}: trial: expected the trial that an objective is given, got ${got(trial)}; write tune(space, (trial, { params }) => train.fit(…, { trial }))`,
  );
}
