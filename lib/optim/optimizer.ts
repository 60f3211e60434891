// What an optimizer is before it meets a model: plain, immutable, usable for any number of runs at once.
import { ArgumentError, checkOptions, UnsupportedError } from "../errors.js";
import { teachMethods } from "../guidance/methods.js";
import { got } from "../names/got.js";
import { rules, type RuleName } from "../native/rules.js";
import { Module } from "../nn/index.js";
import { requireMatches, type ParameterMatches } from "../nn/match.js";
import type { ScheduleLike } from "../schedule/index.js";
import { inF32 } from "../tensor/dtype.js";
import { checkHypers, hypersOf, tooSmall, type HyperValue, type HyperValues } from "./hyper.js";

/** Options that every optimizer takes. */
export interface CommonOptions {
  /** Learning rate. */
  readonly lr?: ScheduleLike | undefined;
  /** Decoupled in AdamW; added to the gradient, as an L2 penalty, elsewhere. */
  readonly weightDecay?: ScheduleLike | undefined;
  /** Climb instead of descend. Default false. */
  readonly maximize?: boolean | undefined;
}

/**
 * What states are kept in. `"bf16"` takes half of the memory of `"f32"`, rounded up or down at random, keyed by step and element; `"8bit"`
 * and `"4bit"` take a quarter and an eighth: codes in blocks of 256 and 128 elements beside the block's largest, a dynamic map (Dettmers et
 * al., 2022), means of squares an unsigned one. Tensors below 4,096 elements keep f32 there, and so do states that
 * move by less a step than codes tell apart.
 */
export type StateCodec = (typeof codecs)[number];

const codecs = ["f32", "bf16", "8bit", "4bit"] as const;

/** Options of the whole optimizer beside those of its rule. */
export interface StepOptions {
  /** What states are kept in, where a group does not say otherwise. Of rules that work element by element. Default "f32". */
  readonly states?: StateCodec | undefined;
  /** Largest L2 norm of all gradients together; longer ones are scaled down, as by torch's `clip_grad_norm_`. Default none. */
  readonly clipNorm?: number | undefined;
  /** Largest absolute value of a gradient's element, after that. Default none. */
  readonly clipValue?: number | undefined;
}

/** Other hyper-parameters for some of the parameters. The first group that matches takes a parameter. */
export type GroupOptions<Hypers> = Hypers & {
  /** Which: the name or the part of the model that it begins with, a pattern, a function, or a list of these. */
  readonly match: ParameterMatches;
  /** What their states are kept in. Default that of the optimizer. */
  readonly states?: StateCodec | undefined;
};

/** Everything that a factory of this module takes. */
export type OptimizerOptions<Hypers> = Hypers &
  StepOptions & { readonly groups?: readonly GroupOptions<Hypers>[] | undefined };

/** A group of {@link Optimizer}. */
export interface OptimizerGroup {
  readonly match: ParameterMatches;
  readonly states: StateCodec;
  /** All hyper-parameters, those of the optimizer where the group does not say otherwise. */
  readonly hyper: HyperValues;
}

/** An update rule with its hyper-parameters, made by `optim.adamW` and its like. */
export interface Optimizer {
  /** The factory, such as "adamW". */
  readonly name: string;
  readonly rule: RuleName;
  /** What was given, by option name; what was not has the rule's default. */
  readonly hyper: HyperValues;
  readonly clipNorm?: number;
  readonly clipValue?: number;
  readonly states: StateCodec;
  readonly groups: readonly OptimizerGroup[];
}

/** How a factory differs from its rule. */
export interface Recipe {
  readonly name: string;
  readonly rule: RuleName;
  /** Hyper-parameters that this factory sets otherwise than the rule. */
  readonly defaults?: HyperValues;
  /** Hyper-parameters of the rule that are no options here. */
  readonly fixed?: readonly string[];
}

