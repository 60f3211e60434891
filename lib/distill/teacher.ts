// Who teaches: a model that runs in the student's program, scores kept from earlier (cached.ts), scores that the batch brings, or
// a moving average of the student itself (ema.ts).
import { ArgumentError } from "../errors.js";
import { got } from "../names/got.js";
import { infoOf, type ModelInfo } from "../info/index.js";
import { LoadedModel } from "../artifact/index.js";
import { capture, inputFor, Module, type Captured, type ModuleLike } from "../nn/index.js";
import { Tensor } from "../tensor/tensor.js";
import { CachedTeacher } from "./cache/cached.js";
import { EmaTeacher } from "./ema.js";

/** A teacher whose scores are a column of the batch; made by {@link fed}. */
export class FedTeacher {
  readonly column: string;

  /** @internal See {@link fed}. */
  constructor(column: string) {
    this.column = column;
  }
}

/**
 * A teacher. A module or function runs within the student's program, frozen and as in use (no dropout, running statistics). A
 * loaded artifact is run once per sample, its scores kept in memory.
 */
export type Teacher = ModuleLike | LoadedModel | CachedTeacher | EmaTeacher | FedTeacher;

/**
 * A teacher whose scores come with the batch, for loops of your own: `step.run({ x, y, scores })` with `distill.fed("scores")`.
 *
 * @throws ArgumentError for a name that is none.
 * @example
 * const student = nn.linear(4, 3);
 * const kd = distill.kd({ teacher: distill.fed("scores"), temperature: 2 });
 * const step = train.step(student, optim.sgd({ lr: 0.1 }), kd.step(student, loss.crossEntropy()));
 * await step.run({
 *   x: array([1, 2, 3, 4], [1, 4]), y: array(Int32Array.of(0)), scores: array([3, 1, 0], [1, 3]),
 * });
 * step.dispose();
 */
export function fed(column: string): FedTeacher {
  if (typeof column !== "string" || column === "") {
    throw new ArgumentError(`distill.fed: expected the name of a column of the batch, got ${got(column)}`);
  }
  return new FedTeacher(column);
}

/** @throws ArgumentError unless `value` can teach. */
export function checkTeacher(where: string, value: unknown): asserts value is Teacher {
  const known = [Module, LoadedModel, CachedTeacher, EmaTeacher, FedTeacher];
  if (typeof value === "function" || known.some((kind) => value instanceof kind)) return;
  const what = value === null || value === undefined ? String(value) : typeof value;
  throw new ArgumentError(
    `${where}: teacher must be a module, a loaded artifact, or one of distill.cached, distill.ema and distill.fed, got ${what}`,
  );
}

/** What a teacher knows beside its weights. */
export function knownBy(teacher: Teacher): ModelInfo {
  if (teacher instanceof LoadedModel) return teacher.info;
  if (teacher instanceof CachedTeacher) return teacher.info;
  return infoOf(teacher);
}

const served = new WeakMap<LoadedModel, CachedTeacher>();

/** The scores that are kept of a teacher, if they are kept. */
export function cacheOf(teacher: Teacher): CachedTeacher | undefined {
  if (teacher instanceof CachedTeacher) return teacher;
  if (!(teacher instanceof LoadedModel)) return undefined;
  const known = served.get(teacher);
  if (known) return known;
  const made = new CachedTeacher(teacher, {});
  served.set(teacher, made);
  return made;
}

/** What a teacher needs to be asked about a batch. */
export interface Lesson {
  readonly where: string;
  readonly student: ModuleLike;
  readonly batch: Readonly<Record<string, Tensor>>;
  /** The column in which `fit` brings the scores of a cached teacher. */
  readonly columnOf: (teacher: CachedTeacher) => string;
}

/** What a teacher says of the batch's x, and its layers where they are known. */
export function ask(teacher: Teacher, lesson: Lesson): Captured {
  const { where, student, batch } = lesson;
  const x = batch.x!;
  if (teacher instanceof FedTeacher) return scores(columnOf(where, batch, teacher.column));
  const cached = cacheOf(teacher);
  if (cached) return scores(keptOf(lesson, cached));
  if (teacher instanceof EmaTeacher) return teacher.teach(where, student, x);
  const model = teacher as ModuleLike;
  if (model === student) {
    throw new ArgumentError(
      `${where}: the teacher is the student itself, which learns nothing from it; use distill.ema() for a teacher that follows it, or a clone`,
    );
  }
  return x.trace.frozen(() => capture(model, inputFor(model, x)));
}

const scores = (output: Tensor): Captured => ({ output, layers: new Map([["", output]]) });

function keptOf({ where, batch, columnOf: nameOf }: Lesson, cached: CachedTeacher): Tensor {
  const column = batch[nameOf(cached)];
  if (column) return column;
  throw new ArgumentError(
    `${where}: a cached teacher or a loaded artifact teaches in train.fit; in a loop of your own feed its scores: teacher: distill.fed("scores") with a batch { x, y, scores } from await cached.scores(x)`,
  );
}

function columnOf(where: string, batch: Readonly<Record<string, Tensor>>, name: string): Tensor {
  const column = batch[name];
  if (column) return column;
  const known = Object.keys(batch).map((key) => `"${key}"`);
  throw new ArgumentError(
    `${where}: the batch has no column "${name}" with the teacher's scores, only ${known.join(", ")}`,
  );
}
