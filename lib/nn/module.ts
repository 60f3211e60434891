// What models are made of. A module finds its parameters and parts among its own properties, in the order in which they were
// defined, and names them by the path: a `norm` in the second of `blocks` has "blocks.1.norm.weight".
//
// `forward` of every instance is wrapped once, by the constructor, so that the nodes of a traced layer are labelled with its
// place in the model. That is what makes an error say (layer "blocks.1.norm") and a dump of the graph readable, in modules of
// the user as in ours.
// Long because what a module holds is named, counted, copied, frozen and freed by one class.
import { ArgumentError, checkOptions, UnsupportedError, type StateDifferences } from "../errors.js";
import { spelled, uncalled } from "../guidance/factories.js";
import { teachMethods } from "../guidance/methods.js";
import { got, isClass } from "../names/got.js";
import { addInfo, infoOf, replaceInfo, type InfoOptions, type ModelInfo } from "../info/index.js";
import { requireTensor } from "../ops/require.js";
import { Parameter } from "../tensor/parameter.js";
import { inspect } from "../tensor/print.js";
import { inputsOf, noteInputs } from "../tensor/signature.js";
import { Tensor } from "../tensor/tensor.js";
import { methodsElsewhere, moduleInstead, resultInstead } from "./instead.js";
import { selectParameters, type ParameterMatches } from "./match.js";
import type { NamedParameter } from "./named-parameter.js";
import { loadState, stateOf, type LoadStateOptions, type StateDict } from "./state-dict.js";
import { Buffer } from "./buffer.js";

/** A module with its place in a model; "" is the model itself. */
export interface NamedModule {
  readonly name: string;
  readonly module: Module;
}

/** What `forward` gives: one tensor, or several by name. */
export type ForwardResult = Tensor | Readonly<Record<string, Tensor>>;

const join = (path: string, key: string): string => (path === "" ? key : `${path}.${key}`);

/**
 * Base of layers and models: define parameters and parts as properties, and what they do in `forward`.
 *
 * @example
 * class Scaled extends nn.Module {
 *   inner = nn.linear(4, 4);
 *   scale = new Parameter([4], { fill: nn.init.ones() });
 *   forward(x: Tensor) {
 *     return this.inner.forward(x).mul(this.scale); // (N, 4)
 *   }
 * }
 * new Scaled().parameters().length; // 3
 */
export abstract class Module<Result extends ForwardResult = Tensor> {
  constructor() {
    labelForward(this);
  }

  /** The result for an input, or for several in order, in a function being traced; several results by name. */
  abstract forward(x: Tensor, ...more: Tensor[]): Result;

  /** What kind of layer it is, as errors and summaries call it. */
  get kind(): string {
    const name = this.constructor.name;
    return name.charAt(0).toLowerCase() + name.slice(1);
  }

  /** Whether the preprocessing of stored inputs is in its own forward, as that of a saved model; else it is applied before. */
  readonly preprocesses: boolean = false;

  /**
   * What is known of it beside its layers and weights: task, names of classes, preprocessing of its inputs, metrics, provenance.
   * Training notes it; copies, compression and artifacts carry it.
   */
  get info(): ModelInfo {
    return infoOf(this);
  }

  /**
   * Adds to what is known of it; what is not named stays.
   *
   * @throws ArgumentError for what cannot be.
   * @example
   * const model = nn.linear(4, 2).setInfo({ task: "classification", classes: ["stays", "leaves"] });
   * model.info.classes!.length; // 2
   */
  setInfo(info: InfoOptions): this {
    addInfo(`${this.kind}.setInfo`, this, info);
    return this;
  }

  /** Sizes and options in short, for summaries, such as "784 → 512". */
  describe(): string {
    return "";
  }

  toString(): string {
    return `${this.kind}(${this.describe()})`;
  }

  /** What `console.log` shows: the parts as a tree. */
  [inspect](): string {
    return tree(this).join("\n");
  }

  /** @internal Own properties by name; a container may leave out its own property's name. */
  members(): [string, unknown][] {
    return Object.entries(this);
  }

  /** Modules directly within, by the path of the property that holds them. */
  children(): [name: string, module: Module][] {
    return this.members().flatMap(([key, value]) => modulesIn(key, value));
  }

  /** This module and all within, each once, the outer ones first. */
  namedModules(): NamedModule[] {
    const seen = new Set<AnyModule>();
    const visit = (module: AnyModule, name: string): NamedModule[] => {
      if (seen.has(module)) return [];
      seen.add(module);
      return [
        { name, module: module as Module },
        ...module.children().flatMap(([key, child]) => visit(child, join(name, key))),
      ];
    };
    return visit(this, "");
  }

