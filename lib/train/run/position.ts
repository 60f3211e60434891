// How far a run has come, and what it has recorded on the way.
import type { Json, Participant } from "../../checkpoint/index.js";
import type { EpochRecord, MetricValues, FitResult, ValidationRecord } from "./records.js";
import { LossTotal, type LossKind, type LossTotalState } from "../step/loss-total.js";

interface State {
  readonly step: number;
  readonly epoch: number;
  readonly epochStart: number;
  readonly losses: LossTotalState;
  readonly validated: Partial<MetricValues>;
  readonly ended: FitResult["stopped"] | undefined;
  readonly history: readonly EpochRecord[];
  readonly validations: readonly ValidationRecord[];
  readonly seconds: number;
  readonly skipped: number;
  readonly spikes?: number;
  readonly rewound?: number;
  readonly rate?: number;
}

/** Where a run stands. */
export class Position {
  /** Steps taken. */
  step: number;
  /** The epoch that it is in, from 0. */
  epoch: number;
  /** The step at which that epoch began. */
  epochStart: number;
  /** Steps that were left out for a number that is not finite; and how many of them came last, one after the other. */
  skipped = 0;
  skippedInARow = 0;
  /** Steps whose loss was a spike. */
  spikes = 0;
  /** How often the run went back to a checkpoint, and what its learning rates are multiplied by since. */
  rewound = 0;
  rate = 1;
  readonly history: EpochRecord[] = [];
  readonly validations: ValidationRecord[] = [];
  /** The training loss of this epoch so far. */
  losses = new LossTotal();
  /** The last validation of this epoch. */
  validated: Partial<MetricValues> = {};
  /** Why the run of a checkpoint had ended, if it had. */
  ended: FitResult["stopped"] | undefined;
  /** What earlier processes took. */
  secondsBefore = 0;
  private readonly begun = performance.now();

  constructor(firstStep: number, stepsPerEpoch: number | undefined) {
    this.step = firstStep;
    this.epoch = stepsPerEpoch === undefined ? 0 : Math.floor(firstStep / stepsPerEpoch);
    this.epochStart = this.epoch * (stepsPerEpoch ?? 0);
  }

  /** Steps of this epoch that were taken. */
  get inEpoch(): number {
    return this.step - this.epochStart;
  }

  /** Of this process. */
  get seconds(): number {
    return (performance.now() - this.begun) / 1e3;
  }

  /** Of the run, earlier processes included. */
  get secondsInAll(): number {
    return this.secondsBefore + this.seconds;
  }

  /** Counts a step that was taken. */
  add(kind: LossKind, loss: number, rows: number, counts: readonly number[]): void {
    this.step += 1;
    this.skippedInARow = 0;
    this.losses.add(kind, loss, rows, counts);
  }

  /** Counts a step that was left out. */
  skip(): void {
    this.step += 1;
    this.skipped += 1;
    this.skippedInARow += 1;
  }

  /** Closes the record of an epoch; one that the end of the run cut short is gone on with in a longer run. */
  closeEpoch(isWhole: boolean): void {
    this.validated = {};
    this.losses = new LossTotal();
    if (!isWhole) return;
    this.epoch += 1;
    this.epochStart = this.step;
  }

  /** What of it is kept in a checkpoint; a run that is to be longer than it was goes on. */
  participant(steps: number): Participant {
    return {
      state: () => {
        const {
          step,
          epoch,
          epochStart,
          losses,
          validated,
          ended,
          history,
          validations,
          skipped,
          spikes,
          rewound,
          rate,
        } = this;
        const seconds = this.secondsInAll;
        const state: State = { step, epoch, epochStart, losses: losses.state(), validated, ended, history, validations, seconds, skipped, spikes, rewound, rate }; // prettier-ignore
        return state as unknown as Json;
      },
      restore: (saved) => {
        const { history, validations, losses, seconds, ended, ...rest } = saved as unknown as State;
        this.losses.restore(losses);
        Object.assign(this, rest);
        const goesOn = ended === "time" || (ended === "done" && this.step < steps); // with more time, or more steps
        this.ended = goesOn ? undefined : ended;
        this.skippedInARow = 0;
        this.secondsBefore = seconds;
        this.history.splice(0, Infinity, ...history);
        this.validations.splice(0, Infinity, ...validations);
      },
    };
  }
}
