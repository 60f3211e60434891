// Terms beside the task's loss: (1 − Σ alpha) task + Σ weight · term, each term with its teachers. One object serves `train.fit`
// (option `distill`) and, by its `step`, loops of the user's own.
import { isSource } from "../data/index.js";
import { ArgumentError } from "../errors.js";
import type { ModelInfo } from "../info/index.js";
import { got } from "../names/got.js";
import type { Loss } from "../loss/index.js";
import { weighted, weightOf } from "../ops/batch-weight.js";
import { capture, inputFor, Module, type Captured, type ModuleLike } from "../nn/index.js";
import { requireModule } from "../nn/module.js";
import type { ScheduleLike } from "../schedule/index.js";
import { requireFiniteParameters, requireFiniteParametersSync } from "../tensor/finite.js";
import { countOf, NdArray, showShape } from "../tensor/nd-array.js";
import { Tensor } from "../tensor/tensor.js";
import type { Trace } from "../tensor/trace.js";
import type { DistillationRun, DistillationStep, LossTerms, XY } from "../train/index.js";
import type { CachedTeacher } from "./cache/cached.js";
import type { Factor } from "./losses/index.js";
import { ask, cacheOf, checkTeacher, knownBy, type Lesson, type Teacher } from "./teacher.js";

/** What a term is given of a batch. */
export interface TermContext {
  readonly trace: Trace;
  readonly student: Captured;
  readonly teacher: Captured;
  readonly labels: Tensor | undefined;
  /** A number, or a schedule's value at the step. */
  readonly number: (like: ScheduleLike) => Factor;
}

/** A term of one or several teachers. */
export interface Term {
  readonly where: string;
  readonly weight: ScheduleLike;
  /** Whether the weight is taken from the task's loss: (1 − weight) task. */
  readonly shares: boolean;
  readonly teachers: readonly { readonly teacher: Teacher; readonly weight: number }[];
  value(context: TermContext): Tensor;
}

/** Options of every term. */
export interface TeacherOptions {
  /** Whom to learn from. Of several teachers the losses are added by their weights. */
  readonly teacher: Teacher | readonly Teacher[];
  /** Weights of several teachers. Default equal, 1 together. */
  readonly teacherWeights?: readonly number[] | undefined;
}

/** The teachers of options. @throws ArgumentError */
export function teachersOf(where: string, options: TeacherOptions): Term["teachers"] {
  const given = options.teacher;
  const teachers = (Array.isArray(given) ? given : [given]) as readonly Teacher[];
  if (teachers.length === 0) throw new ArgumentError(`${where}: teacher must be a model or a list of models, got []`);
  for (const teacher of teachers) checkTeacher(where, teacher);
  const weights: unknown = options.teacherWeights ?? teachers.map(() => 1 / teachers.length);
  const fits = Array.isArray(weights) && weights.length === teachers.length;
  if (
    !fits ||
    !(weights as readonly unknown[]).every((weight) => typeof weight === "number" && weight >= 0 && weight < Infinity)
  ) {
    throw new ArgumentError(
      `${where}: teacherWeights must be ${teachers.length} numbers from 0 on, one a teacher, got ${Array.isArray(weights) ? `[${weights.map(got).join(", ")}]` : got(weights)}`,
    );
  }
  return teachers.map((teacher, i) => ({ teacher, weight: (weights as readonly number[])[i]! }));
}

/** @throws ArgumentError unless a number lies within [low, high]; a schedule is taken as it is. */
export function checkLike(where: string, name: string, like: ScheduleLike, low: number, high = Infinity): void {
  if (typeof like === "function") return;
  if (typeof like === "number" && Number.isFinite(like) && like >= low && like <= high) return;
  const range = high === Infinity ? `from ${low} on` : `from ${low} to ${high}`;
  throw new ArgumentError(`${where}: ${name} must be a number ${range} or a schedule, got ${String(like)}`);
}

/** Distillation terms; made by `distill.kd` and its like, joined by `distill.combine`. */
export class Distillation implements LossTerms {
  readonly name: string;
  /** @internal */
  readonly terms: readonly Term[];

  /** @internal */
  constructor(name: string, terms: readonly Term[]) {
    this.name = name;
    this.terms = terms;
    const shares = terms.filter(({ shares }) => shares).map(({ weight }) => weight);
    const sum = shares.reduce<number>((total, share) => total + (typeof share === "number" ? share : 0), 0);
    if (sum > 1 + 1e-12) {
      throw new ArgumentError(
        `distill.${name}: the alphas of all terms add up to ${sum}, which leaves less than nothing of the task's loss; lower them to 1 together`,
      );
    }
  }

  /** @internal What the first teacher that is a model knows beside its weights. */
  get info(): ModelInfo {
    const teachers = this.terms.flatMap((term) => term.teachers.map(({ teacher }) => teacher));
    return teachers.map(knownBy).find((info) => Object.keys(info).length > 0) ?? {};
  }

  /**
   * The step function for a loop of your own: `train.step(student, optimizer, kd.step(student, loss.crossEntropy()))`.
   *
   * @param student the model that learns. @param loss the loss of the task, of the batch's `y`.
   * @throws ArgumentError; when traced, ShapeError and DTypeError where student, teacher and data do not fit.
   */
  step(student: ModuleLike, loss: Loss): (batch: XY & Readonly<Record<string, Tensor>>) => Tensor {
    const where = `distill.${this.name}`;
    requireModule(where, student);
    if (typeof loss !== "function") {
      throw new ArgumentError(`${where}: loss must be one of loss, such as loss.crossEntropy(), got ${got(loss)}`);
    }
    requireFiniteParametersSync(where, this.taught());
    return (batch) => this.loss({ model: student, loss, batch });
  }

