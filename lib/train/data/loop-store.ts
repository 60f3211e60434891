// Native loops: one for each program and each set of samples that it has met.
import type { NativeDataset } from "../../native/index.js";

/** Makes each loop once and disposes of all together. */
export class LoopStore<Key, Loop extends { dispose(): void }> {
  private readonly loops = new Map<NativeDataset, Map<Key, Loop>>();

  /** The loop of a program over samples, made where there is none yet. */
  of(samples: NativeDataset, key: Key, make: () => Loop): Loop {
    const own = this.loops.get(samples) ?? new Map<Key, Loop>();
    this.loops.set(samples, own);
    const known = own.get(key);
    if (known) return known;
    const made = make();
    own.set(key, made);
    return made;
  }

  dispose(): void {
    for (const own of this.loops.values()) for (const loop of own.values()) loop.dispose();
    this.loops.clear();
  }
}
