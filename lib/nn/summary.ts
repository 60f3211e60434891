// A model as a table: its layers, what they give, what they hold, what they compute. The model is traced for use, as saving does,
// and every operation is counted for the layer that it was traced in; nothing is run.
import { requireCount } from "../guidance/arguments.js";
import { checkOptions } from "../errors.js";
import { call } from "../native/index.js";
import { describePreprocessing } from "../preprocess/index.js";
import { Program } from "../tensor/program.js";
import { sizeOf } from "../tensor/dtype.js";
import { showShape, type Shape } from "../tensor/nd-array.js";
import type { Parameter } from "../tensor/parameter.js";
import { inspect } from "../tensor/print.js";
import { inputOf, type InputSignature, requireSignature } from "../tensor/signature.js";
import { textTable } from "../tensor/text-table.js";
import { Trace, within } from "../tensor/trace.js";
import { capture } from "./capture.js";
import { flopsByScope } from "./flops.js";
import { feed } from "./input.js";
import { Module } from "./module.js";

/** Options of {@link Module.summary}. */
export interface SummaryOptions {
  /** One sample. Default what the model was trained or run with; without either there are no shapes and no FLOPs. */
  readonly input?: InputSignature | undefined;
  /** Samples at a time, for shapes, FLOPs and activations. Default 1. */
  readonly batch?: number | undefined;
}

/** A layer of {@link Summary}. */
export interface LayerSummary {
  /** Its place in the model, such as "blocks.1.norm"; "" is the model itself. */
  readonly name: string;
  /** What it is, with its sizes, such as "linear(784 → 512)". */
  readonly layer: string;
  /** Of what it gives, the batch included; undefined if it was not traced. */
  readonly shape: Shape | undefined;
  /** Elements of its own parameters, those of layers within it not counted; statistics are. */
  readonly parameters: number;
  /** Those that optimizers change. */
  readonly trainable: number;
  /** Those that a mask keeps at zero. */
  readonly masked: number;
  /** How its weights are held, such as "int8"; undefined for plain numbers. */
  readonly parametrization: string | undefined;
  /** Of one forward pass: a multiplication and an addition each count one; undefined if it was not traced. */
  readonly flops: number | undefined;
}

/** A model in numbers; `toString()`, and so `console.log`, gives a table. */
export class Summary {
  readonly layers: readonly LayerSummary[];
  /** Elements of all parameters, each once. */
  readonly parameters: number;
  readonly trainable: number;
  readonly masked: number;
  /** Of a forward pass over the batch; undefined if the input is not known. */
  readonly flops: number | undefined;
  /** Bytes of parameters, masks and packed parametrizations in the engine. */
  readonly weightBytes: number;
  /** Bytes planned for a forward pass over the batch: its values and what kernels work in (a panel of a product, say); undefined if the input is not known. */
  readonly runBytes: number | undefined;
  readonly batch: number;
  /** What is done to each input before the first layer, in words; empty where nothing is. */
  readonly preprocessing: Readonly<Record<string, string>>;

  /** @internal Made by `model.summary()`. */
  constructor(parts: Omit<Summary, "toString" | "parameters" | "trainable" | "masked" | typeof inspect>) {
    const total = (key: "parameters" | "trainable" | "masked") =>
      parts.layers.reduce((sum, layer) => sum + layer[key], 0);
    this.layers = parts.layers;
    this.parameters = total("parameters");
    this.trainable = total("trainable");
    this.masked = total("masked");
    this.flops = parts.flops;
    this.weightBytes = parts.weightBytes;
    this.runBytes = parts.runBytes;
    this.batch = parts.batch;
    this.preprocessing = parts.preprocessing;
  }

