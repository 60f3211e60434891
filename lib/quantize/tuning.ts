// Methods are held against rounding to nearest, layer by layer, and kept where they are better. Scales of channels are tried on
// samples that they were not found on: those of one half of calibration on the other, both ways. Codes and the whole are
// compared on all samples.
import type { NdArray } from "../tensor/nd-array.js";
import { gatherRows } from "../data/rows.js";
import { inputsOf, type CalibrationSource } from "./calibrate.js";
import { compensated } from "./compensate.js";
import type { FakeForm } from "./fake-form.js";
import type { Method } from "./methods.js";
import { channelStatistics } from "./moments.js";
import { pack } from "./pack.js";
import type { PackedForm } from "./packed-form.js";
import { resultErrors, type ResultErrors } from "./results.js";
import { scalings } from "./scalings.js";
import type { Target } from "./targets.js";

type ByTarget<T> = Map<Target, T>;

/** Forms for targets with scaled channels; made by `formsFor`. */
export type MakeForms = (smooth: ByTarget<NdArray>) => Promise<ByTarget<FakeForm>>;

const disposeAll = (forms: Iterable<{ dispose(): void }>) => {
  for (const form of forms) form.dispose();
};

/** Every other row from the first or second on. */
function half(source: CalibrationSource, first: 0 | 1): CalibrationSource {
  const x = inputsOf(source.where, source.samples);
  const rows = Int32Array.from({ length: Math.floor((x.shape[0]! - first + 1) / 2) }, (_, i) => 2 * i + first);
  return { ...source, samples: gatherRows(x, rows), sampleOf: (row) => rows[row]! };
}

/** The packed forms of targets rounded to nearest. */
export async function packNearest(
  { where, signal }: Pick<CalibrationSource, "where" | "signal">,
  forms: ReadonlyMap<Target, FakeForm>,
): Promise<ByTarget<PackedForm>> {
  const packed: ByTarget<PackedForm> = new Map();
  for (const [target, form] of forms) packed.set(target, await pack(where, target.parameter, form, { signal }));
  return packed;
}

/** 1 / s of the channels where scaling by it does better than `plain` on samples that it was not found on. */
export async function provenScalings(
  source: CalibrationSource,
  method: Method,
  plain: ReadonlyMap<Target, PackedForm>,
  makeForms: MakeForms,
): Promise<ByTarget<NdArray>> {
  if (inputsOf(source.where, source.samples).shape[0]! < 2) return new Map();
  const halves = [half(source, 0), half(source, 1)] as const;
  const gains = new Map<Target, number>();
  for (const [found, tried] of [halves, [halves[1], halves[0]]] as const) {
    const forms = await makeForms(await scalings(found, [...plain.keys()], method));
    const packed = await packNearest(source, forms);
    try {
      const pairs = new Map([...plain].map(([target, form]) => [target, [form, packed.get(target)!]] as const));
      for (const [target, { errors }] of await resultErrors(tried, pairs)) {
        gains.set(target, (gains.get(target) ?? 0) + errors[0]! - errors[1]!);
      }
    } finally {
      disposeAll(forms.values());
      disposeAll(packed.values());
    }
  }
  const better = [...plain.keys()].filter((target) => (gains.get(target) ?? 0) > 0);
  return better.length === 0 ? new Map() : await scalings(source, better, method);
}

/** Packed forms rounded by GPTQ; those of targets that no product met are rounded to nearest. */
export async function packCompensated(
  source: CalibrationSource,
  { compensate }: Method,
  forms: ReadonlyMap<Target, FakeForm>,
  smooth: ByTarget<NdArray>,
): Promise<ByTarget<PackedForm>> {
  const { where, signal } = source;
  const roundings = await compensated(source, [...forms.keys()], smooth, compensate!);
  try {
    const packed: ByTarget<PackedForm> = new Map();
    for (const [target, form] of forms) {
      packed.set(target, await pack(where, target.parameter, form, { rounding: roundings.for(target), signal }));
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
  readonly form: PackedForm;
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

/** The better of two forms for every target: `plain`, rounded to nearest, or what the methods make of it. The other is disposed of. */
export async function tune(
  { scaling, compensation }: Tuning,
  plain: ReadonlyMap<Target, PackedForm>,
  makeForms: MakeForms,
): Promise<ByTarget<Outcome>> {
  const judge = compensation ?? scaling;
  if (!judge) return new Map([...plain].map(([target, form]) => [target, { form, methods: [], notes: [] }]));
  const smooth: ByTarget<NdArray> = scaling
    ? await provenScalings(scaling.source, scaling.method, plain, makeForms)
    : new Map<Target, NdArray>();
  const forms = await makeForms(smooth);
  try {
    const tuned = compensation
      ? await packCompensated(compensation.source, compensation.method, forms, smooth)
      : await packNearest(judge.source, forms);
    const pairs = new Map([...plain].map(([target, form]) => [target, [form, tuned.get(target)!]] as const));
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
    disposeAll(forms.values());
  }
}

interface Trial {
  readonly pair: readonly [plain: PackedForm, tuned: PackedForm];
  readonly names: { readonly scaling: string | undefined; readonly compensation: string | undefined };
  readonly scaled: boolean;
  readonly found: ResultErrors | undefined;
  readonly peaks: Float64Array | undefined;
}

function judged({ pair: [plain, tuned], names, scaled, found, peaks }: Trial): Outcome {
  const rounded = "the weight is rounded to nearest";
  const keep = (form: PackedForm, other: PackedForm, rest: Omit<Outcome, "form">): Outcome => {
    other.dispose();
    return { form, ...rest };
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
