// A search under way in this process: slots that claim trials, sample their parameters, run the objective and write its result.
// Long because a trial's way in and all its ways out share the ticket, the view and the signals.
import { setMaxListeners } from "node:events";
import { join } from "node:path";
import { AbortedError, ArgumentError, LeaseLostError, NonFiniteError, TrialPrunedError } from "../../errors.js";
import type { RunContext } from "../../train/run/run.js";
import { decode, isComplete, type FlatSpace, type Params } from "../space/index.js";
import type { Claim, Storage, StoredTrial, StudyRecord, Ticket } from "../storage/storage.js";
import { finished, type FinishedTrial } from "./finished.js";
import { forkFolder } from "./fork.js";
import { Foresight, type Foreseen } from "./foresee.js";
import { Heart } from "./heart.js";
import type { TunePlan } from "./options.js";
import { failed, givenBack, outcomeOf, pruned, type Ended } from "./outcome.js";
import { Standing } from "./standing.js";
import type { SearchProgress } from "./progress.js";
import { Trial } from "./trial.js";
import { View } from "./view.js";

/** What is optimized: gives one number, or a list of as many as there are directions. */
export type Objective<P = Record<string, unknown>> = (
  trial: Trial,
  given: { readonly params: P; readonly signal: AbortSignal },
) => Promise<number | readonly number[]> | number | readonly number[];

/** Why a search has ended. */
export type Stopped = "done" | "exhausted" | "timeout" | "break";

interface SearchParts {
  readonly plan: TunePlan;
  readonly storage: Storage;
  readonly study: StudyRecord;
  readonly objective: Objective;
  readonly progress: SearchProgress;
  readonly worker: string;
  readonly context: RunContext<FinishedTrial>;
  /** Ends the search at once. */
  readonly signal: AbortSignal | undefined;
  /** Fires when no more trials are to begin. */
  readonly leave: AbortSignal;
}

/** One process's part in a study. */
export class Search {
  readonly view: View;
  private readonly parts: SearchParts;
  private readonly heart: Heart;
  private readonly standing: Standing;
  private readonly foresight: Foresight;
  private readonly halt = new AbortController();
  private failure: unknown;
  private stopped: Stopped = "done";
  private readonly deadline: number;
  /** Questions for trials whose answers nobody has taken. */
  private readonly asked = new Set<Asked>();

  constructor(parts: SearchParts) {
    this.parts = parts;
    const { storage, study, plan } = parts;
    this.view = new View(storage, study);
    this.heart = new Heart(storage, plan.lease);
    this.standing = new Standing(plan, parts.progress);
    this.foresight = new Foresight(plan.sampler);
    setMaxListeners(0, this.halt.signal); // one a trial that runs
    this.deadline = plan.options.timeout === undefined ? Infinity : performance.now() + plan.options.timeout * 1000;
  }

  /** Runs until there is nothing left to do. @throws what ended the search early. */
  async run(): Promise<Stopped> {
    const { plan, signal } = this.parts;
    const onAbort = (): void => this.end(new AbortedError("tune: aborted", { cause: signal!.reason }));
    if (signal?.aborted) onAbort();
    signal?.addEventListener("abort", onAbort, { once: true });
    try {
      await this.view.sync();
      this.standing.show(this.view.trials);
      await Promise.all(Array.from({ length: plan.concurrency }, () => this.slot()));
    } finally {
      signal?.removeEventListener("abort", onAbort);
      this.heart.stop();
      await Promise.all([...this.asked].map((asked) => this.giveBack(asked)));
    }
    if (this.failure !== undefined) throw this.failure as Error;
    await this.parts.storage.settled();
    await this.view.sync();
    this.standing.show(this.view.trials);
    return this.stopped;
  }

  private end(failure: unknown): void {
    this.failure ??= failure;
    this.halt.abort(failure);
  }

  private get draining(): boolean {
    return this.parts.leave.aborted || performance.now() >= this.deadline;
  }

  private async slot(): Promise<void> {
    try {
      for (let asked = this.ask(); ; asked ??= this.ask()) {
        const claim: Claim = await asked.claim;
        this.asked.delete(asked);
        const { draining, revision } = asked;
        asked = undefined!;
        if (claim.kind === "done") {
          if (draining) this.stopped = this.parts.leave.aborted ? "break" : "timeout";
          else if (claim.exhausted) this.stopped = "exhausted";
          return;
        }
        if (claim.kind === "trial") asked = (await this.trial(claim))!;
        else await this.rest(revision);
        if (asked === undefined && this.halt.signal.aborted) return;
      }
    } catch (thrown) {
      this.end(thrown);
    }
  }