  toString(): string {
    const rows = this.layers.map(({ name, layer, shape, parameters, flops, ...state }) => [
      name === "" ? "(model)" : name,
      layer,
      shape ? showShape(shape) : "–",
      parameters === 0 ? "–" : whole(parameters),
      stateOf({ parameters, ...state }),
      flops === undefined ? "–" : unit(flops, ""),
    ]);
    const known = this.flops !== undefined;
    const before = Object.entries(this.preprocessing).map(([name, rule]) => `preprocessing of ${name}: ${rule}`);
    return [
      ...(before.length > 0 ? [...before, ""] : []),
      textTable(["name", "layer", "output", "parameters", "", "FLOP"], rows, 3),
      "",
      `${whole(this.parameters)} parameters, ${whole(this.trainable)} trainable${this.masked > 0 ? `, ${whole(this.masked)} masked` : ""}; ${unit(this.weightBytes, "B")} of weights`,
      known
        ? `${unit(this.flops, "FLOP")} and ${unit(this.runBytes!, "B")} of memory to run a batch of ${this.batch}`
        : 'for shapes and FLOP say what one sample is: summary({ input: { dtype: "f32", shape: [784] } })',
    ].join("\n");
  }

  [inspect](): string {
    return this.toString();
  }
}

/** The numbers of a model. */
function summarize(model: Module, options: SummaryOptions): Summary {
  const where = "model.summary";
  checkOptions(where, options, ["input", "batch"]);
  const { input = inputOf(model), batch = 1 } = options;
  requireCount(where, "batch", batch);
  if (input !== undefined) requireSignature(where, input);
  const seen = new Set<Parameter>();
  const own = new Map(model.namedModules().map(({ name, module }) => [name, ownParameters(module, seen)]));
  const weightBytes = [...seen].reduce((sum, parameter) => sum + bytesOf(parameter), 0);
  const traced = input && trace(where, model, input, batch);
  const kinds = new Map(model.namedModules().map(({ name, module }) => [name, module]));
  const names = [...new Set([...kinds.keys(), ...(traced?.flops.keys() ?? []), ...(traced?.layers.keys() ?? [])])];
  const layers = inOrder(names)
    .map((name) => layerSummary(name, kinds.get(name), own.get(name) ?? [], traced))
    .filter(
      ({ name, parameters, flops }) =>
        kinds.get(name)?.children().length === 0 || !kinds.has(name) || parameters > 0 || (flops ?? 0) > 0,
    );
  const flops = traced && [...traced.flops.values()].reduce((sum, value) => sum + value, 0);
  const rules = Object.entries(model.info.preprocessing ?? {});
  const preprocessing = Object.fromEntries(rules.map(([name, rule]) => [name, describePreprocessing(rule)]));
  return new Summary({ layers, flops, weightBytes, runBytes: traced?.arenaBytes, batch, preprocessing });
}

// The method is added here and not in its class, which all that the summary is made of needs.
declare module "./module.js" {
  interface Module {
    /**
     * The model as a table: each layer with what it gives, its parameters (trainable, masked, packed) and its FLOP, then memory.
     * Nothing is run.
     *
     * @throws ArgumentError; what tracing throws, if the input does not fit.
     * @example
     * const model = nn.sequential(nn.linear(784, 10));
     * const summary = model.summary({ input: { dtype: "f32", shape: [784] } });
     * summary.flops; // 15690
     * console.log(summary); // a table
     */
    summary(options?: SummaryOptions): Summary;
  }
}

Object.defineProperty(Module.prototype, "summary", {
  configurable: true,
  writable: true,
  value(this: Module, options: SummaryOptions = {}): Summary {
    return summarize(this, options);
  },
});

interface Traced {
  readonly layers: ReadonlyMap<string, Shape>;
  readonly flops: ReadonlyMap<string, number>;
  readonly arenaBytes: number;
}

function trace(where: string, model: Module, { dtype, shape }: InputSignature, batch: number): Traced {
  const traced = new Trace();
  try {
    const layers = within(traced, () => {
      const x = traced.input("x", dtype, [batch, ...shape]);
      const captured = capture((t) => feed(model, t), x);
      call(() => traced.graph.setOutputs(["y"], [captured.output.id]));
      return captured.layers;
    });
    const program = new Program(
      call(() => traced.graph.compile()),
      where,
    );
    const { arenaBytes } = program.report();
    program.dispose();
    const shapes = new Map([...layers].map(([name, tensor]) => [name, tensor.shape]));
    return { layers: shapes, flops: flopsByScope(traced.graph), arenaBytes };
  } finally {
    traced.graph.dispose();
  }
}