  /** The whole loss of a batch within a trace. */
  loss({ model, loss, batch }: DistillationStep): Tensor {
    const where = `distill.${this.name}`;
    const { x, y } = batch;
    if (!x) throw new ArgumentError(`${where}: the batch has no "x"`);
    const student = capture(model, inputFor(model, x));
    const columns = new Map(this.caches().map((cached, i) => [cached, columnName(i)]));
    const said = new Map<Teacher, Captured>();
    const lesson: Lesson = { where, student: model, batch, columnOf: (cached) => columns.get(cached)! };
    const teach = (teacher: Teacher): Captured => {
      const known = said.get(teacher) ?? ask(teacher, lesson);
      said.set(teacher, known);
      return known;
    };
    const number = (like: ScheduleLike): Factor =>
      typeof like === "function" ? x.trace.stepNumber(like, where) : like;
    const values = this.terms.map((term) => {
      const parts = term.teachers.map(({ teacher, weight }) =>
        scaled(term.value({ trace: x.trace, student, teacher: teach(teacher), labels: y, number }), weight),
      );
      return scaled(sum(parts), number(term.weight));
    });
    const left = this.left(x.trace, number);
    if (left === 0) return sum(values); // the labels are not looked at
    if (!y)
      throw new ArgumentError(
        `${where}: the batch has no "y", which the loss of the task needs; alpha: 1 leaves it out`,
      );
    const task = loss(student.output, y);
    const [part, weight] = [scaled(task, left), weightOf(task)];
    const whole = sum([part, ...values]);
    // Labels that are ignored weigh nothing in the task's part, and their rows weigh in the terms.
    return weight instanceof Tensor || weight === "sum" ? weighted(whole, { part, weight }) : whole;
  }

  /** Scores of the teachers that keep them, a column each. @throws NonFiniteError for a teacher with weights that are not finite. */
  async prepare(run: DistillationRun): Promise<Readonly<Record<string, NdArray>>> {
    await requireFiniteParameters(`distill.${this.name}`, this.taught());
    const columns: Record<string, NdArray> = {};
    for (const [i, cached] of this.caches().entries()) {
      const { dataset, signal } = run;
      if (isSource(dataset)) {
        throw new ArgumentError(
          `distill.${this.name}: distill.cached keeps scores for samples in memory, and these come from a source; give the teacher itself`,
        );
      }
      const scores = await cached.scores(dataset.x, { signal });
      if (scores.shape[0] !== dataset.length || countOf(scores.shape) === 0) {
        throw new ArgumentError(
          `distill.${this.name}: the teacher gives ${showShape(scores.shape)} for ${dataset.length} samples`,
        );
      }
      columns[columnName(i)] = scores;
    }
    return columns;
  }

  /** What is left of the task's loss: 1 − Σ alpha. */
  private left(trace: Trace, number: (like: ScheduleLike) => Factor): Factor {
    const shares = this.terms.filter(({ shares }) => shares).map(({ weight }) => number(weight));
    const fixed = shares.reduce<number>((rest, share) => (typeof share === "number" ? rest - share : rest), 1);
    const moving = shares.filter((share) => share instanceof Tensor);
    if (moving.length === 0) return Math.max(0, Math.abs(fixed) < 1e-12 ? 0 : fixed);
    return moving.reduce((rest, share) => rest.sub(share), trace.scalar(fixed, "f32"));
  }

  // Parameters of the teachers that run in the student's program.
  private taught() {
    const models = new Set(this.terms.flatMap(({ teachers }) => teachers.map(({ teacher }) => teacher)));
    return [...models].flatMap((teacher) =>
      teacher instanceof Module
        ? teacher.namedWeights().map(({ name, parameter }) => ({ name: `the teacher's "${name}"`, parameter }))
        : [],
    );
  }

  private caches(): CachedTeacher[] {
    const all = this.terms.flatMap(({ teachers }) => teachers.map(({ teacher }) => cacheOf(teacher)));
    return [...new Set(all.filter((cached) => cached !== undefined))];
  }
}

// A column's name in the program: no name that a user would choose.
const columnName = (i: number): string => `#teacher${i}`;

const scaled = (value: Tensor, by: Factor): Tensor => (by === 1 ? value : value.mul(by));

const sum = (values: readonly Tensor[]): Tensor => values.reduce((total, value) => total.add(value));

/**
 * Several terms at once. The task's loss counts by 1 − the sum of all alphas (of `distill.kd`, `distill.softCrossEntropy`); terms
 * with a `weight` are added to it.
 *
 * @throws ArgumentError for anything but terms, or alphas of more than 1 together.
 * @example
 * const teacher = nn.sequential(nn.linear(4, 16), nn.relu(), nn.linear(16, 3));
 * const both = distill.combine(
 *   distill.kd({ teacher, temperature: 4, alpha: 0.5 }),
 *   distill.hints({ teacher, layers: [{ student: "0", teacher: "1" }], weight: 0.1 }),
 * );
 */
export function combine(...parts: readonly Distillation[]): Distillation {
  const at = (parts as readonly unknown[]).findIndex((part) => !(part instanceof Distillation));
  if (at >= 0 || parts.length === 0) {
    throw new ArgumentError(
      `distill.combine: expected terms such as distill.kd({ teacher }), got ${parts.length === 0 ? "none" : got(parts[at])}`,
    );
  }
  return new Distillation(
    parts.map(({ name }) => name).join(" + "),
    parts.flatMap(({ terms }) => terms),
  );
}
