// What a search keeps, and who may write it. All arguments and answers are plain data, so that a storage can be asked across
// threads and processes. Every write of a trial carries its ticket: the **fence** grows with each claim of the trial, and a
// write with an old one is refused, so that a worker that was thought dead cannot write over its successor (Gray and
// Cheriton, "Leases", 1989). Time is the storage's own.
import type { Distribution, FlatSpace, Json, Params } from "../space/index.js";
import type { Direction, Intermediate, TrialRecord, TrialState } from "../study/record.js";

/** A sampler or pruner by name. */
export interface Named {
  readonly name: string;
  readonly settings?: Readonly<Record<string, unknown>> | undefined;
}

/** What a study is, fixed when it is made. */
export interface StudySpec {
  readonly space: FlatSpace;
  readonly directions: readonly Direction[];
  /** Names of the values, for reports. */
  readonly labels: readonly string[];
  readonly seed: number;
  readonly mode: "deterministic" | "free";
  /** In deterministic mode, trial k sees the results of trials up to k − lag. */
  readonly lag: number;
  readonly constraints: number;
  readonly sampler: Named;
  readonly pruner: Named;
  /** Trials of other studies to begin with, numbered below 0. */
  readonly past: readonly TrialRecord[];
}

/** A study. */
export interface StudyRecord {
  readonly id: number;
  readonly name: string;
  readonly spec: StudySpec;
  /** When it was made, in milliseconds since 1970. */
  readonly created: number;
  readonly attributes: Readonly<Record<string, Json>>;
}

/** Why a trial failed. */
export interface Failure {
  readonly name: string;
  readonly message: string;
}

/** A trial with all that is kept of it. */
export interface StoredTrial extends TrialRecord {
  /** Parameters that were given when it was enqueued. */
  readonly fixed?: Params;
  /** Distributions of parameters that the objective asked for itself. */
  readonly suggested?: Readonly<Record<string, Distribution>>;
  /** How often it failed and was tried again. */
  readonly attempt: number;
  /** How often its worker was lost. */
  readonly losses: number;
  readonly fence: number;
  readonly worker?: string;
  readonly error?: Failure;
  readonly attributes: Readonly<Record<string, Json>>;
  /** In milliseconds since 1970. */
  readonly started?: number;
  readonly ended?: number;
  /** Of the last change; grows over the whole study. */
  readonly revision: number;
  /** What its sampler saw: all changes up to this revision. */
  readonly seen?: number;
  /** Revisions at which it got its parameters and its result. */
  readonly sampledAt?: number;
  readonly endedAt?: number;
  /** The trial whose last checkpoint this one goes on from. */
  readonly parent?: number;
}

/** The right to write a trial. */
export interface Ticket {
  readonly study: number;
  readonly number: number;
  readonly fence: number;
}

/** How a trial ends. */
export interface Outcome {
  readonly state: Exclude<TrialState, "waiting" | "running">;
  readonly values?: readonly number[];
  readonly constraints?: readonly number[];
  readonly error?: Failure;
}

/** What a trial has to say before or at its end. */
export interface Report {
  readonly reports?: readonly Intermediate[];
  readonly attributes?: Readonly<Record<string, Json>>;
  readonly params?: Params;
  readonly suggested?: Readonly<Record<string, Distribution>>;
}

/** Who asks for work, and how much there is. */
export interface ClaimRequest {
  readonly worker: string;
  /** Seconds without a heartbeat after which the trial is another's to take. */
  readonly lease: number;
  /** Trials of the study in all; null without end. */
  readonly budget: number | null;
  /** How many workers a trial may lose before it counts as failed. */
  readonly losses: number;
  /** Whether this worker only ends what was begun. */
  readonly draining?: boolean;
}

/** Work, or none for now, or none any more. */
export type Claim =
  | { readonly kind: "trial"; readonly ticket: Ticket; readonly trial: StoredTrial }
  | { readonly kind: "wait" }
  | { readonly kind: "done"; readonly exhausted: boolean };

/** A trial to be done with some parameters fixed. */
export interface Enqueued {
  readonly fixed: Params;
  readonly attributes: Readonly<Record<string, Json>>;
  /** The trial whose last checkpoint it is to go on from. */
  readonly parent?: number;
}

/** What became of a study. */
export interface Changes {
  readonly revision: number;
  readonly count: number;
  readonly trials: readonly StoredTrial[];
}

/** Where studies are kept. Errors: LeaseLostError for a ticket that is not the newest; StorageError. */
export interface Storage {
  /** "memory", the path of a file, or the address of a database without its password. */
  readonly place: string;
  /** Milliseconds within which reports of running trials are written; 0 at once. */
  readonly delay: number;
  /** Makes a study, or gives the one of that name. `made` tells which. */
  create(
    name: string,
    spec: StudySpec,
    attributes: Readonly<Record<string, Json>>,
  ): Promise<StudyRecord & { readonly made: boolean }>;
  find(name: string): Promise<StudyRecord | undefined>;
  list(): Promise<readonly { readonly name: string; readonly trials: number; readonly created: number }[]>;
  remove(study: number): Promise<void>;
  annotate(study: number, attributes: Readonly<Record<string, Json>>): Promise<void>;
  /** Trials to be done next, in this order. */
  enqueue(study: number, trials: readonly Enqueued[]): Promise<void>;
  enqueued(study: number): Promise<readonly Enqueued[]>;
  /**
   * Gives a trial to a worker: one that was given back or whose lease ran out, the lowest number first; else the next number,
   * if the budget and the order allow it.
   */
  claim(study: number, request: ClaimRequest): Promise<Claim>;
  /** Writes the parameters of a trial, and the trial that it goes on from; `seen` is the revision that its sampler saw. */
  sampled(ticket: Ticket, params: Params, seen: number, parent?: number): Promise<void>;
  report(ticket: Ticket, report: Report): Promise<void>;
  /** Renews leases; gives back those that are lost. */
  beat(tickets: readonly Ticket[], lease: number): Promise<readonly Ticket[]>;
  /** Ends a trial. The same end twice is one. */
  finish(ticket: Ticket, outcome: Outcome, report: Report): Promise<void>;
  /** Gives a trial back, with what it has; with `retry` anew, as its next attempt. */
  release(ticket: Ticket, options: { readonly retry: boolean; readonly report?: Report }): Promise<void>;
  /** Says that there is nothing left to try, and takes the number of the trial back. */
  exhaust(ticket: Ticket): Promise<void>;
  /** Trials that changed after a revision, by number; the revision now, and how many trials there are (a number may be taken back). */
  changes(study: number, since: number): Promise<Changes>;
  /**
   * Resolves when all that was answered before stays, whatever is pulled out. Operations with a ticket, and claims, may be answered
   * a moment earlier: none of them is lost of which a later one is kept. All others are answered when they stay.
   */
  settled(): Promise<void>;
  /** Resolves when something changed after a revision, or after some milliseconds. */
  wait(study: number, since: number, ms: number): Promise<void>;
  close(): Promise<void>;
}