  /**
   * All parameters with their names, in the order of definition; a shared one once, under its first name. A parameter with a parametrization
   * is followed by the parts of it, `<name>.<part>`, and a packed one is replaced by them.
   */
  namedParameters(): NamedParameter[] {
    return this.namedWeights().flatMap(({ name, parameter }) => {
      const parts = Object.entries(parameter.parametrization?.parts ?? {}).map(([part, held]) => ({
        name: join(name, part),
        parameter: held,
      }));
      return parameter.packed ? parts : [{ name, parameter }, ...parts];
    });
  }

  /** All parameters in the order of definition, each once; statistics and frozen ones as well. */
  parameters(): Parameter[] {
    return this.namedParameters().map(({ parameter }) => parameter);
  }

  /** Number of elements of all parameters that optimizers change. */
  get size(): number {
    return this.parameters().reduce((sum, { size, trainable }) => sum + (trainable ? size : 0), 0);
  }

  /** Every parameter as the layers hold it, with its name: a packed one as itself, not by its parts. */
  namedWeights(): NamedParameter[] {
    const found = new Map<Parameter, string>();
    const seen = new Set<unknown>();
    const visit = (value: unknown, path: string): void => {
      if (value instanceof Parameter) {
        if (!found.has(value)) found.set(value, path);
        return;
      }
      const entries = entriesOf(value);
      if (!entries || seen.has(value)) return;
      seen.add(value);
      for (const [key, inner] of entries) visit(inner, join(path, key));
    };
    visit(this, "");
    return [...found].map(([parameter, name]) => ({ name, parameter }));
  }

  /** Tells every parameter its name in this model; training and saving do so. Tracing names only those that have none. */
  assignNames(): this {
    for (const { name, parameter } of this.namedWeights()) parameter.name = name;
    return this;
  }

  /**
   * A copy of the whole model with parameters of its own, masks and parametrizations included; what is shared within stays shared. Plain
   * functions among the layers are the same ones. A class with private `#fields` must override it.
   *
   * @throws UnsupportedError if `forward` is a property instead of a method.
   * @example
   * const model = nn.sequential(nn.linear(4, 2));
   * const copy = model.clone();
   * copy.parameters()[0] !== model.parameters()[0]; // true
   */
  clone(): this {
    return cloneOf(this, new Map()) as this;
  }

  /**
   * Keeps parameters from being trained: all, or those that match.
   *
   * @throws ArgumentError if nothing matches.
   * @example
   * const model = nn.sequential(nn.linear(8, 8), nn.relu(), nn.linear(8, 2));
   * model.freeze(/^0\./).size; // 18
   */
  freeze(match?: ParameterMatches): this {
    for (const parameter of this.matching("freeze", match)) parameter.trainable = false;
    return this;
  }

  /**
   * Lets parameters be trained again: all, or those that match. Running statistics never are.
   *
   * @throws ArgumentError if nothing matches.
   */
  unfreeze(match?: ParameterMatches): this {
    for (const parameter of this.matching("unfreeze", match)) parameter.trainable = true;
    return this;
  }

  /**
   * Copies of all its values by name, running statistics and masks (`<name>.mask`) included. Waits for a step that is running.
   *
   * @example
   * const model = nn.sequential(nn.linear(4, 2));
   * Object.keys(model.stateDict()); // ["0.weight", "0.bias"]
   */
  stateDict(): StateDict {
    return stateOf(this.namedParameters());
  }

  /**
   * Takes values by name: all of them, or none. A parameter whose mask is not among them has none afterwards.
   *
   * @returns what differed; with `strict` (the default) names have to be the same.
   * @throws StateMismatchError with `differences`; ArgumentError for what is not an array.
   * @example
   * const model = nn.sequential(nn.linear(4, 2));
   * model.clone().loadStateDict(model.stateDict()).missing; // []
   */
  loadStateDict(state: StateDict, options: LoadStateOptions = {}): StateDifferences {
    const where = `${this.kind}.loadStateDict`;
    checkOptions(where, options, ["strict"]);
    return loadState(where, this.namedParameters(), state, options);
  }

