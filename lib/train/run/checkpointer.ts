// The checkpoints of a run of `fit`: the one it goes on from, and those that it writes while it trains. A checkpoint costs the run a
// copy of its state in memory; the file is written from the copy while the next steps are taken.
import { resolve } from "node:path";
import {
  compareIdentity,
  findCheckpoint,
  Generations,
  messageOf,
  Stage,
  takeOver,
  warn,
  type CheckpointPlan,
  type Identity,
  type Json,
  type Resume,
  type RunState,
  type Section,
} from "../../checkpoint/index.js";
import { ArgumentError } from "../../errors.js";
import type { WholeTensors } from "../ranks/whole.js";

/** What a checkpoint holds beside tensors. */
export interface Content {
  readonly identity: Identity;
  /** What the participants keep, by name. */
  readonly values: Readonly<Record<string, Json>>;
  /** When it was written, ISO 8601. */
  readonly written: string;
}

/** What {@link Checkpointer} goes by. */
export interface CheckpointSource {
  readonly where: string;
  readonly plan: CheckpointPlan | undefined;
  readonly resume: Resume;
  readonly allow: readonly Section[];
  readonly identity: Identity;
  readonly state: RunState;
  /** Whether this process writes them: one of the ranks does. Default true. */
  readonly writes?: boolean | undefined;
  /** Makes whole tensors of those that ranks have parts of. */
  readonly whole?: WholeTensors | undefined;
  /** What all ranks do before one of them writes. */
  readonly collect?: (() => Promise<void>) | undefined;
  /** Told of every checkpoint: what it made the run wait for, and what writing it took. */
  readonly told?: ((step: number, cost: CheckpointCost) => void) | undefined;
}

/** What a checkpoint took, in milliseconds. */
export interface CheckpointCost {
  /** The run waited until the one before was written. */
  readonly waited: number;
  /** The run waited until its state was copied. */
  readonly copied: number;
  /** The file was written, while the run went on. */
  readonly written: number;
}

/** Where a run is when a checkpoint may be due. */
export interface CheckpointMoment {
  readonly step: number;
  /** An epoch has just ended. */
  readonly epochEnd: boolean;
  /** The step of the best check so far. */
  readonly best: number | undefined;
}

/** Writes a run's checkpoints and finds the one to go on from. */
export class Checkpointer {
  private readonly source: CheckpointSource;
  private readonly generations: Generations<Content> | undefined;
  private readonly stage = new Stage();
  private writing: Promise<void> | undefined;
  private last = { step: -1, at: performance.now() };
  /** What is beside the tensors of the copy. */
  private kept: Readonly<Record<string, Json>> | undefined;

  constructor(source: CheckpointSource) {
    this.source = source;
    this.generations = source.plan && new Generations(source.where, source.plan.dir);
  }

  /**
   * Puts the run where its checkpoint was, and readies the folder that it writes to; false for a run that begins.
   *
   * @throws ArgumentError if the checkpoint is of another run or is not there; CorruptFileError, FileError.
   */
  async resume(): Promise<boolean> {
    const { where, identity, allow, state, writes, resume, whole } = this.source;
    const opened = await findCheckpoint(where, this.generations, resume);
    if (opened) {
      if ((opened.content as Partial<Content>).identity === undefined) {
        throw new ArgumentError(
          `${where}: "${opened.path}" is of a loop of train.checkpoints, not of a run of train.fit; give checkpoint.dir another folder`,
        );
      }
      compareIdentity(where, opened.path, opened.content.identity, identity, allow);
      const isElsewhere = (name: string) => state.isElsewhere(name);
      await state.restore(opened.content.values, (tensors) =>
        whole?.any ? whole.read(tensors, (all) => opened.read(all, isElsewhere)) : opened.read(tensors, isElsewhere),
      );
      this.last = { step: opened.step, at: performance.now() };
    }
    if (this.generations && writes !== false) {
      await takeOver(where, this.generations, opened);
      if (!whole?.any) await this.stage.prepare(state.tensors());
    }
    return opened !== undefined;
  }

