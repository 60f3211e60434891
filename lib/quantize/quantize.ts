// Post-training quantization: a clone of the model whose weights are packed, calibrated where the scheme or the method needs it.
import { requireCount } from "../guidance/arguments.js";
import { ArgumentError, checkOptions } from "../errors.js";
import type { BatchSource, Samples } from "../data/index.js";
import { withCalibration } from "../data/sources/in-memory.js";
import { recordStep } from "../info/index.js";
import { Module } from "../nn/index.js";
import { requireSound } from "../nn/sound.js";
import { requireFiniteSamples } from "../tensor/finite.js";
import type { NdArray } from "../tensor/nd-array.js";
import type { Parameter } from "../tensor/parameter.js";
import { aborted } from "../tensor/program.js";
import { ZeroParametrization } from "../tensor/zero-parametrization.js";
import { correctBiases } from "./bias.js";
import { inputsOf, type CalibrationSource } from "./calibrate.js";
import type { FakeQuantizedParametrization } from "./fake-quantized-parametrization.js";
import { fakeQuantized } from "./parametrizations.js";
import type { Method } from "./methods.js";
import { inputRanges } from "./moments.js";
import { inputSteps, minMax, type Observer } from "./observers.js";
import { isHidden } from "./pack.js";
import { keepReport, type LayerReport } from "./report.js";
import { describeScheme } from "./scheme.js";
import { targetsOf, type SchemeChoice, type Selection, type Target } from "./targets.js";
import { packNearest, tune, type Outcome } from "./tuning.js";

