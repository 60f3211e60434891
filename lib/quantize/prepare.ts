// Quantization-aware training: a clone that computes as if quantized and trains in floats, and its packing afterwards.
import { ArgumentError, checkOptions } from "../errors.js";
import { withCalibration } from "../data/sources/in-memory.js";
import { recordStep } from "../info/index.js";
import type { Module } from "../nn/index.js";
import { requireSound } from "../nn/sound.js";
import { ZeroParametrization } from "../tensor/zero-parametrization.js";
import { FakeQuantizedParametrization } from "./fake-quantized-parametrization.js";
import { isHidden, pack } from "./pack.js";
import { PackedParametrization } from "./packed-parametrization.js";
import {
  parametrizationsFor,
  parametrizationsOf,
  planFor,
  requireModel,
  requireSoundInputs,
  schemesOf,
  type QuantizeOptions,
} from "./quantize.js";
import { targetsOf, type SchemeChoice } from "./targets.js";

/** Options of {@link prepare}. */
export interface PrepareOptions extends Omit<QuantizeOptions, "method"> {
  /** Train the scales with the weights (LSQ, Esser et al. 2020); otherwise they follow the largest weight. Default false. */
  readonly lsq?: boolean | undefined;
}

/**
 * A copy of the model for quantization-aware training: every product sees its weights (and, by the scheme, its inputs) rounded as
 * they will be once packed, gradients pass straight through the rounding. Train it as any model, then {@link convert} it. Give the
 * steps no weight decay: `groups: [{ match: /[sS]tep$/, weightDecay: 0 }]`.
 *
 * @throws ArgumentError and NonFiniteError as `quantize`; static activations need `calibrate`.
 * @example
 * const model = nn.sequential(nn.linear(64, 32), nn.relu(), nn.linear(32, 10));
 * const trained = await quantize.prepare(model, quantize.int4({ group: 32 }), { lsq: true });
 * // … train.fit(trained, …)
 * const packed = await quantize.convert(trained);
 */
export async function prepare<Model extends Module>(
  model: Model,
  choice: SchemeChoice,
  given: PrepareOptions = {},
): Promise<Model> {
  const where = "quantize.prepare";
  requireModel(where, model);
  checkOptions(where, given, ["calibrate", "observer", "batchSize", "signal", "match", "keep", "integers", "lsq"]);
  const options = await withCalibration(given);
  const { lsq = false, ...rest } = options;
  await requireSoundInputs(where, model, targetsOf(where, model, choice, options), options);
  const work = model.clone().assignNames();
  try {
    const targets = targetsOf(where, work, choice, options);
    const { parametrizations } = await parametrizationsFor(planFor(where, work, rest), targets, { lsq });
    for (const [target, parametrization] of parametrizations) target.parameter.setParametrization(parametrization);
    recordStep(work, "fakeQuantize", { schemes: schemesOf(targets), lsq });
    return work;
  } catch (thrown) {
    work.dispose();
    throw thrown;
  }
}

/**
 * A copy of a model from {@link prepare} with its weights packed: the integers are those that training saw.
 *
 * @throws ArgumentError if the model has no fake-quantized weight; NonFiniteError for a weight or step that is not finite; AbortedError.
 */
export async function convert<Model extends Module>(
  model: Model,
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<Model> {
  const where = "quantize.convert";
  requireModel(where, model);
  checkOptions(where, options, ["signal"]);
  if (parametrizationsOf(model, FakeQuantizedParametrization).length === 0) {
    const packed = parametrizationsOf(model, PackedParametrization).length > 0;
    throw new ArgumentError(
      `${where}: the model has ${packed ? "packed weights already" : "no fake-quantized weight"}; give it what quantize.prepare(model, scheme) returned`,
    );
  }
  const fake = parametrizationsOf(model, FakeQuantizedParametrization);
  await requireSound(where, model, fake.flatMap(([parameter, { parts }]) => [parameter, ...Object.values(parts)])); // prettier-ignore
  const work = model.clone();
  try {
    for (const [parameter, parametrization] of parametrizationsOf(work, FakeQuantizedParametrization)) {
      const packed = (await isHidden(parameter)) ? new ZeroParametrization(parameter.shape) : await pack(where, parameter, parametrization, options); // prettier-ignore
      parameter.setParametrization(packed);
    }
    // The integers are those that training saw: its metrics hold.
    recordStep(work, "quantize", {}, work.info.metrics);
    return work;
  } catch (thrown) {
    work.dispose();
    throw thrown;
  }
}
