// Units: what can be taken away as a whole. Every index of every axis in the graph is a unit; those that can only go together
// are one class (union-find, Tarjan 1975), and a class that must stay carries the reason why.

/** The units along an axis of a value, in order; one unit may stand at several places, such as a channel after flatten. */
export type Axis = Int32Array;

/** Classes of units. */
export class Units {
  private readonly parent: number[] = [];
  private readonly reasons = new Map<number, string>();

  /** Units that nothing is known of yet. */
  fresh(count: number): Axis {
    return Int32Array.from({ length: count }, () => this.parent.push(this.parent.length) - 1);
  }

  /** An axis that must stay, all of it one unit. */
  fixed(count: number, reason: string): Axis {
    const [unit] = this.fresh(1);
    this.pin(unit!, reason);
    return new Int32Array(count).fill(unit!);
  }

  /** The representative of a unit's class. */
  classOf(unit: number): number {
    let root = unit;
    while (this.parent[root] !== root) root = this.parent[root]!;
    for (let at = unit; at !== root;) {
      const next = this.parent[at]!;
      this.parent[at] = root;
      at = next;
    }
    return root;
  }

  /** From here on the two go together. */
  join(a: number, b: number): void {
    const [first, second] = [this.classOf(a), this.classOf(b)];
    if (first === second) return;
    const [root, child] = first < second ? [first, second] : [second, first];
    this.parent[child] = root;
    const reason = this.reasons.get(child);
    if (reason !== undefined) this.pin(root, reason);
    this.reasons.delete(child);
  }

  /** The same for two axes of one extent, index by index. */
  joinAxes(a: Axis, b: Axis): void {
    if (a === b) return;
    for (let i = 0; i < a.length; ++i) this.join(a[i]!, b[i]!);
  }

  /** Keeps a unit's class; the first reason stays. */
  pin(unit: number, reason: string): void {
    const root = this.classOf(unit);
    if (!this.reasons.has(root)) this.reasons.set(root, reason);
  }

  pinAxis(axis: Axis, reason: string): void {
    for (const unit of axis) this.pin(unit, reason);
  }

  /** Why a unit has to stay, if it has to. */
  reasonOf(unit: number): string | undefined {
    return this.reasons.get(this.classOf(unit));
  }

  isFixed(axis: Axis): boolean {
    return axis.every((unit) => this.reasonOf(unit) !== undefined);
  }
}
