// Long work as two views of one thing: a promise of its result and an async iterable of its events. The work begins when
// either is asked for. It waits for those who read events, so that nothing piles up; leaving the loop ends it.

/** What the work is given. */
export interface RunContext<Event> {
  /** Hands events to the readers; resolves when they have taken them. */
  emit(events: readonly Event[]): Promise<void>;
}

/** How the work is stopped from outside. */
export interface RunHooks {
  /** A reader has left its loop: end the work soon, and cleanly. */
  onLeave(): void;
}

interface Reader<Event> {
  readonly queue: Event[];
  /** Wakes a reader that waits for events. */
  wake: (() => void) | undefined;
  ended: boolean;
}

/** A run: iterate over its events, or await `result`, or both. */
export class Run<Event, Result> implements AsyncIterable<Event> {
  private readonly work: (context: RunContext<Event>) => Promise<Result>;
  private readonly hooks: RunHooks;
  private readonly readers = new Set<Reader<Event>>();
  private settled: Promise<Result> | undefined;
  private shown: Promise<Result> | undefined;
  private failure: { readonly reason: unknown } | undefined;
  private done = false;
  private drained: (() => void) | undefined;

  /** @internal */
  constructor(work: (context: RunContext<Event>) => Promise<Result>, hooks: RunHooks) {
    this.work = work;
    this.hooks = hooks;
  }

  /** The result; asking for it starts the work. */
  get result(): Promise<Result> {
    // A promise of its own, so that a failure seen by a reader is not reported as unhandled as well.
    this.shown ??= this.start().then((result) => result);
    return this.shown;
  }

  /** Reads the events from here on; reading starts the work. */
  [Symbol.asyncIterator](): AsyncIterator<Event, void> {
    const reader: Reader<Event> = { queue: [], wake: undefined, ended: false };
    return {
      next: async () => {
        if (!reader.ended) this.readers.add(reader); // from the first read on: an iterator that is never read blocks nothing
        void this.start();
        for (;;) {
          if (reader.ended) return { done: true, value: undefined };
          if (reader.queue.length > 0) return { done: false, value: this.take(reader) };
          if (this.done || this.failure) this.end(reader);
          if (this.failure) throw this.failure.reason;
          if (!this.done) await new Promise<void>((resolve) => (reader.wake = resolve));
        }
      },
      return: async () => {
        const running = !reader.ended && this.settled && !this.done && !this.failure;
        this.end(reader);
        if (running) {
          this.hooks.onLeave();
          await this.settled!.catch(() => {});
        }
        return { done: true, value: undefined };
      },
    };
  }

  private end(reader: Reader<Event>): void {
    reader.ended = true;
    reader.queue.length = 0;
    this.readers.delete(reader);
    this.releaseIfRead();
  }

  /** Stops waiting for the readers; what they have not read is dropped. */
  release(): void {
    for (const reader of this.readers) reader.queue.length = 0;
    this.drained?.();
  }

  private start(): Promise<Result> {
    if (this.settled) return this.settled;
    // Not at once: all who begin to read now get the first events.
    this.settled = Promise.resolve().then(() => this.work({ emit: (events) => this.emit(events) }));
    this.settled.then(
      () => this.finish(undefined),
      (reason: unknown) => this.finish({ reason }),
    );
    return this.settled;
  }

  private finish(failure: { readonly reason: unknown } | undefined): void {
    this.failure = failure;
    this.done = failure === undefined;
    for (const reader of this.readers) reader.wake?.();
  }

  private take(reader: Reader<Event>): Event {
    const event = reader.queue.shift()!;
    if (reader.queue.length === 0) this.releaseIfRead();
    return event;
  }

  private releaseIfRead(): void {
    if ([...this.readers].every(({ queue }) => queue.length === 0)) this.drained?.();
  }

  private async emit(events: readonly Event[]): Promise<void> {
    if (events.length === 0 || this.readers.size === 0) return;
    const drained = new Promise<void>((resolve) => (this.drained = resolve));
    for (const reader of this.readers) {
      reader.queue.push(...events);
      reader.wake?.();
    }
    await drained;
    this.drained = undefined;
  }
}
