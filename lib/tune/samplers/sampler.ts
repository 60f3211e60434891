// What chooses the parameters of a trial.
import type { FlatSpace, Params } from "../space/index.js";
import type { Direction, TrialRecord } from "../study/record.js";

/** What a sampler is asked. */
export interface SampleRequest {
  readonly space: FlatSpace;
  /** Of the trial whose parameters are wanted. */
  readonly number: number;
  /** Of the study; draws are by `new Draws(seed, number, stream)`. */
  readonly seed: number;
  readonly directions: readonly Direction[];
  /**
   * Ended trials that this decision may see, by number. From one call to the next of a study, trials may come in between others,
   * but none changes or goes: cache by number. The list itself grows after the answer. Records may lack parameters of the space and have others.
   */
  readonly history: readonly TrialRecord[];
  /**
   * Other trials that have their parameters and no visible result, by number: in the deterministic order, together with
   * `history` all trials below `number`.
   */
  readonly pending: readonly TrialRecord[];
  /** How many constraints a trial has. Default 0. */
  readonly constraints?: number;
  /** Trials that the study is to have; undefined if it has no end. */
  readonly budget?: number;
  /** Values that were fixed beforehand (enqueued trials): the answer contains them. */
  readonly fixed?: Params;
  readonly signal?: AbortSignal;
}

/**
 * Chooses parameters, by its request alone: the same request gives the same answer, in any process. A sampler may keep what it
 * computed, if that changes nothing but its speed.
 */
export interface Sampler {
  readonly name: string;
  /** What it is made of beside its name, as plain data; kept with the study. */
  readonly settings?: Readonly<Record<string, unknown>>;
  /**
   * A value for every active parameter, and for no other; undefined where there is nothing left to try, which ends the study.
   */
  sample(request: SampleRequest): Promise<Params | undefined> | Params | undefined;
  /** The trial of the study whose last checkpoint this one is to go on from; asked after {@link Sampler.sample}, with the same request. */
  parentOf?(request: SampleRequest): number | undefined;
  /** Said once at the start of a study where the sampler has made a choice that its user would want to know. */
  describe?(request: Omit<SampleRequest, "number" | "history" | "pending">): string | undefined;
}
