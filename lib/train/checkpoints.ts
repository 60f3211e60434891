// Checkpoints for loops of the user's own.
import { ArgumentError } from "../errors.js";
import {
  checkResume,
  findCheckpoint,
  Generations,
  planCheckpoint,
  Stage,
  messageOf,
  takeOver,
  warn,
  type CheckpointOptions,
  type CheckpointPlan,
  type Json,
  type Resume,
  type RunState,
} from "../checkpoint/index.js";
import { TrainStep } from "./step/step.js";

/** Options of {@link checkpoints}. */
export interface CheckpointsOptions extends Omit<CheckpointOptions, "every" | "best"> {
  /** Every so many steps, or after a time such as "5 min". Default "5 min". */
  readonly every?: number | `${number} ${"s" | "min" | "h"}` | undefined;
  /** The checkpoint to go on from. Default "auto". */
  readonly resume?: Resume | undefined;
}

interface Content {
  readonly steps: number;
  readonly values: Readonly<Record<string, Json>>;
  readonly extra: Json;
  readonly written: string;
}

/** What {@link Checkpoints.resume} gives. */
export interface Resumed {
  /** Steps taken until the checkpoint; 0 without one. */
  readonly steps: number;
  /** What was kept with it. */
  readonly extra: Json;
}

const where = "train.checkpoints";

/** A step whose state can be kept: what `train.step` makes. */
export interface Resumable {
  readonly steps: number;
  /** @internal */
  settled(): Promise<RunState>;
  /** @internal */
  resumeBy(steps: number, restore: (state: RunState) => Promise<void>): void;
}

/** The checkpoints of a step; made by {@link checkpoints}. */
export class Checkpoints {
  private readonly step: Resumable;
  private readonly plan: CheckpointPlan;
  private readonly from: Resume;
  private readonly generations: Generations<Content>;
  private readonly stage = new Stage();
  private resumedAt: number | undefined;
  private ready: Promise<void> | undefined;
  private writing: Promise<void> = Promise.resolve();
  private failure: { readonly reason: unknown } | undefined;
  private last: { step: number; at: number };

  /** @internal See {@link checkpoints}. */
  constructor(step: Resumable, plan: CheckpointPlan, from: Resume) {
    this.step = step;
    this.plan = plan;
    this.from = from;
    this.generations = new Generations(where, plan.dir);
    this.last = { step: step.steps, at: performance.now() };
  }

  /**
   * Goes on from the newest sound checkpoint, if there is one: model, optimizer and what the loss keeps are put in place with
   * the first batch. Readies the folder that {@link save} writes to.
   *
   * @throws ArgumentError if there is none at the path that was given; CorruptFileError if all are damaged; FileError. What does not
   *   fit the model is thrown by the first step.
   */
  async resume(): Promise<Resumed> {
    const { from, generations } = this;
    const opened = await findCheckpoint(where, generations, from);
    if (opened && typeof (opened.content as Partial<Content>).steps !== "number") {
      throw new ArgumentError(
        `${where}: "${opened.path}" is of a run of train.fit, not of a loop of your own; give dir another folder`,
      );
    }
    await (this.ready = takeOver(where, generations, opened));
    if (!opened) return { steps: this.step.steps, extra: null };
    const { steps, values, extra } = opened.content;
    this.resumedAt = steps;
    this.step.resumeBy(steps, (state) => state.restore(values, (tensors) => opened.read(tensors)));
    this.last = { step: steps, at: performance.now() };
    return { steps, extra };
  }

  /** Writes a checkpoint if one is due; call it after every step. Resolves when the state is copied. @throws FileError of an earlier one */
  async offer(extra: Json = null): Promise<void> {
    const { every } = this.plan;
    const due =
      every.kind === "steps"
        ? Math.floor(this.step.steps / every.steps) > Math.floor(this.last.step / every.steps)
        : every.kind === "time" && performance.now() - this.last.at >= every.ms;
    if (due) await this.save(extra);
  }

  /**
   * Writes a checkpoint now. Resolves when the state is copied; the file is written while the next steps are taken.
   *
   * @param extra plain data of your own, given back by {@link resume}.
   * @throws FileError if the one before could not be written.
   */
  async save(extra: Json = null): Promise<void> {
    await (this.ready ??= takeOver(where, this.generations, undefined)); // a loop that did not ask to go on begins anew
    await this.written();
    const state = await this.step.settled();
    const { steps } = this.step;
    if (steps === this.resumedAt) return; // nothing has come to it: what was read is put in place by the first step
    const content: Content = {
      steps,
      values: state.values(),
      extra: structuredClone(extra),
      written: new Date().toISOString(),
    };
    const tensors = await this.stage.take(state.tensors());
    this.last = { step: steps, at: performance.now() };
    this.writing = this.generations
      .write(steps, content, tensors)
      .then(() =>
        this.generations
          .prune(this.plan.keep, new Set())
          .catch((thrown: unknown) => warn(`${messageOf(thrown)}; older checkpoints stay`)),
      )
      .catch((reason: unknown) => void (this.failure = { reason }));
  }

  /** Waits until everything is on the disk, frees the copies, and gives the folder free for other runs. @throws FileError */
  async close(): Promise<void> {
    try {
      await this.written();
    } finally {
      this.stage.dispose();
      await this.generations.release();
    }
  }

  private async written(): Promise<void> {
    await this.writing;
    const { failure } = this;
    this.failure = undefined;
    if (failure) throw failure.reason;
  }
}

/**
 * Keeps the state of a step of your own on the disk: model, masks, optimizer, what the loss keeps, and the number of steps. A loop
 * that is killed and begun again goes on to the same bits, if its batches depend on the number of the step alone.
 *
 * @throws ArgumentError
 * @example
 * const model = nn.linear(3, 1);
 * const step = train.step(model, optim.sgd({ lr: 0.01 }), ({ x, y }) => loss.mse()(model.forward(x), y));
 * const saved = train.checkpoints(step, { dir: "out/own-loop", every: 10 });
 * for (let { steps } = await saved.resume(); steps < 20; steps++) {
 *   await step.run({ x: array([steps / 20, 2, 3], [1, 3]), y: array([1], [1, 1]) });
 *   await saved.offer();
 * }
 * await saved.close();
 * step.dispose();
 */
export function checkpoints(step: Resumable, options: CheckpointsOptions): Checkpoints {
  if (!(step instanceof TrainStep)) throw new ArgumentError(`${where}: expected a step made by train.step`);
  const { resume = "auto", every = "5 min", ...rest } = options;
  const plan = planCheckpoint(where, { ...rest, every });
  checkResume(where, resume, plan);
  return new Checkpoints(step, plan!, resume);
}
