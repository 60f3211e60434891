// A feed, cut into as many steps as one native call is to take.
import type { Feed, Stretch } from "./feed.js";
import { ChunkSizer } from "../step/chunk-sizer.js";

/** The stretches of a feed, each of about the same time. */
export class Chunks {
  readonly feed: Feed;
  private readonly sizer: ChunkSizer;

  /** @param seconds of a native call. */
  constructor(feed: Feed, seconds?: number) {
    this.feed = feed;
    this.sizer = new ChunkSizer(seconds);
  }

  /** Samples for the next call, at most `most` steps from the `first`-th of an epoch on; undefined as {@link Feed.next}. */
  next(epoch: number, first: number, most: number): Promise<Stretch | undefined> {
    return this.feed.next(epoch, first, this.sizer.next(most));
  }

  /** How long a stretch took. A step of fewer rows at the end of an epoch says nothing of the others. */
  note({ rows }: Stretch, { steps, seconds }: { readonly steps: number; readonly seconds: number }): void {
    if (rows === this.feed.rowsOfSteps[0]) this.sizer.note(steps, seconds);
  }

  dispose(): void {
    this.feed.dispose();
  }
}
