// Terms on the scores of student and teacher.
import { requireOneOf } from "../guidance/arguments.js";
import { ArgumentError, checkOptions } from "../errors.js";
import type { ScheduleLike } from "../schedule/index.js";
import type { Captured } from "../nn/index.js";
import {
  checkLike,
  Distillation,
  teachersOf,
  type TeacherOptions,
  type Term,
  type TermContext,
} from "./distillation.js";
import * as losses from "./losses/index.js";

/** Options of {@link softCrossEntropy}. */
export interface SoftCrossEntropyOptions extends TeacherOptions {
  /** T, above 0; may be a schedule. Default 4. */
  readonly temperature?: ScheduleLike | undefined;
  /** Share of the teacher, 0 to 1; the task's loss has the rest. May be a schedule. Default 0.5. */
  readonly alpha?: ScheduleLike | undefined;
}

/** Options of {@link kd}. */
export interface KdOptions extends SoftCrossEntropyOptions {
  /** Which way to measure; see `distill.losses.kd`. Default "forward". */
  readonly divergence?: losses.Divergence | undefined;
}

/** Options of {@link dkd}. */
export interface DkdTermOptions extends TeacherOptions {
  /** T, above 0; may be a schedule. Default 4. */
  readonly temperature?: ScheduleLike | undefined;
  /** Weight of the target class against all others. Default 1. */
  readonly target?: ScheduleLike | undefined;
  /** Weight of the other classes among themselves. Default 8. */
  readonly others?: ScheduleLike | undefined;
  /** Of the term beside the task's loss. Default 1. */
  readonly weight?: ScheduleLike | undefined;
}

/** Options of {@link dist}. */
export interface DistTermOptions extends TeacherOptions {
  /** T, above 0; may be a schedule. Default 1. */
  readonly temperature?: ScheduleLike | undefined;
  /** Weight of the correlation over the classes of each sample. Default 1. */
  readonly inter?: ScheduleLike | undefined;
  /** Weight of the correlation over the samples of each class. Default 1. */
  readonly intra?: ScheduleLike | undefined;
  /** Of the term beside the task's loss. Default 1. */
  readonly weight?: ScheduleLike | undefined;
}

/**
 * Hinton's distillation: alpha T² KL(teacher ‖ student at T) + (1 − alpha) task (Hinton, Vinyals and Dean 2015). With alpha 1 the
 * labels are not looked at. For several teachers, the gradient is that of their probabilities' weighted mean.
 *
 * @throws ArgumentError for options.
 * @example
 * const teacher = nn.sequential(nn.linear(4, 64), nn.relu(), nn.linear(64, 3));
 * const set = data.fromArrays({ x: array(new Float32Array(8), [2, 4]), y: array(Uint8Array.of(0, 2)) });
 * const run = train.fit(nn.linear(4, 3), set, {
 *   loss: loss.crossEntropy(),
 *   optimizer: optim.adamW({ lr: 1e-3 }),
 *   distill: distill.kd({ teacher, temperature: 4, alpha: 0.7 }),
 * });
 * await run;
 */
export function kd(options: KdOptions): Distillation {
  const { divergence = "forward" } = checked("distill.kd", options, ["temperature", "alpha", "divergence"]);
  requireOneOf("distill.kd", "divergence", divergence, losses.divergences);
  return shared("kd", options, (student, teacher, rest) => losses.kd(student, teacher, { ...rest, divergence }));
}

/**
 * The same with −T² Σ p log q in place of the divergence: it has the same gradient, and tells by its value how sure the teacher is.
 *
 * @throws ArgumentError for options.
 */
export function softCrossEntropy(options: SoftCrossEntropyOptions): Distillation {
  checked("distill.softCrossEntropy", options, ["temperature", "alpha"]);
  return shared("softCrossEntropy", options, losses.softCrossEntropy);
}

/**
 * Decoupled distillation beside the task's loss (Zhao et al. 2022); see `distill.losses.dkd`. Needs class labels.
 *
 * @throws ArgumentError for options.
 */