  /** The next step count above `step` at which a checkpoint is due by steps. */
  due(step: number): number {
    const every = this.source.plan?.every;
    return every?.kind === "steps" ? (Math.floor(step / every.steps) + 1) * every.steps : Infinity;
  }

  /** Writes a checkpoint if one is due; resolves when the state is copied. */
  async offer(moment: CheckpointMoment): Promise<void> {
    const every = this.source.plan?.every;
    if (!every || moment.step === this.last.step || !this.takesPart) return;
    const due =
      every.kind === "epoch"
        ? moment.epochEnd
        : every.kind === "steps"
          ? moment.step % every.steps === 0
          : performance.now() - this.last.at >= every.ms;
    if (due) await this.write(moment);
  }

  /** Writes a checkpoint now and waits until it is on the disk; its path, undefined where none are kept. @throws FileError */
  async finish(moment: CheckpointMoment): Promise<string | undefined> {
    if (!this.generations || !this.takesPart) return undefined;
    await this.writing;
    if (!(await this.collected(moment.step))) return undefined;
    const put = await this.copied(moment);
    return put && resolve((await put()).path);
  }

  /** As {@link finish}, for a run that has come to its end: what it has learned is not lost for a checkpoint. */
  async conclude(moment: CheckpointMoment): Promise<void> {
    await this.finish(moment).catch((thrown: unknown) => warn(`${messageOf(thrown)}; the run has ended, its last checkpoint is an older one`)); // prettier-ignore
  }

  /** Copies the state of now, as the place to go back to until the first checkpoint. */
  async mark(step: number): Promise<void> {
    const { state } = this.source;
    this.kept = state.values();
    await this.stage.take(state.tensors());
    this.last = { step, at: performance.now() };
  }

  /** Puts the run back where its last checkpoint was, from the copy in memory. */
  async rewind(): Promise<void> {
    await this.source.state.restore(structuredClone(this.kept!), (tensors) => this.stage.put(tensors));
  }

  /** Waits for what is being written and frees the copies. */
  async close(): Promise<void> {
    await this.writing;
    this.stage.dispose();
    await this.generations?.release();
  }

  private get takesPart(): boolean {
    const { writes, whole, collect } = this.source;
    return writes !== false || whole?.any === true || collect !== undefined;
  }

  // Whether this rank goes on to write, once it has what the others gave.
  private async collected(step: number): Promise<boolean> {
    const { writes, collect, whole } = this.source;
    if (!collect) return true;
    await collect();
    this.last = { step, at: performance.now() };
    return writes !== false || whole?.any === true; // whole tensors are gathered by all
  }

  // One at a time: a disk that is slower than the checkpoints come makes the run wait, and memory does not grow.
  private async write(moment: CheckpointMoment): Promise<void> {
    const asked = performance.now();
    await this.writing;
    const free = performance.now();
    if (!(await this.collected(moment.step))) return;
    const put = await this.copied(moment);
    if (!put) return;
    const copied = performance.now();
    this.writing = put().then(
      () => {
        const cost = { waited: free - asked, copied: copied - free, written: performance.now() - copied };
        this.source.told?.(moment.step, cost);
      },
      (thrown: unknown) => warn(`${messageOf(thrown)}; the run goes on, its last checkpoint is an older one`),
    );
  }

  // Undefined where another rank writes.
  private async copied({ step, best }: CheckpointMoment): Promise<(() => Promise<{ path: string }>) | undefined> {
    const { state, identity, plan } = this.source;
    this.kept = state.values();
    const content: Content = { identity, values: this.kept, written: new Date().toISOString() };
    const { whole, writes } = this.source;
    const gathered = whole?.any ? await whole.gather(state.tensors()) : undefined;
    this.last = { step, at: performance.now() };
    if (writes === false) {
      gathered?.dispose();
      return undefined;
    }
    const tensors = await this.stage.take(gathered?.tensors ?? state.tensors());
    gathered?.dispose();
    return async () => {
      const written = await this.generations!.write(step, content, tensors);
      const spared = plan!.best && best !== undefined ? [best] : [];
      await this.generations!.prune(plan!.keep, new Set(spared)).catch((thrown: unknown) => warn(`${messageOf(thrown)}; older checkpoints stay`)); // prettier-ignore
      return written;
    };
  }
}
