// Long work as two views of one thing: a promise of its result and an async iterable of its events. The work begins by itself,
// in the next turn of the event loop, so that whoever reads at once gets every event. It waits for those who read, so that
// nothing piles up; events that nobody reads are dropped; leaving the loop ends it.

/** What the work is given. */
export interface RunContext<Event> {
  /** Hands events to the readers; resolves when they have taken them. */
  emit(events: readonly Event[]): Promise<void>;
  /** Whether somebody reads the events now: who leaves the loop wants nothing begun after what was read. */
  isRead(): boolean;
}

/** How the work is stopped from outside. */
export interface RunHooks {
  /** A reader has left its loop: end the work soon, and cleanly. */
  onLeave(): void;
}

interface Reader<Event> {
  readonly queue: Event[];
  ended: boolean;
}

type Settled = { readonly reason: unknown } | "fulfilled";

/**
 * Work under way: `await` it for its result, iterate over it for its events, or both. It begins by itself.
 *
 * A failure is thrown to those who iterate and to those who await; where nobody does either, it is an unhandled rejection.
 * Iteration begins with the events after its first `next()`. The work waits for a reader that is in the middle of its loop; end
 * an iterator that was read by hand with `return()`.
 *
 * A run is a promise: an async function that returns one gives its caller the result, and not the run.
 *
 * @example
 * const set = data.fromArrays({ x: array([1, 2], [2, 1]), y: array([2, 4], [2, 1]) });
 * const run = train.fit(nn.linear(1, 1), set, { loss: loss.mse(), optimizer: optim.sgd({ lr: 0.1 }) });
 * for await (const { index, loss: value } of run) console.log(index, value);
 * const { history } = await run;
 */
export class Run<Event, Result> implements Promise<Result>, AsyncIterable<Event> {
  readonly [Symbol.toStringTag] = "Run";
  /** The result as a plain promise; `await run` gives the same. */
  readonly result: Promise<Result>;
  private readonly hooks: RunHooks;
  private readonly readers = new Set<Reader<Event>>();
  private settled: Settled | undefined;
  private wakes: (() => void)[] = [];
  private drained: (() => void) | undefined;

  /** @internal */
  constructor(work: (context: RunContext<Event>) => Promise<Result>, hooks: RunHooks) {
    this.hooks = hooks;
    this.result = new Promise<Result>((resolve) => {
      setImmediate(() => {
        const working = Promise.resolve(
          work({ emit: (events) => this.emit(events), isRead: () => this.readers.size > 0 }),
        );
        working.then(
          () => this.settle("fulfilled"),
          (reason: unknown) => this.settle({ reason }),
        );
        resolve(working);
      });
    });
  }

  /** As of a promise. */
  then<A = Result, B = never>(
    onFulfilled?: ((result: Result) => A | PromiseLike<A>) | null,
    onRejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.result.then(onFulfilled, onRejected);
  }

  /** As of a promise. */
  catch<B = never>(onRejected?: ((reason: unknown) => B | PromiseLike<B>) | null): Promise<Result | B> {
    return this.result.catch(onRejected);
  }

  /** As of a promise. */
  finally(onFinally?: (() => void) | null): Promise<Result> {
    return this.result.finally(onFinally);
  }

  /** Reads the events from its first `next()` on. */
  [Symbol.asyncIterator](): AsyncIterator<Event, void> {
    const reader: Reader<Event> = { queue: [], ended: false };
    return {
      next: async () => {
        if (!reader.ended) this.readers.add(reader); // from the first read on: an iterator that is never read blocks nothing
        for (;;) {
          if (reader.ended) return { done: true, value: undefined };
          if (reader.queue.length > 0) return { done: false, value: this.take(reader) };
          if (this.settled) {
            this.end(reader);
            if (this.settled !== "fulfilled") throw this.settled.reason;
            continue;
          }
          await new Promise<void>((resolve) => this.wakes.push(resolve));
        }
      },
      return: async () => {
        const wasReading = this.readers.has(reader);
        this.end(reader);
        if (wasReading) {
          if (!this.settled) this.hooks.onLeave();
          await this.result; // a failure that the reader was not told of is thrown by the loop that it leaves
        }
        return { done: true, value: undefined };
      },
    };
  }

  /** Stops waiting for the readers; what they have not read is dropped. */
  release(): void {
    for (const reader of this.readers) reader.queue.length = 0;
    this.drained?.();
  }

  private settle(settled: Settled): void {
    this.settled = settled;
    // A reader is told of a failure when it reads on: it is not unhandled.
    if (this.readers.size > 0) this.result.catch(() => {});
    this.wake();
  }

  private end(reader: Reader<Event>): void {
    reader.ended = true;
    reader.queue.length = 0;
    this.readers.delete(reader);
    this.wake();
    this.releaseIfRead();
  }

  private wake(): void {
    const { wakes } = this;
    this.wakes = [];
    for (const wake of wakes) wake();
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
    for (const reader of this.readers) reader.queue.push(...events);
    this.wake();
    await drained;
    this.drained = undefined;
  }
}
