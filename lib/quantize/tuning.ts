// Methods are held against rounding to nearest, layer by layer, and kept where they are better. Scales of channels are tried on
// samples that they were not found on: those of one half of calibration on the other, both ways. Codes and the whole are
// compared on all samples.
import type { NdArray } from "../tensor/nd-array.js";
import { gatherRows } from "../data/rows.js";
import { inputsOf, type CalibrationSource } from "./calibrate.js";
import { compensated } from "./compensate.js";
import type { FakeQuantizedParametrization } from "./fake-quantized-parametrization.js";
import type { Method } from "./methods.js";
import { channelStatistics } from "./moments.js";
import { pack } from "./pack.js";
import type { PackedParametrization } from "./packed-parametrization.js";
import { resultErrors, type ResultErrors } from "./results.js";
import { scalings } from "./scalings.js";
import type { Target } from "./targets.js";

type ByTarget<T> = Map<Target, T>;

/** Forms for targets with scaled channels; made by `parametrizationsFor`. */
export type MakeForms = (smooth: ByTarget<NdArray>) => Promise<ByTarget<FakeQuantizedParametrization>>;

const disposeAll = (parametrizations: Iterable<{ dispose(): void }>) => {
  for (const parametrization of parametrizations) parametrization.dispose();
};

/** Every other row from the first or second on. */
function half(source: CalibrationSource, first: 0 | 1): CalibrationSource {
  const x = inputsOf(source.where, source.samples);
  const rows = Int32Array.from({ length: Math.floor((x.shape[0]! - first + 1) / 2) }, (_, i) => 2 * i + first);
  return { ...source, samples: gatherRows(x, rows), sampleOf: (row) => rows[row]! };
}

/** The packed parametrizations of targets rounded to nearest. */
export async function packNearest(
  { where, signal }: Pick<CalibrationSource, "where" | "signal">,
  parametrizations: ReadonlyMap<Target, FakeQuantizedParametrization>,
): Promise<ByTarget<PackedParametrization>> {
  const packed: ByTarget<PackedParametrization> = new Map();
  for (const [target, parametrization] of parametrizations)
    packed.set(target, await pack(where, target.parameter, parametrization, { signal }));
  return packed;
}

/** 1 / s of the channels where scaling by it does better than `plain` on samples that it was not found on. */
export async function provenScalings(
  source: CalibrationSource,
  method: Method,
  plain: ReadonlyMap<Target, PackedParametrization>,
  makeParametrizations: MakeForms,
): Promise<ByTarget<NdArray>> {
  if (inputsOf(source.where, source.samples).shape[0]! < 2) return new Map();
  const halves = [half(source, 0), half(source, 1)] as const;
  const gains = new Map<Target, number>();
  for (const [found, tried] of [halves, [halves[1], halves[0]]] as const) {
    const parametrizations = await makeParametrizations(await scalings(found, [...plain.keys()], method));
    const packed = await packNearest(source, parametrizations);
    try {
      const pairs = new Map(
        [...plain].map(([target, parametrization]) => [target, [parametrization, packed.get(target)!]] as const),
      );
      for (const [target, { errors }] of await resultErrors(tried, pairs)) {
        gains.set(target, (gains.get(target) ?? 0) + errors[0]! - errors[1]!);
      }
    } finally {
      disposeAll(parametrizations.values());
      disposeAll(packed.values());
    }
  }
  const better = [...plain.keys()].filter((target) => (gains.get(target) ?? 0) > 0);
  return better.length === 0 ? new Map() : await scalings(source, better, method);
}

/** Packed parametrizations rounded by GPTQ; those of targets that no product met are rounded to nearest. */
export async function packCompensated(
  source: CalibrationSource,
  { compensate }: Method,
  parametrizations: ReadonlyMap<Target, FakeQuantizedParametrization>,
  smooth: ByTarget<NdArray>,
): Promise<ByTarget<PackedParametrization>> {
  const { where, signal } = source;
  const roundings = await compensated(source, [...parametrizations.keys()], smooth, compensate!);
  try {
    const packed: ByTarget<PackedParametrization> = new Map();
    for (const [target, parametrization] of parametrizations) {
      packed.set(
        target,
        await pack(where, target.parameter, parametrization, { rounding: roundings.for(target), signal }),
      );
    }
    return packed;
  } finally {
    roundings.dispose();
  }
}

