// Terms on the features of student and teacher, layers named by their path in the model ("2", "blocks.1.norm"; "" is the output).
import { requireAboveZero } from "../guidance/arguments.js";
import { ArgumentError, checkOptions } from "../errors.js";
import { got } from "../names/got.js";
import { layerOf } from "../nn/index.js";
import type { ScheduleLike } from "../schedule/index.js";
import type { Tensor } from "../tensor/tensor.js";
import {
  checkLike,
  Distillation,
  teachersOf,
  type TeacherOptions,
  type Term,
  type TermContext,
} from "./distillation.js";
import * as losses from "./losses/index.js";
import { projected, projections, type ProjectionOption } from "./projection.js";

/** A layer of both models: its path in both, or in each. */
export type LayerPair = string | { readonly student: string; readonly teacher: string };

/** Options of terms on features. */
export interface FeatureOptions extends TeacherOptions {
  /** Which layers; the losses of several are added. */
  readonly layers: LayerPair | readonly LayerPair[];
  /** Of the term beside the task's loss. May be a schedule. Default 1. */
  readonly weight?: ScheduleLike | undefined;
}

/** Options of {@link hints}. */
export interface HintsOptions extends FeatureOptions, ProjectionOption {}

/**
 * The student's layer is to give what the teacher's gives: mean square of the difference, through a learned projection of the
 * student's features where widths differ (FitNets; Romero et al. 2015). The projection, linear over the last dimension and 1 × 1
 * for images, is trained with the student and dropped with the run.
 *
 * @throws ArgumentError for options; when traced, for a layer that is not there, naming those that are; ShapeError.
 * @example
 * const teacher = nn.sequential(nn.linear(4, 64), nn.relu(), nn.linear(64, 3));
 * const term = distill.hints({ teacher, layers: [{ student: "0", teacher: "1" }], weight: 0.5 });
 */
export function hints(options: HintsOptions): Distillation {
  const where = "distill.hints";
  const { pairs, weight } = checked(where, options, ["projection"]);
  const { projection = "auto" } = options;
  if (!projections.includes(projection)) {
    throw new ArgumentError(
      `${where}: projection must be one of ${projections.map((word) => `"${word}"`).join(", ")}, got ${got(projection)}`,
    );
  }
  // A term for every pair and teacher: each has a projection of its own.
  const terms = pairs.flatMap((pair) =>
    teachersOf(where, options).map((teacher): Term => {
      const key = {};
      const value = (context: TermContext) => {
        const [student, taught] = layersOf(where, pair, context);
        return losses.hint(projected(where, student, taught, projection, key), taught);
      };
      return { where, weight, shares: false, teachers: [teacher], value };
    }),
  );
  return new Distillation("hints", terms);
}

/** Options of {@link attentionTransfer}. */
export interface AttentionTransferTermOptions extends FeatureOptions, losses.AttentionTransferOptions {}

/**
 * The student is to look where the teacher looks (Zagoruyko and Komodakis 2017); see `distill.losses.attentionTransfer`. Layers of
 * images or tokens with as many places; widths may differ. The value is a mean over places, so that weights of 1000 are usual.
 *
 * @throws ArgumentError for options; when traced, for a layer that is not there; ShapeError.
 */
export function attentionTransfer(options: AttentionTransferTermOptions): Distillation {
  const where = "distill.attentionTransfer";
  const { power = 2 } = options ?? {};
  requireAboveZero(where, "power", power);
  return onPairs("attentionTransfer", options, ["power"], (student, teacher) =>
    losses.attentionTransfer(student, teacher, { power }),
  );
}

/** Options of {@link rkd}. */
export interface RkdTermOptions extends Omit<FeatureOptions, "layers">, losses.RkdOptions {
  /** Which layers. Default the output. */
  readonly layers?: LayerPair | readonly LayerPair[] | undefined;
}

/**
 * The student's samples are to lie to each other as the teacher's do (Park et al. 2019); see `distill.losses.rkd`.
 *
 * @throws ArgumentError for options; when traced, for a layer that is not there.
 */
export function rkd(options: RkdTermOptions): Distillation {
  const { distance = 25, angle = 50 } = options ?? {};
  for (const [name, like] of Object.entries({ distance, angle })) {
    if (typeof like !== "number" || !(like >= 0 && like < Infinity)) {
      throw new ArgumentError(`distill.rkd: ${name} must be a number from 0 on, got ${String(like)}`);
    }
  }
  const given: FeatureOptions = { ...options, layers: options?.layers ?? "" };
  return onPairs("rkd", given, ["distance", "angle"], (student, teacher) =>
    losses.rkd(student, teacher, { distance, angle }),
  );
}