/** @throws ArgumentError for unknown options and values out of range. */
export function define(recipe: Recipe, options: object): Optimizer {
  const where = `optim.${recipe.name}`;
  if (typeof options !== "object" || options === null || Array.isArray(options) || options instanceof Module) {
    const way =
      typeof options === "object" ? "; the model is given to train.fit or train.step, not to the optimizer" : "";
    throw new ArgumentError(`${where}: expected an object of options such as { lr: 1e-3 }, got ${got(options)}${way}`);
  }
  const { clipNorm, clipValue, groups = [], states, ...own } = options as OptimizerOptions<Record<string, unknown>>;
  checkLimit(where, "clipNorm", clipNorm);
  checkLimit(where, "clipValue", clipValue);
  const codec = readCodec(where, recipe.rule, states, "f32");
  const hyper = {
    ...recipe.defaults,
    ...readHypers(where, recipe, own, ["clipNorm", "clipValue", "states", "groups"]),
  };
  if (!Array.isArray(groups)) {
    throw new ArgumentError(`${where}: groups must be a list such as [{ match: /bias$/, weightDecay: 0 }]`);
  }
  const optimizer = Object.assign(Object.create(elsewhere) as object, {
    name: recipe.name,
    rule: recipe.rule,
    hyper: Object.freeze(hyper),
    ...(clipNorm === undefined ? {} : { clipNorm: clipNorm }),
    ...(clipValue === undefined ? {} : { clipValue: clipValue }),
    states: codec,
    groups: Object.freeze(
      groups.map((group, i) => readGroup(`${where}: groups[${i}]`, recipe, { hyper, codec }, group)),
    ),
  });
  return Object.freeze(optimizer);
}

const loop =
  "write train.step(model, optimizer, ({ x, y }) => loss.mse()(model.forward(x), y)), which takes gradients and steps by itself";

// Optimizers are plain data; what stands on this prototype only tells those who look for the methods of other libraries.
const elsewhere = {};
teachMethods(elsewhere, "optimizer", {
  step: loop,
  zeroGrad: loop,
  zero_grad: loop,
  minimize: loop,
  applyGradients: loop,
});

function readGroup(
  where: string,
  recipe: Recipe,
  { hyper, codec }: { readonly hyper: HyperValues; readonly codec: StateCodec },
  group: unknown,
): OptimizerGroup {
  if (typeof group !== "object" || group === null) {
    throw new ArgumentError(
      `${where}: expected an object such as { match: /bias$/, weightDecay: 0 }, got ${String(group)}`,
    );
  }
  const { match, states, ...own } = group as GroupOptions<Record<string, unknown>>;
  requireMatches(where, "match", match);
  const given = readHypers(where, recipe, own, ["match", "states"]);
  return Object.freeze({
    match,
    states: readCodec(where, recipe.rule, states, codec),
    hyper: Object.freeze({ ...hyper, ...given }),
  });
}

function readCodec(where: string, rule: RuleName, given: unknown, otherwise: StateCodec): StateCodec {
  if (given === undefined) return otherwise;
  const codec = codecs.find((each) => each === given);
  if (codec === undefined) {
    throw new ArgumentError(`${where}: states must be ${oneOf(codecs)}, got ${got(given)}`);
  }
  if (codec !== "f32" && rules[rule].shardable !== "elementwise") {
    throw new UnsupportedError(
      `${where}: its states are f32, as it looks at whole tensors; leave out states, or use a rule such as adamW`,
    );
  }
  return codec;
}

const oneOf = (names: readonly string[]): string =>
  names.map((name, i) => `${i === 0 ? "" : i === names.length - 1 ? " or " : ", "}"${name}"`).join("");

// Options become hyper-parameters: `betas` is two of them, an option that is undefined is one that was not given.
function readHypers(where: string, recipe: Recipe, options: object, others: readonly string[]): HyperValues {
  const names = hypersOf(recipe.rule)
    .map(({ option }) => option)
    .filter((option) => !recipe.fixed?.includes(option));
  const paired = names.includes("beta1");
  checkOptions(where, options, [...names, ...(paired ? ["betas"] : []), ...others]);
  const { betas, ...rest } = options as Record<string, unknown>;
  const values = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined));
  if (betas !== undefined) {
    if (!Array.isArray(betas) || betas.length !== 2) {
      throw new ArgumentError(`${where}: betas must be two numbers or schedules [beta1, beta2], got ${got(betas)}`);
    }
    [values.beta1, values.beta2] = betas as unknown[];
  }
  checkHypers(where, recipe.rule, values as Record<string, HyperValue>);
  return values as HyperValues;
}

function checkLimit(where: string, name: string, value: unknown): void {
  if (value === undefined) return;
  if (typeof value !== "number" || !(value > 0)) {
    throw new ArgumentError(`${where}: ${name} must be a number above 0, got ${got(value)}`);
  }
  if (inF32(value) === 0) throw tooSmall(where, name, value);
}
