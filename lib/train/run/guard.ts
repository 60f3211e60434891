// What becomes of a run that meets a loss which is not finite, or a spike of it: it ends, leaves the step out, or goes back to its last
// checkpoint and on from there with a smaller rate.
import { requireCount, requireWithin } from "../../guidance/arguments.js";
import { checkOptions, ArgumentError, type NonFiniteError } from "../../errors.js";
import { got } from "../../names/got.js";
import type { BoundOptimizer } from "../../optim/index.js";
import type { SpikeMeasure } from "../step/spike-watch.js";
import type { Checkpointer } from "./checkpointer.js";
import type { Plateau } from "./plateau.js";
import type { Position } from "./position.js";

/** What is done about a step: the run ends, the step is left out, or the run goes back to its last checkpoint. */
export type GuardPolicy = "stop" | "skip" | "rewind";

/** Options of the guard against spikes of the loss. */
export interface SpikeOptions {
  /** "stop" ends the run (`stopped: "diverged"`), "skip" leaves the step out, "rewind" goes back to the last checkpoint. Default "skip". */
  readonly policy?: GuardPolicy | undefined;
  /** A spike is so many mean absolute deviations above the moving average of the losses. Default 10. */
  readonly deviations?: number | undefined;
  /** Steps at the start in which nothing is a spike. Default 50. */
  readonly warmup?: number | undefined;
  /** How much of the moving averages stays with every step. Default 0.98. */
  readonly decay?: number | undefined;
}

/** What going back to a checkpoint does. */
export interface RewindOptions {
  /** What all learning rates are multiplied by, each time. Default 0.5. */
  readonly rate?: number | undefined;
  /** How often a run goes back at most; then it ends. Default 5. */
  readonly most?: number | undefined;
}

/** Options of a guard that have been checked. */
export interface GuardPlan {
  readonly onNonFinite: GuardPolicy;
  readonly onSpike: (SpikeMeasure & { readonly policy: GuardPolicy }) | undefined;
  readonly rewind: { readonly rate: number; readonly most: number };
}

const isPolicy = (value: unknown): value is GuardPolicy => value === "stop" || value === "skip" || value === "rewind";

/** @throws ArgumentError */
export function planGuard(
  where: string,
  given: {
    readonly onNonFinite?: GuardPolicy | undefined;
    readonly onSpike?: SpikeOptions | undefined;
    readonly rewind?: RewindOptions | undefined;
  },
  keepsCheckpoints: boolean,
): GuardPlan {
  const { onNonFinite = "stop", onSpike, rewind = {} } = given;
  if (!isPolicy(onNonFinite)) {
    throw new ArgumentError(`${where}: onNonFinite must be "stop", "skip" or "rewind", got ${got(onNonFinite)}`);
  }
  const spikes = onSpike === undefined ? undefined : planSpikes(`${where}: onSpike`, onSpike);
  checkOptions(`${where}: rewind`, rewind, ["rate", "most"]);
  const { rate = 0.5, most = 5 } = rewind;
  requireWithin(`${where}: rewind`, "rate", rate, 0, 1);
  requireCount(`${where}: rewind`, "most", most);
  if (!keepsCheckpoints && (onNonFinite === "rewind" || spikes?.policy === "rewind")) {
    throw new ArgumentError(
      `${where}: "rewind" goes back to the last checkpoint, and the run keeps none; give checkpoint: { dir: "runs/digits", every: 500 }`,
    );
  }
  return { onNonFinite, onSpike: spikes, rewind: { rate, most } };
}

function planSpikes(at: string, given: SpikeOptions): NonNullable<GuardPlan["onSpike"]> {
  if (typeof given !== "object" || given === null) {
    throw new ArgumentError(`${at} must be an object such as { policy: "skip", deviations: 10 }, got ${got(given)}`);
  }
  checkOptions(at, given, ["policy", "deviations", "warmup", "decay"]);
  const { policy = "skip", deviations = 10, warmup = 50, decay = 0.98 } = given;
  if (!isPolicy(policy))
    throw new ArgumentError(`${at}: policy must be "stop", "skip" or "rewind", got ${got(policy)}`);
  if (typeof deviations !== "number" || !(deviations > 0)) {
    throw new ArgumentError(`${at}: deviations must be a number above 0, got ${got(deviations)}`);
  }
  requireCount(at, "warmup", warmup);
  requireWithin(at, "decay", decay, 0, 1);
  return { policy, deviations, warmup, decay };
}

/** Whether a run may go back to a checkpoint. */
export const mayRewind = ({ onNonFinite, onSpike }: GuardPlan): boolean =>
  onNonFinite === "rewind" || onSpike?.policy === "rewind";

/** A step that was not taken. */
export interface BadStep {
  /** Whether its loss was a spike; else something was not finite. */
  readonly spike: boolean;
  readonly error: NonFiniteError;
}

/** What a {@link Guard} works on. */
export interface GuardSource {
  readonly plan: GuardPlan;
  readonly position: Position;
  readonly bound: BoundOptimizer;
  readonly checkpointer: Checkpointer | undefined;
  readonly plateau: Plateau | undefined;
}

/** Steps that are left out one after the other before a run counts as lost. */
const mostSkipped = 50;

/** Looks after one run. */
export class Guard {
  private readonly source: GuardSource;

  constructor(source: GuardSource) {
    this.source = source;
    this.scale();
  }

  /**
   * Does about a step what the policy says.
   *
   * @returns "skipped", "rewound", or "diverged" where a run of spikes ends.
   * @throws NonFiniteError where the run ends for a number that is not finite.
   */
  async meet({ spike, error }: BadStep): Promise<"skipped" | "rewound" | "diverged"> {
    const { plan, position } = this.source;
    const policy = spike ? plan.onSpike!.policy : plan.onNonFinite;
    const end = (): "diverged" => {
      if (spike) return "diverged";
      throw error;
    };
    if (spike) position.spikes += 1;
    if (policy === "stop") return end();
    if (policy === "skip") {
      if (position.skippedInARow >= mostSkipped) return end();
      position.skip();
      return "skipped";
    }
    if (position.rewound >= plan.rewind.most) return end();
    await this.rewind();
    return "rewound";
  }

  private async rewind(): Promise<void> {
    const { plan, position, checkpointer } = this.source;
    const { spikes, rewound, rate, secondsBefore } = position;
    await checkpointer!.rewind();
    Object.assign(position, { spikes, rewound: rewound + 1, rate: rate * plan.rewind.rate, secondsBefore });
    this.scale();
  }

  /** Multiplies the learning rates by what the run has come to. */
  scale(): void {
    const { bound, position, plateau } = this.source;
    bound.rateScale = position.rate * (plateau?.scale ?? 1);
  }
}