export function dkd(options: DkdTermOptions): Distillation {
  const where = "distill.dkd";
  const {
    temperature = 4,
    target = 1,
    others = 8,
    weight = 1,
  } = checked(where, options, ["temperature", "target", "others", "weight"]);
  checkTemperature(where, temperature);
  for (const [name, like] of Object.entries({ target, others, weight })) checkLike(where, name, like, 0);
  return added("dkd", options, weight, ({ student, teacher, labels, number }) => {
    if (!labels) throw new ArgumentError(`${where}: the batch has no labels "y"; distill.kd needs none`);
    return losses.dkd(student.output, teacher.output, labels, {
      temperature: number(temperature),
      target: number(target),
      others: number(others),
    });
  });
}

/**
 * Correlation with the teacher beside the task's loss (Huang et al. 2022); see `distill.losses.dist`.
 *
 * @throws ArgumentError for options.
 */
export function dist(options: DistTermOptions): Distillation {
  const where = "distill.dist";
  const {
    temperature = 1,
    inter = 1,
    intra = 1,
    weight = 1,
  } = checked(where, options, ["temperature", "inter", "intra", "weight"]);
  checkTemperature(where, temperature);
  for (const [name, like] of Object.entries({ inter, intra, weight })) checkLike(where, name, like, 0);
  return added("dist", options, weight, ({ student, teacher, number }) =>
    losses.dist(student.output, teacher.output, {
      temperature: number(temperature),
      inter: number(inter),
      intra: number(intra),
    }),
  );
}

/**
 * Terms on scores that see both sides' scores standardized, (z − mean) / deviation per row (Sun et al. 2024): the student need not
 * match the range of the teacher's scores. Temperatures are then in deviations; the paper takes 2.
 *
 * @throws ArgumentError for anything but terms on scores.
 * @example
 * const teacher = nn.linear(4, 3);
 * const term = distill.logitStandardization(distill.kd({ teacher, temperature: 2, alpha: 0.9 }));
 */
export function logitStandardization(inner: Distillation): Distillation {
  const where = "distill.logitStandardization";
  if (!(inner instanceof Distillation)) {
    throw new ArgumentError(`${where}: expected a term such as distill.kd({ teacher }), got ${typeof inner}`);
  }
  const strange = inner.terms.find((term) => !onScores.has(term));
  if (strange) throw new ArgumentError(`${where}: takes terms on scores, such as distill.kd, got ${strange.where}`);
  const terms = inner.terms.map((term): Term => {
    const value = (context: TermContext) =>
      term.value({ ...context, student: standardized(context.student), teacher: standardized(context.teacher) });
    return scoreTerm({ ...term, value });
  });
  return new Distillation(`logitStandardization(${inner.name})`, terms);
}

const standardized = (captured: Captured): Captured => ({ ...captured, output: losses.standardize(captured.output) });

const onScores = new WeakSet<Term>();

function scoreTerm(term: Term): Term {
  onScores.add(term);
  return term;
}

function shared(name: string, options: SoftCrossEntropyOptions, formula: typeof losses.softCrossEntropy): Distillation {
  const where = `distill.${name}`;
  const { temperature = 4, alpha = 0.5 } = options;
  checkTemperature(where, temperature);
  checkLike(where, "alpha", alpha, 0, 1);
  const value: Term["value"] = ({ student, teacher, number }) =>
    formula(student.output, teacher.output, { temperature: number(temperature) });
  const teachers = teachersOf(where, options);
  return new Distillation(name, [scoreTerm({ where, weight: alpha, shares: true, teachers, value })]);
}

function added(name: string, options: TeacherOptions, weight: ScheduleLike, value: Term["value"]): Distillation {
  const where = `distill.${name}`;
  return new Distillation(name, [
    scoreTerm({ where, weight, shares: false, teachers: teachersOf(where, options), value }),
  ]);
}

function checked<Options extends TeacherOptions>(where: string, options: Options, names: readonly string[]): Options {
  if (typeof options !== "object" || options === null) {
    throw new ArgumentError(`${where}: expected options such as { teacher }, got ${String(options)}`);
  }
  checkOptions(where, options, ["teacher", "teacherWeights", ...names]);
  return options;
}

function checkTemperature(where: string, like: ScheduleLike): void {
  checkLike(where, "temperature", like, Number.MIN_VALUE);
}
