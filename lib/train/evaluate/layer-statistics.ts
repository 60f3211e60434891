// What a look into a model tells while it is trained: how strong the gradient of every parameter is, how far it has moved, and which units
// give nothing.
import { ArgumentError, checkOptions } from "../../errors.js";
import type { Samples } from "../../data/index.js";
import type { Loss } from "../../loss/index.js";
import { requireLoss } from "../../loss/loss.js";
import { got } from "../../names/got.js";
import { capture, Module, type NamedParameter } from "../../nn/index.js";
import { inputFor } from "../../nn/input.js";
import { weighted, weightOf } from "../../ops/batch-weight.js";
import { Program } from "../../tensor/program.js";
import type { NdArray } from "../../tensor/nd-array.js";
import type { Tensor } from "../../tensor/tensor.js";
import { Trace, within } from "../../tensor/trace.js";
import { checkedDataset } from "../data/run-data.js";
import { requireTensor } from "../../ops/require.js";

/** Options of {@link layerStatistics}. */
export interface LayerStatisticsOptions {
  readonly loss: Loss;
  /** Earlier values of the parameters, as `model.stateDict()` gives them: what has changed since is told as `updateRatio`. */
  readonly before?: Readonly<Record<string, NdArray>> | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A parameter that is trained. */
export interface ParameterStatistics {
  readonly name: string;
  /** L2 norm of its values. */
  readonly norm: number;
  /** L2 norm of the gradient of the loss. */
  readonly gradientNorm: number;
  /** The L2 norm of what has changed since `before`, over {@link norm}. A step of a sound rate comes to about 1e-3. */
  readonly updateRatio?: number | undefined;
}

/** What a layer gave. */
export interface UnitStatistics {
  /** The layer, by its path in the model. */
  readonly layer: string;
  /** Channels of [n, C, H, W], else what the last axis counts. */
  readonly units: number;
  /** Those that are 0 for every sample: a ReLU whose units are dead does not learn. */
  readonly dead: number;
}

/** What {@link layerStatistics} gives. */
export interface LayerStatistics {
  readonly loss: number;
  readonly parameters: readonly ParameterStatistics[];
  readonly layers: readonly UnitStatistics[];
}

const where = "train.layerStatistics";

/**
 * A look at every layer of a model for some samples: norms of parameters and their gradients, how far each has moved since earlier values, and how
 * many units are dead. Layers behave as in use (no dropout). Nothing is changed; call it after a step of your own, or in a callback of `fit`.
 *
 * @throws ArgumentError, ShapeError, DTypeError where model, samples and loss do not fit; AbortedError.
 * @example
 * const model = nn.sequential(nn.linear(3, 8), nn.relu(), nn.linear(8, 2));
 * const set = data.fromArrays({ x: array(new Float32Array(12), [4, 3]), y: array(Uint8Array.of(0, 1, 1, 0)) });
 * let before = model.stateDict();
 * const statistics = await train.layerStatistics(model, set, { loss: loss.crossEntropy(), before });
 * for (const { name, gradientNorm, updateRatio } of statistics.parameters) console.log(name, gradientNorm, updateRatio);
 * for (const { layer, dead, units } of statistics.layers) console.log(layer, `${dead} of ${units} units are dead`);
 */
export async function layerStatistics(
  model: Module,
  samples: Samples,
  options: LayerStatisticsOptions,
): Promise<LayerStatistics> {
  checkOptions(where, options, ["loss", "before", "signal"]);
  if (!(model instanceof Module)) throw new ArgumentError(`${where}: expected a module of nn, got ${got(model)}`);
  requireLoss(where, options.loss);
  const { x, y } = checkedDataset(where, samples);
  const { trace, program, parameters, layers } = traced(model, { x, y }, options);
  try {
    const feeds = { x, y, ...Object.fromEntries(parameters.filter(({ feed }) => feed !== undefined).map(({ name, feed }) => [`before.${name}`, feed!])) }; // prettier-ignore
    const results = await program.run(feeds, { signal: options.signal });
    const numbers = (name: string) => results[name]!.data as ArrayLike<number>;
    const rootOf = (name: string) => Math.sqrt(numbers(name)[0]!);
    return {
      loss: numbers("loss")[0]!,
      parameters: parameters.map(({ name, feed }, i) => {
        const norm = rootOf(`norm.${i}`);
        const told = { name, norm, gradientNorm: rootOf(`gradient.${i}`) };
        if (!feed) return told;
        const moved = rootOf(`moved.${i}`);
        return { ...told, updateRatio: moved === 0 ? 0 : moved / norm }; // of a bias that is still 0
      }),
      layers: layers.map((layer, i) => {
        const most = numbers(`most.${i}`);
        return { layer, units: most.length, dead: Array.from(most).filter((value) => value === 0).length };
      }),
    };
  } finally {
    program.dispose();
    trace.graph.dispose();
  }
}

function traced(model: Module, { x, y }: Samples, { loss, before }: LayerStatisticsOptions) {
  const trace = new Trace({ training: false });
  const { captured, value } = within(trace, () => {
    const { output, layers } = capture(model, inputFor(model, trace.input("x", x.dtype, x.shape)));
    const rows: unknown = loss(output, trace.input("y", y.dtype, y.shape));
    requireTensor(where, "what the loss gives", rows);
    return { captured: layers, value: rows.rank === 0 ? rows : weighted(rows.reshape([]), weightOf(rows)) };
  });
  return { trace, ...described(trace, model, value, captured, before) };
}

interface Seen extends NamedParameter {
  readonly feed: NdArray | undefined;
}

function described(
  trace: Trace,
  model: Module,
  loss: Tensor,
  captured: ReadonlyMap<string, Tensor>,
  before: LayerStatisticsOptions["before"],
) {
  const used = new Set(trace.usedParameters());
  const trained = model.assignNames().namedParameters().filter(({ parameter }) => parameter.trainable && used.has(parameter)); // prettier-ignore
  const values = trained.map(({ parameter }) => trace.parameter(parameter));
  const gradients = trace.gradients(loss, values);
  const outputs: Record<string, Tensor> = { loss };
  const parameters = trained.map((named, i): Seen => {
    const value = values[i]!;
    outputs[`norm.${i}`] = value.square().sum();
    outputs[`gradient.${i}`] = gradients[i]!.square().sum();
    const feed = before?.[named.name];
    if (before && !feed) throw new ArgumentError(`${where}: before has no "${named.name}"; give what model.stateDict() gave`); // prettier-ignore
    if (feed) outputs[`moved.${i}`] = value.sub(trace.input(`before.${named.name}`, feed.dtype, feed.shape)).square().sum(); // prettier-ignore
    return { ...named, feed };
  });
  const layers = [...captured].filter(([path, tensor]) => path !== "" && tensor.dtype === "f32" && tensor.rank >= 2);
  layers.forEach(([, tensor], i) => {
    const unit = tensor.rank === 4 ? 1 : tensor.rank - 1;
    outputs[`most.${i}`] = tensor.abs().max(tensor.shape.flatMap((_, axis) => (axis === unit ? [] : [axis])));
  });
  trace.setOutputs(outputs);
  return { program: new Program(trace.compile(), where), parameters, layers: layers.map(([path]) => path) };
}