/** Options of `quantize`. */
export interface QuantizeOptions extends Selection {
  /** Samples that show what the layers' inputs look like; for static activations and methods. Of a source the first 1024; targets are not used. */
  readonly calibrate?: Samples | NdArray | BatchSource | undefined;
  /** Beyond rounding to nearest: one, or several of different kinds. */
  readonly method?: Method | readonly Method[] | undefined;
  /** How the range of static activations is chosen. Default `quantize.minMax()`. */
  readonly observer?: Observer | undefined;
  /** Samples at a time in calibration. Default 128. */
  readonly batchSize?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

const names = ["calibrate", "method", "observer", "batchSize", "signal", "match", "keep", "integers"];

/** Options that have been checked. */
export interface Plan {
  readonly where: string;
  readonly source: (samples: Samples | NdArray | undefined, why: string) => CalibrationSource;
  readonly methods: readonly Method[];
  readonly observer: Observer;
  readonly signal: AbortSignal | undefined;
}

/** @throws ArgumentError */
export function planFor(where: string, model: Module, options: QuantizeOptions, more: readonly string[] = []): Plan {
  checkOptions(where, options, [...names, ...more]);
  const { method = [], observer = minMax(), batchSize = 128, signal } = options;
  requireCount(where, "batchSize", batchSize);
  const methods = Array.isArray(method) ? (method as readonly Method[]) : [method as Method];
  for (const kind of ["scaling", "compensate", "shiftBias"] as const) {
    const same = methods.filter((each) => each[kind]);
    if (same.length > 1) {
      throw new ArgumentError(
        `${where}: ${same.map(({ name }) => name).join(" and ")} do the same to a layer; take one of them`,
      );
    }
  }
  const source = (samples: Samples | NdArray | undefined, why: string): CalibrationSource => {
    const given = samples ?? (options.calibrate as Samples | NdArray | undefined);
    if (given === undefined) {
      throw new ArgumentError(`${where}: ${why} needs samples; give { calibrate: data.train.take(256) }`);
    }
    inputsOf(where, given);
    return { where, model, samples: given, batchSize, signal };
  };
  return { where, source, methods, observer, signal };
}

/** @throws ArgumentError unless `model` is a module. */
export function requireModel(where: string, model: unknown): asserts model is Module {
  if (model instanceof Module) return;
  throw new ArgumentError(
    `${where}: expected a module, got ${model === null ? "null" : typeof model}; put plain functions into nn.sequential, load artifacts by artifact.loadModel`,
  );
}

/** Forms by target, and what there is to say of each. */
export interface Forms {
  readonly parametrizations: Map<Target, FakeQuantizedParametrization>;
  readonly notes: ReadonlyMap<Target, string>;
}

/**
 * The parametrizations that the weights of `work` get, with channels scaled by `smooth`; the model's own parametrizations are untouched. Static inputs that
 * were 0 in all samples have no range: they are scaled row by row.
 */
export async function parametrizationsFor(
  { where, source, observer }: Plan,
  targets: readonly Target[],
  { lsq = false, smooth = new Map<Target, NdArray>() } = {},
): Promise<Forms> {
  const notes = new Map(targets.flatMap((target) => (target.note === undefined ? [] : [[target, target.note]])));
  if (targets.some(({ asked }) => asked === "static")) source(undefined, "static activations");
  const statics = targets.filter(({ scheme }) => scheme.activations === "static");
  const ranges =
    statics.length === 0
      ? new Map<Target, never>()
      : await inputRanges(source(undefined, "static activations"), statics, smooth, observer);
  for (const target of statics) if (!ranges.has(target)) refuseStatic(where, target);
  const parametrizations = new Map<Target, FakeQuantizedParametrization>();
  for (const target of targets) {
    const range = ranges.get(target);
    const scheme =
      range && range[0] === range[1] ? ({ ...target.scheme, activations: "dynamic" } as const) : target.scheme;
    if (scheme !== target.scheme) notes.set(target, "its inputs were 0 in all samples, so they have no range and are scaled row by row (dynamic)"); // prettier-ignore
    const input = scheme.activations === "static" ? inputSteps(range!) : undefined;
    parametrizations.set(
      target,
      await fakeQuantized(where, { ...target, scheme }, { input, smooth: smooth.get(target) }, lsq),
    );
  }
  return { parametrizations, notes };
}

function refuseStatic(where: string, { name }: Target): never {
  throw new ArgumentError(
    `${where}: "${name}" met no input as the weight of a product x · wᵀ or a convolution during calibration, so it has no range for static activations; take { activations: "float" }, or leave it out by keep`,
  );
}

/**
 * A copy of the model with its weights quantized; the original is left as it is. The copy runs on the packed weights and is saved
 * with them. Weights of two dimensions or more are taken, embeddings not unless they match.
 *
 * @param choice a scheme, or a function that gives one for each weight (nothing: left as it is).
 * Methods are kept, weight by weight, where the layer's result over calibration is better than with weights rounded to nearest;
 * `quantize.report(small)` says what was kept and what was left out, and why. A weight that a mask hides wholly takes no room.
 *
 * @throws ArgumentError for options, for weights that a scheme cannot take, for calibration that is missing; NonFiniteError for a
 *   weight, a sample or a layer's input that is NaN or infinite; AbortedError.
 * @example
 * const model = nn.sequential(nn.linear(64, 32), nn.relu(), nn.linear(32, 10));
 * const small = await quantize(model, quantize.int4({ group: 32 }));
 * small.namedParameters().map(({ name }) => name); // ["0.weight.q", "0.weight.scale", "0.bias", …]
 */
export async function quantizeModel<Model extends Module>(
  model: Model,
  choice: SchemeChoice,
  given: QuantizeOptions = {},
): Promise<Model> {
  const where = "quantize";
  requireModel(where, model);
  checkOptions(where, given, names);
  const options = await withCalibration(given);
  if (options.signal?.aborted) throw aborted(where, options.signal);
  const chosen = targetsOf(where, model, choice, options);
  await requireSoundInputs(where, model, chosen, options);
  const work = model.clone().assignNames();
  try {
    const plan = planFor(where, work, options);
    const { hidden, targets } = await hide(targetsOf(where, work, choice, options));
    const outcomes = await solve(plan, work, targets);
    for (const [target, { parametrization }] of outcomes) target.parameter.setParametrization(parametrization);
    keepReport(work, [...hidden, ...[...outcomes].map(([target, outcome]) => layerReport(target, outcome))]);
    const methods = plan.methods.map(({ name }) => name);
    recordStep(work, "quantize", { schemes: schemesOf(targets), ...(methods.length > 0 && { methods }) });
    return work;
  } catch (thrown) {
    work.dispose();
    throw thrown;
  }
}

/** The names of the schemes that weights got, each once. */
export const schemesOf = (targets: readonly Target[]): string[] => [
  ...new Set(targets.map(({ scheme }) => scheme.name)),
];

const layerReport = ({ name }: Target, { parametrization, ...rest }: Outcome): LayerReport => {
  return { name, scheme: describeScheme(parametrization.scheme), ...rest };
};

/** @throws NonFiniteError for weights or samples that are NaN or infinite. */
export async function requireSoundInputs(
  where: string,
  model: Module,
  targets: readonly Target[],
  { calibrate, method = [] }: Pick<QuantizeOptions, "calibrate" | "method">,
): Promise<void> {
  await requireSound(where, model, targets.map(({ parameter }) => parameter)); // prettier-ignore
  const methods = Array.isArray(method) ? (method as readonly Method[]) : [method as Method];
  for (const samples of [calibrate, ...methods.map((each) => each.calibrate)]) {
    if (samples !== undefined) await requireFiniteSamples(where, "calibrate", inputsOf(where, samples));
  }
}

/** Weights that are masked wholly become zeros that take no room; the others are left to be quantized. */
async function hide(all: readonly Target[]): Promise<{ hidden: LayerReport[]; targets: Target[] }> {
  const hidden: LayerReport[] = [];
  const targets: Target[] = [];
  for (const target of all) {
    const { name, parameter } = target;
    if (!(await isHidden(parameter))) {
      targets.push(target);
      continue;
    }
    parameter.setParametrization(new ZeroParametrization(parameter.shape));
    hidden.push({ name, scheme: "zeros", methods: [], notes: ["its mask hides all of it: nothing is kept"] });
  }
  return { hidden, targets };
}

// Codes by the methods where they are better than the nearest, then the biases for what was kept.
async function solve(plan: Plan, work: Module, targets: readonly Target[]): Promise<Map<Target, Outcome>> {
  const { methods, source, signal, where } = plan;
  const by = (kind: "scaling" | "compensate" | "shiftBias") => {
    const method = methods.find((each) => each[kind]);
    return method && { method, source: source(method.calibrate, method.name) };
  };
  const [tuning, shift] = [{ scaling: by("scaling"), compensation: by("compensate") }, by("shiftBias")];
  const { parametrizations, notes } = await parametrizationsFor(plan, targets);
  const plain = await packNearest({ where, signal }, parametrizations);
  for (const parametrization of parametrizations.values()) parametrization.dispose();
  const outcomes = await tune(
    tuning,
    plain,
    async (smooth) => (await parametrizationsFor(plan, targets, { smooth })).parametrizations,
  );
  for (const [target, note] of notes) {
    const outcome = outcomes.get(target)!;
    outcomes.set(target, { ...outcome, notes: [note, ...outcome.notes] });
  }
  if (!shift) return outcomes;
  const packed = new Map([...outcomes].map(([target, { parametrization }]) => [target, parametrization] as const));
  const corrected = await correctBiases(shift.source, work, packed);
  for (const [target, outcome] of outcomes) {
    const { methods: used, notes: said } = outcome;
    const { name } = shift.method;
    const left = `${name}: the mean error of its result is no more than chance gives, or it has no bias; nothing is corrected`;
    const done = corrected.has(target) ? { methods: [...used, name] } : { notes: [...said, left] };
    outcomes.set(target, { ...outcome, ...done });
  }
  return outcomes;
}

/** Parameters by the parametrization that they have. */
export const parametrizationsOf = <Kind>(model: Module, kind: new (...args: never[]) => Kind): [Parameter, Kind][] =>
  model
    .namedWeights()
    .flatMap(({ parameter }) =>
      parameter.parametrization instanceof kind ? [[parameter, parameter.parametrization]] : [],
    );