  private ask(): Asked {
    const { storage, study, plan, worker } = this.parts;
    const { lease, losses, budget } = plan;
    const { draining } = this;
    const claim = storage.claim(study.id, { worker, lease, losses, budget, draining });
    claim.catch(() => undefined); // whoever awaits it is told
    const asked = { claim, draining, revision: this.view.revision };
    this.asked.add(asked);
    return asked;
  }

  private async giveBack({ claim }: Asked): Promise<void> {
    const given = await claim.catch(() => undefined);
    if (given?.kind !== "trial") return;
    await this.parts.storage.release(given.ticket, { retry: false }).catch(() => undefined); // else its lease runs out
  }

  // The next trial is asked for together with the end of the last, where nobody may want to stop in between.
  private askAhead(): Asked | undefined {
    const { plan, context } = this.parts;
    const isWatched = plan.options.onTrial !== undefined || context.isRead();
    return isWatched || this.halt.signal.aborted ? undefined : this.ask();
  }

  // Until something changes, or a lease may have run out.
  private async rest(revision: number): Promise<void> {
    const { storage, study, plan } = this.parts;
    const until = Math.min(1000, plan.lease * 250, Math.max(1, this.deadline - performance.now()));
    let wake = (): void => {};
    const woken = new Promise<void>((resolve) => (wake = resolve));
    this.halt.signal.addEventListener("abort", wake, { once: true });
    await Promise.race([storage.wait(study.id, revision, until), woken]);
    this.halt.signal.removeEventListener("abort", wake);
    await this.view.sync();
  }

  // Runs a trial to its end, and gives the claim of the next, if it was made already.
  private async trial({ ticket, trial: stored }: Claim & { kind: "trial" }): Promise<Asked | undefined> {
    const { storage, plan } = this.parts;
    const control = new AbortController();
    const stop = (): void => control.abort(this.halt.signal.reason);
    this.halt.signal.addEventListener("abort", stop, { once: true });
    if (this.halt.signal.aborted) stop();
    const beat = this.heart.follow(ticket, (error) => control.abort(error));
    let next: Asked | undefined;
    try {
      await this.view.sync();
      this.standing.show(this.view.trials);
      if (this.halt.signal.aborted && stored.sampledAt === undefined) {
        await storage.release(ticket, { retry: false });
        return undefined;
      }
      const ready = await this.prepare(ticket, stored, control.signal);
      if (ready === undefined) return undefined;
      const trial = await this.make(ticket, stored, ready, control.signal, beat.changed);
      beat.flush = () => trial.take();
      const result = await this.evaluate(trial, ready.params, stored, control.signal);
      await beat.stop();
      if (result === "given back") await storage.release(ticket, { retry: false, report: trial.take() });
      else if (result.retry) await storage.release(ticket, { retry: true });
      else {
        const ended = storage.finish(ticket, result.outcome, trial.take());
        if (result.stop === undefined) next = this.askAhead();
        await ended;
        if (result.stop !== undefined) this.end(result.stop);
      }
    } catch (thrown) {
      // Another worker has it now: that worker writes its result.
      if (!(thrown instanceof LeaseLostError)) throw thrown;
      this.parts.progress.note(thrown.message);
      return next;
    } finally {
      await beat.stop().catch(() => undefined);
      this.halt.signal.removeEventListener("abort", stop);
    }
    if (next !== undefined) return next; // which looks around itself
    await this.view.sync();
    this.standing.show(this.view.trials);
    await this.tell(ticket.number, plan);
    return undefined;
  }

  private async tell(number: number, plan: TunePlan): Promise<void> {
    const stored = this.view.trials[number];
    if (stored?.endedAt === undefined) return;
    const trial = finished(this.space, stored);
    await this.parts.storage.settled();
    await plan.options.onTrial?.(trial);
    await this.parts.context.emit([trial]);
  }

  private get space(): FlatSpace {
    return this.parts.study.spec.space;
  }