/** How many input channels were 0 in all samples. */
export const unseen = (peaks: Float64Array): number => peaks.filter((peak) => peak === 0).length;

/** What came of a target's methods. */
export interface Outcome {
  readonly parametrization: PackedParametrization;
  readonly methods: readonly string[];
  readonly error?: number;
  readonly plainError?: number;
  readonly notes: readonly string[];
}

/** Methods that change what weights become, with the samples that they look at. */
export interface Tuning {
  readonly scaling?: { readonly method: Method; readonly source: CalibrationSource } | undefined;
  readonly compensation?: { readonly method: Method; readonly source: CalibrationSource } | undefined;
}

/** The better of two parametrizations for every target: `plain`, rounded to nearest, or what the methods make of it. The other is disposed of. */
export async function tune(
  { scaling, compensation }: Tuning,
  plain: ReadonlyMap<Target, PackedParametrization>,
  makeParametrizations: MakeForms,
): Promise<ByTarget<Outcome>> {
  const judge = compensation ?? scaling;
  if (!judge)
    return new Map(
      [...plain].map(([target, parametrization]) => [target, { parametrization, methods: [], notes: [] }]),
    );
  const smooth: ByTarget<NdArray> = scaling
    ? await provenScalings(scaling.source, scaling.method, plain, makeParametrizations)
    : new Map<Target, NdArray>();
  const parametrizations = await makeParametrizations(smooth);
  try {
    const tuned = compensation
      ? await packCompensated(compensation.source, compensation.method, parametrizations, smooth)
      : await packNearest(judge.source, parametrizations);
    const pairs = new Map(
      [...plain].map(([target, parametrization]) => [target, [parametrization, tuned.get(target)!]] as const),
    );
    const errors = await resultErrors(judge.source, pairs);
    const seen = await channelStatistics(judge.source, [...plain.keys()]);
    const outcomes: ByTarget<Outcome> = new Map();
    for (const [target, pair] of pairs) {
      const names = { scaling: scaling?.method.name, compensation: compensation?.method.name };
      const scaled = smooth.has(target);
      outcomes.set(target, judged({ pair, names, scaled, found: errors.get(target), peaks: seen.get(target)?.peaks }));
    }
    return outcomes;
  } finally {
    disposeAll(parametrizations.values());
  }
}

interface Trial {
  readonly pair: readonly [plain: PackedParametrization, tuned: PackedParametrization];
  readonly names: { readonly scaling: string | undefined; readonly compensation: string | undefined };
  readonly scaled: boolean;
  readonly found: ResultErrors | undefined;
  readonly peaks: Float64Array | undefined;
}

function judged({ pair: [plain, tuned], names, scaled, found, peaks }: Trial): Outcome {
  const rounded = "the weight is rounded to nearest";
  const keep = (
    parametrization: PackedParametrization,
    other: PackedParametrization,
    rest: Omit<Outcome, "parametrization">,
  ): Outcome => {
    other.dispose();
    return { parametrization, ...rest };
  };
  if (!found || !peaks) return keep(plain, tuned, { methods: [], notes: [`no product x · wᵀ or convolution met it in calibration: ${rounded}`] }); // prettier-ignore
  const [plainError, error] = found.errors.map((sum) => (found.size > 0 ? sum / found.size : 0)) as [number, number];
  const dark = unseen(peaks);
  if (dark === peaks.length) return keep(plain, tuned, { methods: [], error: plainError, plainError, notes: [`its inputs were 0 in all samples, which say nothing: ${rounded}`] }); // prettier-ignore
  const notes = dark > 0 ? [`${dark} of its ${peaks.length} inputs were 0 in all samples: their weights are rounded to nearest`] : []; // prettier-ignore
  const used = [scaled ? names.scaling : undefined, names.compensation].filter((name) => name !== undefined);
  if (names.scaling !== undefined && !scaled) {
    notes.push(
      `${names.scaling} does not help on samples that its scales were not found on: its channels are not scaled`,
    );
  }
  if (used.length > 0 && error < plainError) return keep(tuned, plain, { methods: used, error, plainError, notes });
  if (used.length > 0) notes.push(`${used.join(" and ")} would do no better: ${rounded}`);
  return keep(plain, tuned, { methods: [], error: plainError, plainError, notes });
}
