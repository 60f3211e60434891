// The best state of a run so far: when it was, and a copy of the weights where they are to be restored.
import type { Parameter } from "../../tensor/parameter.js";
import type { Json, Participant } from "../../checkpoint/index.js";
import { EarlyStopping, type EarlyStoppingState } from "./early-stopping.js";
import type { MetricValues } from "./records.js";
import { Snapshot } from "./snapshot.js";

type Found = { epoch: number; steps: number; metrics: Partial<MetricValues> };

interface State {
  readonly stopping: EarlyStoppingState;
  readonly found: Found | undefined;
  readonly stale: boolean;
  /** Of the best weights. */
  readonly weights: Json;
}

/** Watches one metric of a run, keeps the best weights, says when to stop. */
export class Best {
  readonly monitor: string;
  private readonly stopping: EarlyStopping;
  private readonly stops: boolean;
  private readonly snapshot: Snapshot | undefined;
  private found: Found | undefined;
  private stale = false;

  /** Without `stopping`, what is best is noted but nothing stops and no weights are kept. */
  constructor(stopping: EarlyStopping | undefined, validated: boolean, parameters: readonly Parameter[]) {
    const monitor = validated ? "val.loss" : "loss";
    this.stops = stopping !== undefined;
    this.stopping = stopping ?? new EarlyStopping("", { monitor }, new Map([[monitor, "lower"]]));
    this.monitor = this.stopping.monitor;
    this.snapshot = stopping?.restoreBest ? new Snapshot(parameters) : undefined;
  }

  /** When it was best. */
  get record(): Found | undefined {
    return this.found;
  }

  /** Takes in metrics; why the run is to stop, if it is. */
  async observe(at: Found): Promise<"early" | "diverged" | undefined> {
    const value = (at.metrics as Record<string, number | undefined>)[this.monitor];
    if (value === undefined) return undefined;
    const { isBest, stop } = this.stopping.observe(value);
    if (isBest) {
      this.found = at;
      await this.snapshot?.save();
    }
    this.stale = !isBest;
    if (!this.stops) return undefined;
    return this.stopping.hasDiverged(value) ? "diverged" : stop ? "early" : undefined;
  }

  /** Notes that the weights have changed. */
  trained(): void {
    this.stale = true;
  }

  /** Brings the best weights back where they were kept and others are in place; true if they now are there. */
  async restore(): Promise<boolean> {
    if (!this.snapshot?.taken) return false;
    if (this.stale) await this.snapshot.restore();
    this.stale = false;
    return true;
  }

  /** What of it is kept in a checkpoint. */
  participant(): Participant {
    const weights = this.snapshot?.participant();
    return {
      state: () => {
        const { found, stale } = this;
        const state: State = { stopping: this.stopping.state(), found, stale, weights: weights?.state!() };
        return state as unknown as Json;
      },
      tensors: () => weights?.tensors!() ?? [],
      restore: (saved) => {
        const state = saved as unknown as State;
        this.stopping.restore(state.stopping);
        this.found = state.found;
        this.stale = state.stale;
        if (state.weights !== undefined) weights?.restore!(state.weights);
      },
    };
  }

  dispose(): void {
    this.snapshot?.dispose();
  }
}