  // The parameters of a trial: those that it has already, or new ones; undefined where there are none left.
  private async prepare(ticket: Ticket, stored: StoredTrial, signal: AbortSignal): Promise<Prepared | undefined> {
    const { plan, storage, study } = this.parts;
    const { spec } = study;
    const { number } = ticket;
    const sight = this.view.sightOf(number);
    const request = {
      space: this.space,
      number,
      seed: spec.seed,
      directions: spec.directions,
      history: sight.history,
      pending: sight.pending,
      constraints: spec.constraints,
      signal,
      ...(plan.budget === null ? {} : { budget: plan.budget }),
      ...(stored.fixed === undefined ? {} : { fixed: stored.fixed }),
    };
    const { sampler } = plan;
    let { params, parent } = stored;
    if (stored.sampledAt === undefined) {
      // Without a space there is nothing to choose ahead: `foresee` asks the sampler for what the objective will ask for.
      const given = stored.fixed ?? (this.space.parameters.length === 0 ? {} : undefined);
      const chosen = given !== undefined && isComplete(this.space, given) ? given : await sampler.sample(request);
      if (chosen === undefined) {
        await storage.exhaust(ticket);
        return undefined;
      }
      if (!isComplete(this.space, chosen)) {
        throw new ArgumentError(
          `tune: the sampler ${sampler.name} gave ${JSON.stringify(chosen)} for trial ${number}, which is not a value for every active parameter of the space within its range`,
        );
      }
      params = chosen;
      parent ??= sampler.parentOf?.(request);
      await storage.sampled(ticket, params, sight.seen, parent);
      await storage.settled(); // its parameters are the trial's: an objective may keep something by its number
    }
    const asks = this.view.suggests;
    return {
      params,
      parent,
      foreseen: asks ? await this.foresight.foresee({ ...request, history: [...request.history] }) : new Map(),
    };
  }

  private async make(
    { number }: Ticket,
    stored: StoredTrial,
    { params, parent, foreseen }: Prepared,
    signal: AbortSignal,
    changed: () => void,
  ): Promise<Trial> {
    const { plan, study } = this.parts;
    const { space, seed } = study.spec;
    const folder = this.folderOf(number);
    const origin = parent === undefined ? undefined : { number: parent, folder: this.folderOf(parent) };
    if (folder !== undefined && origin?.folder !== undefined) await forkFolder(origin.folder, folder);
    const own = new Set(space.parameters.map(({ name }) => name));
    return new Trial({
      number,
      attempt: stored.attempt,
      seed,
      direction: plan.reports,
      pruner: plan.pruner,
      constraints: study.spec.constraints,
      signal,
      folder,
      parent: origin,
      generation: this.view.generationOf(parent),
      reports: stored.intermediate,
      params: Object.fromEntries(Object.entries(params).filter(([name]) => own.has(name))),
      foreseen,
      wishes: (stored.attributes.suggest ?? {}) as Readonly<Record<string, never>>,
      visible: this.view.peersOf(number),
      changed,
    });
  }

  private folderOf(number: number): string | undefined {
    const { plan, study } = this.parts;
    const { checkpoints } = plan.options;
    return checkpoints && join(checkpoints, study.name, `trial-${String(number).padStart(5, "0")}`);
  }

  // Runs the objective; what it throws is a result too.
  private async evaluate(trial: Trial, params: Params, { attempt }: StoredTrial, signal: AbortSignal): Promise<Ended> {
    const { objective, plan } = this.parts;
    try {
      if (signal.aborted) return givenBack(signal);
      const value = await objective(trial, { params: decode(this.space, params), signal });
      return { outcome: outcomeOf(trial, value, plan), retry: false };
    } catch (thrown) {
      if (thrown instanceof TrialPrunedError) return { outcome: pruned(trial), retry: false };
      if (signal.aborted) return givenBack(signal);
      const { failure } = plan;
      const isResult = thrown instanceof NonFiniteError;
      if (!isResult && typeof failure === "object" && attempt < failure.retry)
        return { outcome: failed(thrown), retry: true };
      return { outcome: failed(thrown), retry: false, ...(failure === "stop" && !isResult ? { stop: thrown } : {}) };
    }
  }
}

/** A question for a trial under way, and how the search stood when it was asked. */
interface Asked {
  readonly claim: Promise<Claim>;
  readonly draining: boolean;
  readonly revision: number;
}

interface Prepared {
  readonly params: Params;
  readonly parent: number | undefined;
  readonly foreseen: Foreseen;
}
