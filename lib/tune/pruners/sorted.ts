// Numbers in order, of which some come and go: where a value stands among them is found by halving.

/** A sorted list of numbers without NaN. */
export class SortedNumbers {
  private readonly values: number[] = [];

  get length(): number {
    return this.values.length;
  }

  insert(value: number): void {
    const { values } = this;
    if (values.length === 0 || value >= values.at(-1)!) values.push(value);
    else values.splice(this.countBelow(value), 0, value);
  }

  /** Takes one such value out, if there is one. */
  remove(value: number): void {
    const at = this.countBelow(value);
    if (this.values[at] === value) this.values.splice(at, 1);
  }

  /** How many are smaller. */
  countBelow(value: number): number {
    let [low, high] = [0, this.values.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.values[middle]! < value) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /**
   * The value below which `percent` of the values lie, with straight lines between neighbours (numpy's "linear"). Infinity counts
   * as larger than any number.
   */
  percentile(percent: number): number {
    const at = ((this.length - 1) * percent) / 100;
    const [low, high] = [this.values[Math.floor(at)]!, this.values[Math.ceil(at)]!];
    return low === high ? low : low + (high - low) * (at - Math.floor(at));
  }
}
