// Post-training quantization: a clone of the model whose weights are packed, calibrated where the scheme or the method needs it.
import { ArgumentError, checkOptions } from "../errors.js";
import type { Samples } from "../data/index.js";
import { Module } from "../nn/index.js";
import { requireCount } from "../ops/require.js";
import type { NdArray } from "../tensor/nd-array.js";
import type { Parameter } from "../tensor/parameter.js";
import { aborted } from "../tensor/program.js";
import { correctBiases } from "./bias.js";
import { inputsOf, type CalibrationSource } from "./calibrate.js";
import type { FakeForm } from "./fake-form.js";
import { fakeForm } from "./forms.js";
import { compensated } from "./compensate.js";
import type { Method } from "./methods.js";
import { inputRanges } from "./moments.js";
import { inputSteps, minMax, type Observer } from "./observers.js";
import { pack } from "./pack.js";
import type { PackedForm } from "./packed-form.js";
import { scalings } from "./scalings.js";
import { isAffineInput } from "./scheme.js";
import { targetsOf, type SchemeChoice, type Selection, type Target } from "./targets.js";

/** Options of `quantize`. */
export interface QuantizeOptions extends Selection {
  /** Samples that show what the layers' inputs look like; for static activations and methods. Targets are not used. */
  readonly calibrate?: Samples | NdArray | undefined;
  /** Beyond rounding to nearest: one, or several of different kinds. */
  readonly method?: Method | readonly Method[] | undefined;
  /** How the range of static activations is chosen. Default `quantize.minMax()`. */
  readonly observer?: Observer | undefined;
  /** Samples at a time in calibration. Default 128. */
  readonly batchSize?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

const names = ["calibrate", "method", "observer", "batchSize", "signal", "match", "keep"];

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
    const given = samples ?? options.calibrate;
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

/** The forms that the weights of `work` get, by calibration and methods; the model's own forms are untouched. */
export async function formsFor(
  plan: Plan,
  targets: readonly Target[],
  lsq: boolean,
): Promise<{ forms: Map<Target, FakeForm>; smooth: Map<Target, NdArray> }> {
  const { where, source, methods, observer } = plan;
  const scaling = methods.find((method) => method.scaling);
  const smooth = scaling
    ? await scalings(source(scaling.calibrate, scaling.name), targets, scaling)
    : new Map<Target, NdArray>();
  const statics = targets.filter(({ scheme }) => scheme.activations === "static");
  const ranges =
    statics.length === 0
      ? new Map<Target, never>()
      : await inputRanges(source(undefined, "static activations"), statics, smooth, observer);
  for (const target of statics) if (!ranges.has(target)) refuseStatic(where, target);
  const forms = new Map<Target, FakeForm>();
  for (const target of targets) {
    const range = ranges.get(target);
    const input = range && inputSteps(range, isAffineInput(target.scheme));
    forms.set(target, await fakeForm(where, target, { input, smooth: smooth.get(target) }, lsq));
  }
  return { forms, smooth };
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
 * @throws ArgumentError for options, for weights that a scheme cannot take, for calibration that is missing; AbortedError.
 * @example
 * const model = nn.sequential(nn.linear(64, 32), nn.relu(), nn.linear(32, 10));
 * const small = await quantize(model, quantize.int4({ group: 32 }));
 * small.namedParameters().map(({ name }) => name); // ["0.weight.q", "0.weight.scale", "0.bias", …]
 */
export async function quantizeModel<Model extends Module>(
  model: Model,
  choice: SchemeChoice,
  options: QuantizeOptions = {},
): Promise<Model> {
  const where = "quantize";
  requireModel(where, model);
  if (options.signal?.aborted) throw aborted(where, options.signal);
  targetsOf(where, model, choice, options);
  const work = model.clone();
  try {
    const plan = planFor(where, work, options);
    const targets = targetsOf(where, work, choice, options);
    const { forms, smooth } = await formsFor(plan, targets, false);
    const packed = await packAll(plan, targets, forms, smooth);
    const shift = plan.methods.find((method) => method.shiftBias);
    if (shift) await correctBiases(plan.source(shift.calibrate, shift.name), work, packed);
    for (const [target, form] of packed) target.parameter.setForm(form);
    for (const form of forms.values()) form.dispose();
    return work;
  } catch (thrown) {
    work.dispose();
    throw thrown;
  }
}

async function packAll(
  { where, source, methods, signal }: Plan,
  targets: readonly Target[],
  forms: ReadonlyMap<Target, FakeForm>,
  smooth: Map<Target, NdArray>,
): Promise<Map<Target, PackedForm>> {
  const method = methods.find((each) => each.compensate);
  const roundings = method
    ? await compensated(source(method.calibrate, method.name), targets, smooth, method.compensate!)
    : undefined;
  try {
    const packed = new Map<Target, PackedForm>();
    for (const target of targets) {
      const rounding = roundings?.for(target);
      packed.set(target, await pack(where, target.parameter, forms.get(target)!, { rounding, signal }));
    }
    return packed;
  } finally {
    roundings?.dispose();
  }
}

/** Parameters by the form that they have. */
export const formsOf = <Kind>(model: Module, kind: new (...args: never[]) => Kind): [Parameter, Kind][] =>
  model
    .namedWeights()
    .flatMap(({ parameter }) => (parameter.form instanceof kind ? [[parameter, parameter.form]] : []));