/**
 * Samples that are alike to the teacher are to be alike to the student (Tung and Mori 2019); see `distill.losses.similarity`. The
 * value is a mean over pairs, so that weights of 3000 are usual.
 *
 * @throws ArgumentError for options; when traced, for a layer that is not there.
 */
export function similarity(options: FeatureOptions): Distillation {
  return onPairs("similarity", options, [], losses.similarity);
}

/** From one layer to another, in both models. */
export interface FlowPair {
  readonly student: readonly [from: string, to: string];
  readonly teacher: readonly [from: string, to: string];
}

/** Options of {@link fsp}. */
export interface FspOptions extends TeacherOptions {
  /** Which flows; the losses of several are added. */
  readonly flows: FlowPair | readonly FlowPair[];
  /** Of the term beside the task's loss. May be a schedule. Default 1. */
  readonly weight?: ScheduleLike | undefined;
}

/**
 * The student is to turn one layer's features into another's as the teacher does (FSP; Yim et al. 2017); see `distill.losses.fsp`.
 *
 * @throws ArgumentError for options; when traced, for a layer that is not there; ShapeError.
 * @example
 * const block = (width: number) =>
 *   nn.sequential(nn.conv2d(1, 4, { kernel: 3 }), nn.conv2d(4, width, { kernel: 1 }), nn.conv2d(width, 4, { kernel: 1 }));
 * const term = distill.fsp({ teacher: block(64), flows: { student: ["0", "2"], teacher: ["0", "2"] } });
 */
export function fsp(options: FspOptions): Distillation {
  const where = "distill.fsp";
  const { weight = 1 } = checkedOptions(where, options, ["flows", "weight"]);
  checkLike(where, "weight", weight, 0);
  const flows = (Array.isArray(options.flows) ? options.flows : [options.flows]) as readonly FlowPair[];
  const isFlow = (paths: unknown) =>
    Array.isArray(paths) && paths.length === 2 && paths.every((path) => typeof path === "string");
  if (flows.length === 0 || !flows.every((flow) => isFlow(flow?.student) && isFlow(flow.teacher))) {
    throw new ArgumentError(
      `${where}: flows must be such as { student: ["0", "2"], teacher: ["0", "3"] }, from one layer to another in each model`,
    );
  }
  const value = ({ student, teacher }: TermContext) =>
    added(
      flows.map((flow) => {
        const [a, b] = flow.student.map((path) => layerOf(`${where}: student`, student, path));
        const [c, d] = flow.teacher.map((path) => layerOf(`${where}: teacher`, teacher, path));
        return losses.fsp([a!, b!], [c!, d!]);
      }),
    );
  return new Distillation("fsp", [{ where, weight, shares: false, teachers: teachersOf(where, options), value }]);
}

function onPairs(
  name: string,
  options: FeatureOptions,
  names: readonly string[],
  formula: (student: Tensor, teacher: Tensor) => Tensor,
): Distillation {
  const where = `distill.${name}`;
  const { pairs, weight } = checked(where, options, names);
  const value = (context: TermContext) => added(pairs.map((pair) => formula(...layersOf(where, pair, context))));
  return new Distillation(name, [{ where, weight, shares: false, teachers: teachersOf(where, options), value }]);
}

const added = (values: readonly Tensor[]): Tensor => values.reduce((total, value) => total.add(value));

function layersOf(where: string, pair: Pair, { student, teacher }: TermContext): readonly [Tensor, Tensor] {
  return [layerOf(`${where}: student`, student, pair.student), layerOf(`${where}: teacher`, teacher, pair.teacher)];
}

interface Pair {
  readonly student: string;
  readonly teacher: string;
}

function checked(where: string, options: FeatureOptions, names: readonly string[]) {
  const { layers, weight = 1 } = checkedOptions(where, options, ["layers", "weight", ...names]);
  checkLike(where, "weight", weight, 0);
  const list = (Array.isArray(layers) ? layers : [layers]) as readonly LayerPair[];
  const pairs = list.map((layer): Pair => (typeof layer === "string" ? { student: layer, teacher: layer } : layer));
  if (
    pairs.length === 0 ||
    !pairs.every((pair) => typeof pair?.student === "string" && typeof pair.teacher === "string")
  ) {
    throw new ArgumentError(
      `${where}: layers must be a path such as "blocks.1", or { student: "2", teacher: "5" }, or a list of these`,
    );
  }
  return { pairs, weight };
}

function checkedOptions<Options extends TeacherOptions>(
  where: string,
  options: Options,
  names: readonly string[],
): Options {
  if (typeof options !== "object" || options === null) {
    throw new ArgumentError(`${where}: expected options such as { teacher, layers }, got ${String(options)}`);
  }
  checkOptions(where, options, ["teacher", "teacherWeights", ...names]);
  return options;
}
