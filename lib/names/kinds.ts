// Options whose name says of what kind they are, in whatever function they stand: checked in one place, for all functions.

/** What values an option takes. */
export interface OptionKind {
  /** In words, for errors. */
  readonly expected: string;
  has(value: unknown): boolean;
}

const flag: OptionKind = { expected: "true or false", has: (value) => typeof value === "boolean" };
const callback: OptionKind = { expected: "a function", has: (value) => typeof value === "function" };
const signal: OptionKind = {
  expected: "an AbortSignal, such as AbortSignal.timeout(60_000)",
  has: (value) => typeof value === "object" && value !== null && "aborted" in value && "addEventListener" in value,
};

const kinds = new Map<string, OptionKind>([["signal", signal]]);
for (const name of [
  ...["actOrder", "amsgrad", "biasCorrection", "causal", "centered", "countPadding", "decouple", "decoupledWeightDecay"],
  ...["dropLast", "dryRun", "fromLogits", "matchRms", "maximize", "nesterov", "padBatches", "restoreBest"],
  ...["safeguardWarmup", "separable", "shiftBias", "shuffle", "signals", "standardize", "symmetric"],
]) kinds.set(name, flag); // prettier-ignore
for (const name of ["onEnd", "onEpoch", "onPlan", "onStep", "onTimeline", "onTrial", "onValidate"])
  kinds.set(name, callback);

/** The kind of an option that is of one kind wherever it stands. */
export const kindOfOption = (name: string): OptionKind | undefined => kinds.get(name);
