// What L-BFGS remembers of the curvature: the last steps and what they changed of the gradient; by the two loops over them it makes a
// direction of a gradient (Nocedal 1980). Vectors are gone over one at a time, and the event loop has its turn in between.
import { setImmediate } from "node:timers/promises";

/** Steps and changes of the gradient, the newest last. */
export class Curvature {
  private readonly most: number;
  private readonly pairs: { readonly step: Float64Array; readonly change: Float64Array; readonly inverse: number }[] =
    [];
  private scale = 1;
  private touched = 0;

  constructor(most: number) {
    this.most = most;
  }

  /** Takes a step with what it changed, where the function curves upwards along it. */
  add(step: Float64Array, change: Float64Array): void {
    const along = dot(step, change);
    if (!(along > 1e-10)) return;
    if (this.pairs.length === this.most) this.pairs.shift();
    this.pairs.push({ step, change, inverse: 1 / along });
    this.scale = along / dot(change, change);
  }

  /** Minus the approximate inverse Hessian times the gradient. */
  async direction(gradient: Float64Array): Promise<Float64Array> {
    const d = gradient.map((g) => -g);
    const shares: number[] = [];
    for (const { step, change, inverse } of this.pairs.toReversed()) {
      const share = dot(step, d) * inverse;
      shares.push(share);
      addTo(d, change, -share);
      await this.breathe(d.length);
    }
    for (let i = 0; i < d.length; i++) d[i]! *= this.scale;
    for (const { step, change, inverse } of this.pairs) {
      addTo(d, step, shares.pop()! - dot(change, d) * inverse);
      await this.breathe(d.length);
    }
    return d;
  }

  private async breathe(elements: number): Promise<void> {
    this.touched += elements;
    if (this.touched < 1e6) return;
    this.touched = 0;
    await setImmediate();
  }
}

/** The scalar product. */
export function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

/** a += share · b */
export function addTo(a: Float64Array, b: Float64Array, share: number): void {
  for (let i = 0; i < a.length; i++) a[i]! += share * b[i]!;
}

/** The largest magnitude. */
export const largest = (a: Float64Array): number => a.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
