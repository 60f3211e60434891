// Which parameters are quantized: the weights of products and convolutions, picked by name where the caller wants.
import { requireOneOf } from "../guidance/arguments.js";
import { ArgumentError } from "../errors.js";
import { Embedding, Module, Buffer, type ParameterMatches } from "../nn/index.js";
import { selectParameters } from "../nn/match.js";
import { countOf, showShape } from "../tensor/nd-array.js";
import { Parameter } from "../tensor/parameter.js";
import { layoutOf, type Layout } from "./layout.js";
import { whyNoGain, withFloatInputs } from "./pays.js";
import { requireScheme, schemeMakers, type Activations, type Scheme } from "./scheme.js";

/** A scheme for all weights, or one for each: what the function returns nothing for stays as it is. */
export type SchemeChoice = Scheme | ((name: string, parameter: Parameter) => Scheme | undefined);

/** Which parameters. */
export interface Selection {
  /** Those to quantize: names, patterns or functions. Default: all of two dimensions or more, without embeddings. */
  readonly match?: ParameterMatches | undefined;
  /** Those to leave alone, such as `["0", "head.weight"]`. Default none. */
  readonly keep?: ParameterMatches | undefined;
  /**
   * Which layers take their inputs as integers, of those whose scheme has integer activations. "faster": products x · wᵀ with at least
   * 64 inputs, 64 outputs and 16,384 weights, which are faster so; the others multiply floats, and `quantize.report` says
   * which. "all": every layer, to see what integers do to the results, or for a processor where they pay earlier. Default "faster".
   */
  readonly integers?: "faster" | "all" | undefined;
}

/** A weight to be quantized. */
export interface Target {
  readonly name: string;
  readonly parameter: Parameter;
  readonly scheme: Scheme;
  readonly layout: Layout;
  /** What its scheme asked of the inputs, and why the inputs are floats instead. */
  readonly asked: Activations;
  readonly note?: string | undefined;
}

/** @throws ArgumentError for a name or pattern that means no parameter, a selection that leaves nothing, or a weight that its scheme cannot take. */
export function targetsOf(where: string, model: Module, choice: SchemeChoice, selection: Selection): Target[] {
  if (typeof choice !== "function" || schemeMakers.has(choice)) requireScheme(where, choice);
  const embeddings = new Set(model.namedModules().flatMap(({ module }) => (module instanceof Embedding ? [module.weight] : []))); // prettier-ignore
  const named = model.namedWeights().filter(({ parameter }) => !(parameter instanceof Buffer));
  const isWeight = (parameter: Parameter) =>
    !parameter.parametrization &&
    parameter.dtype === "f32" &&
    parameter.shape.length >= 2 &&
    countOf(parameter.shape) > 0;
  const { match, keep, integers = "faster" } = selection;
  requireOneOf(where, "integers", integers, ["faster", "all"]);
  const kept = new Set(keep === undefined ? [] : selectParameters(where, "keep", keep, named));
  const wanted =
    match === undefined
      ? named.filter(({ parameter }) => isWeight(parameter) && !embeddings.has(parameter))
      : selectParameters(where, "match", match, named);
  const picked = wanted.filter((each) => !kept.has(each));
  const targets = picked.flatMap(({ name, parameter }): Target[] => {
    const scheme = typeof choice === "function" ? choice(name, parameter) : choice;
    if (scheme === undefined) return [];
    requireScheme(`${where} (for "${name}")`, scheme);
    if (!isWeight(parameter)) refuse(where, name, parameter);
    const target = {
      name,
      parameter,
      scheme,
      layout: layoutOf(parameter.shape, scheme.per),
      asked: scheme.activations,
    };
    return [scheme.activations === "float" ? target : withIntegers(where, target, integers === "all")];
  });
  if (targets.length > 0) return targets;
  const names = named.slice(0, 4).map(({ name }) => `"${name}"`);
  throw new ArgumentError(
    `${where}: there is no weight to quantize${selection.match !== undefined || selection.keep !== undefined ? " among those that match" : ""}; the parameters are ${names.join(", ")}${named.length > 4 ? ", …" : ""}, and only f32 ones of two dimensions or more can be`,
  );
}

// A layer with integer inputs, or with floats where integers would only be slower.
function withIntegers(where: string, target: Target, all: boolean): Target {
  const { name, parameter, scheme, layout } = target;
  const why = all ? undefined : whyNoGain(parameter.shape, layout);
  if (why !== undefined) {
    const note = `its inputs stay floats, as ${why}; { integers: "all" } takes them as integers all the same`;
    return { ...target, scheme: withFloatInputs(scheme), note };
  }
  if (layout.inner > mostInner) refuseIntegers(where, name, scheme, layout);
  return target;
}

// Sums of 32 bits hold so many products of two bytes (native/kernels/quant/quant.h).
const mostInner = 32_768;

function refuseIntegers(where: string, name: string, { activations }: Scheme, { inner }: Layout): never {
  throw new ArgumentError(
    `${where}: "${name}" sums ${inner} products for an output, and ${activations} activations take at most ${mostInner}, which fill an integer of 32 bits; take { activations: "float" } for it, or leave it out by keep`,
  );
}

function refuse(where: string, name: string, parameter: Parameter): never {
  if (parameter.parametrization) {
    throw new ArgumentError(
      `${where}: "${name}" is held as ${parameter.parametrization.kind} already; quantize the model that it was made from, or leave it out by keep`,
    );
  }
  throw new ArgumentError(
    `${where}: "${name}" is ${parameter.dtype} ${showShape(parameter.shape)}, only f32 weights of two dimensions or more can be quantized; leave it out by match or keep`,
  );
}

/** The bias of the layer that a weight belongs to, if it has one: the parameter `bias` beside `weight`. */
export function biasOf(model: Module, parameter: Parameter): Parameter | undefined {
  for (const { module } of model.namedModules()) {
    const own = module.members();
    if (!own.some(([key, value]) => key === "weight" && value === parameter)) continue;
    const bias = own.find(([key]) => key === "bias")?.[1];
    return bias instanceof Parameter && bias.shape.length === 1 && bias.shape[0] === parameter.shape[0]
      ? bias
      : undefined;
  }
  return undefined;
}