function layerSummary(
  name: string,
  module: Module | undefined,
  own: readonly Parameter[],
  traced: Traced | undefined,
): LayerSummary {
  const total = (of: (parameter: Parameter) => number) => own.reduce((sum, parameter) => sum + of(parameter), 0);
  const parametrizations = new Set(
    own.flatMap(({ parametrization }) => (parametrization ? [parametrization.kind] : [])),
  );
  const compound = module !== undefined && module.children().length > 0;
  return {
    name,
    layer: module === undefined ? "function" : compound ? module.kind : module.toString().replace(/\(\)$/, ""),
    shape: traced?.layers.get(name),
    parameters: total(({ size }) => size),
    trainable: total(({ size, trainable }) => (trainable ? size : 0)),
    masked: total((parameter) => parameter.readMask()?.reduce((sum, kept) => sum + (kept === 0 ? 1 : 0), 0) ?? 0),
    parametrization: parametrizations.size === 0 ? undefined : [...parametrizations].join(", "),
    flops: traced && (traced.flops.get(name) ?? 0),
  };
}

// Parameters held by the module and by none of the modules within it; a shared one counts where it is met first.
function ownParameters(module: Module, seen: Set<Parameter>): Parameter[] {
  const within = new Set(
    module.children().flatMap(([, child]) => child.namedWeights().map(({ parameter }) => parameter)),
  );
  const own = module
    .namedWeights()
    .flatMap(({ parameter }) => (within.has(parameter) || seen.has(parameter) ? [] : [parameter]));
  for (const parameter of own) seen.add(parameter);
  return own;
}

function bytesOf(parameter: Parameter): number {
  const parts = Object.values(parameter.parametrization?.parts ?? {}).reduce((sum, part) => sum + bytesOf(part), 0);
  const plain = parameter.packed ? 0 : parameter.size * sizeOf[parameter.dtype];
  return plain + parts + (parameter.mask ? parameter.size : 0);
}

// Functions among the layers stand between the modules around them: "1" before "2" before "10".
function inOrder(names: readonly string[]): string[] {
  const numbered = new Intl.Collator("en", { numeric: true });
  const rank = new Map(names.map((name, i) => [name, i]));
  return [...names].sort((a, b) => {
    const [parentA, parentB] = [parentOf(a), parentOf(b)];
    const digits = /(?:^|\.)\d+$/;
    if (parentA === parentB && digits.test(a) && digits.test(b)) return numbered.compare(a, b);
    return rank.get(a)! - rank.get(b)!;
  });
}

const parentOf = (name: string): string => name.slice(0, Math.max(0, name.lastIndexOf(".")));

function stateOf({
  parameters,
  trainable,
  masked,
  parametrization,
}: Pick<LayerSummary, "parameters" | "trainable" | "masked" | "parametrization">): string {
  const parts = parametrization === undefined ? [] : [parametrization];
  if (masked > 0) parts.push(`${((100 * masked) / parameters).toFixed(0)} % masked`);
  if (parameters > 0 && trainable === 0 && parametrization === undefined) parts.push("frozen");
  else if (trainable > 0 && trainable < parameters) parts.push(`${whole(trainable)} trainable`);
  return parts.join(", ");
}

const whole = (value: number): string => value.toLocaleString("en");

function unit(value: number, name: string): string {
  const prefixes = ["", "k", "M", "G", "T"];
  const power = value < 1000 ? 0 : Math.min(4, Math.floor(Math.log10(value) / 3));
  return `${Number((value / 1000 ** power).toPrecision(3))} ${prefixes[power]}${name}`.trim();
}
