// Where a search stands, for its progress; kept up with the trials that end, not counted anew.
import type { StoredTrial } from "../storage/storage.js";
import type { TunePlan } from "./options.js";
import { bestText, type SearchProgress } from "./progress.js";
import { isFeasible, dominates } from "./finished.js";
import { isEnded } from "./record.js";

/** Counts trials by state and keeps the best. */
export class Standing {
  private readonly plan: TunePlan;
  private readonly progress: SearchProgress;
  private readonly counted = new Set<number>();
  private pruned = 0;
  private failed = 0;
  private front: StoredTrial[] = [];
  /** All trials below were counted. */
  private settled = 0;

  constructor(plan: TunePlan, progress: SearchProgress) {
    this.plan = plan;
    this.progress = progress;
  }

  /** Takes in what has ended, and shows it. */
  show(trials: readonly StoredTrial[]): void {
    let running = 0;
    for (let number = this.settled; number < trials.length; number++) {
      const trial = trials[number];
      if (trial === undefined) continue;
      if (!isEnded(trial.state)) running += trial.state === "running" ? 1 : 0;
      else if (!this.counted.has(number)) this.count(trial);
    }
    while (this.counted.delete(this.settled)) this.settled++;
    const { pruned, failed, front } = this;
    const [best] = front;
    const ended = this.settled + this.counted.size;
    const text = best === undefined ? undefined : front.length > 1 ? `front of ${front.length}` : bestText(best.values![0]!, best.number); // prettier-ignore
    this.progress.update({ ended, running, pruned, failed, best: text });
  }

  private count(trial: StoredTrial): void {
    this.counted.add(trial.number);
    if (trial.state === "pruned") this.pruned++;
    if (trial.state === "failed" || trial.state === "infinite") this.failed++;
    const { directions } = this.plan;
    const values = trial.values ?? [];
    if (!isFeasible({ state: trial.state, values, constraints: trial.constraints ?? [] })) return;
    if (directions.length === 1) {
      const [best] = this.front;
      if (best === undefined || dominates(values, best.values!, directions)) this.front = [trial];
      return;
    }
    if (this.front.some((other) => dominates(other.values!, values, directions))) return;
    this.front = [...this.front.filter((other) => !dominates(values, other.values!, directions)), trial];
  }
}