  /** Frees all parameters. Using the model afterwards throws `DisposedError`. */
  dispose(): void {
    for (const { parameter } of this.namedWeights()) parameter.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  private matching(where: string, match: ParameterMatches | undefined): Parameter[] {
    const all = this.namedParameters().filter(({ parameter }) => !(parameter instanceof Buffer));
    const picked = match === undefined ? all : selectParameters(where, "match", match, all);
    return picked.map(({ parameter }) => parameter);
  }
}

teachMethods(Module.prototype, "model", methodsElsewhere);

function tree(module: AnyModule): string[] {
  const children = module.children();
  if (children.length === 0) return [String(module).replace(/\(\)$/, "")];
  const inner = children.flatMap(([name, child]) => {
    const [first, ...rest] = tree(child);
    return [`  ${name}: ${first}`, ...rest.map((line) => `  ${line}`)];
  });
  return [`${module.kind}(`, ...inner, ")"];
}

/** @internal The names by which the modules around know modules, while they are traced. */
export const labels = new WeakMap<AnyModule, string>();

function labelForward(module: AnyModule): void {
  // A `forward` that is a property instead of a method comes only after this; it goes without a label.
  const forward = (module.forward as AnyModule["forward"] | undefined)?.bind(module);
  if (!forward) return;
  const traced = (x: Tensor, ...more: Tensor[]): ForwardResult => {
    requireTensor(module.kind, "the input", x);
    for (const [label, child] of module.children()) labels.set(child, label);
    const label = labels.get(module);
    if (label !== undefined) return x.trace.scoped(label, () => forward(x, ...more));
    for (const { name, parameter } of module.namedWeights()) parameter.name ||= name;
    return forward(x, ...more);
  };
  Object.defineProperty(module, "forward", { value: traced, enumerable: false, configurable: true, writable: true });
}

function cloneOf(value: unknown, copies: Map<unknown, unknown>): unknown {
  if (typeof value !== "object" || value === null) return value;
  const known = copies.get(value);
  if (known !== undefined) return known;
  const keep = <T>(copy: T): T => {
    copies.set(value, copy);
    return copy;
  };
  if (value instanceof Parameter) return keep(value.clone());
  if (value instanceof Module) return cloneModule(value as Module, keep, copies);
  if (Array.isArray(value)) {
    const copy = keep(value.map((item) => cloneOf(item, copies)));
    return Object.isFrozen(value) ? Object.freeze(copy) : copy;
  }
  if (Object.getPrototypeOf(value) !== Object.prototype) return value;
  return keep(Object.fromEntries(Object.entries(value).map(([key, item]) => [key, cloneOf(item, copies)])));
}

function cloneModule(module: Module, keep: (copy: Module) => Module, copies: Map<unknown, unknown>): Module {
  const copy = keep(Object.create(Object.getPrototypeOf(module) as object) as Module);
  for (const [key, value] of Object.entries(module)) {
    if (key === "forward") {
      throw new UnsupportedError(
        `clone: the forward of ${module.kind} is a property, which belongs to the original; write it as a method`,
      );
    }
    Object.defineProperty(copy, key, {
      value: cloneOf(value, copies),
      enumerable: true,
      configurable: true,
      writable: true,
    });
  }
  labelForward(copy);
  const inputs = inputsOf(module);
  if (inputs) noteInputs(copy, inputs);
  replaceInfo(copy, infoOf(module));
  return copy;
}

// What a value holds by name: a module its members, lists and plain records their items.
function entriesOf(value: unknown): [string, unknown][] | undefined {
  if (value instanceof Module) return value.members();
  if (Array.isArray(value)) return value.map((item, i) => [String(i), item]);
  const plain = typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype;
  return plain ? Object.entries(value) : undefined;
}

function modulesIn(path: string, value: unknown, seen = new Set<unknown>()): [string, Module][] {
  if (value instanceof Module) return [[path, value as Module]];
  const entries = value instanceof Parameter || seen.has(value) ? undefined : entriesOf(value);
  seen.add(value);
  return entries?.flatMap(([key, inner]) => modulesIn(join(path, key), inner, seen)) ?? [];
}

/** A module with one result or several. */
export type AnyModule = Module<ForwardResult>;

/** A module, or a plain function of a tensor: both serve as layers and as models. */
export type ModuleLike = Module | ((x: Tensor) => Tensor);

/** A model of one input or several, with one result or several by name. */
export type ModelLike = AnyModule | ((...inputs: Tensor[]) => ForwardResult);

/** @throws ArgumentError unless `value` can be called as a module. */
export function requireModule(where: string, value: unknown): asserts value is ModuleLike {
  const instead = uncalled(value) ?? spelled("nn", value);
  if (value instanceof Module || (typeof value === "function" && instead === undefined && !isClass(value))) return;
  throw new ArgumentError(
    `${where}: expected a module or a function of a tensor, got ${got(value)}${moduleInstead(value, instead)}`,
  );
}

/**
 * The result of a module or of a plain function for an input.
 *
 * @throws ArgumentError for anything else.
 */
export function call(module: ModuleLike, x: Tensor): Tensor {
  requireModule("nn.call", module);
  const y: unknown = module instanceof Module ? module.forward(x) : module(x);
  if (y instanceof Tensor) return y;
  const named = typeof y === "object" && y !== null ? Object.keys(y) : [];
  if (named.length > 0 && Object.values(y as object).every((value) => value instanceof Tensor)) {
    throw new ArgumentError(
      `nn.call: the model gives several results (${named.join(", ")}), where one is wanted; take one: (x) => model.forward(x).${named[0]}`,
    );
  }
  const name =
    module instanceof Module
      ? `the forward of ${module.kind}`
      : module.name === ""
        ? "a function of a tensor"
        : `the function ${module.name}`;
  throw new ArgumentError(`nn.call: ${name} must return a Tensor, got ${got(y)}${resultInstead(y)}`);
}
