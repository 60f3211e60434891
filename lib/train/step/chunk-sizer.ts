// How many steps go into one native call: enough that crossing costs nothing, few enough that events and aborts come promptly.

/** Picks chunks of steps that take about `seconds` each, from the time that the last ones took. */
export class ChunkSizer {
  private perStep: number | undefined;
  private last = 1;
  private readonly seconds: number;
  private readonly most: number;

  constructor(seconds = 0.06, most = 512) {
    this.seconds = seconds;
    this.most = most;
  }

  /** Steps of the next chunk, at most `left`. */
  next(left: number): number {
    if (this.perStep === undefined) return Math.min(left, 1);
    // The first step pays for cold memory: grow towards the target instead of jumping there.
    const wanted = Math.min(this.seconds / Math.max(this.perStep, 1e-9), this.last * 8, this.most);
    return Math.max(1, Math.min(left, Math.round(wanted)));
  }

  note(steps: number, seconds: number): void {
    if (steps < 1) return;
    this.perStep = seconds / steps;
    this.last = Math.max(this.last, steps);
  }
}
