// Signs of life of the trials that this process runs: renews leases, and writes what running trials report, before their end
// where others may want to see it.
import type { Report, Storage, Ticket } from "../storage/storage.js";
import { leaseLost } from "../storage/lease.js";

interface Beat {
  readonly ticket: Ticket;
  /** What the trial has to say. */
  flush: (() => Report) | undefined;
  /** Tells that it has something to say. */
  readonly changed: () => void;
  /** Resolves when nothing more is written. */
  stop(): Promise<void>;
}

/** Beats for all trials of the process at once. */
export class Heart {
  private readonly storage: Storage;
  private readonly lease: number;
  private readonly beats = new Map<Beat, (error: Error) => void>();
  private readonly dirty = new Set<Beat>();
  private timer: NodeJS.Timeout | undefined;
  private writer: NodeJS.Timeout | undefined;
  private writing: Promise<void> = Promise.resolve();

  constructor(storage: Storage, lease: number) {
    this.storage = storage;
    this.lease = lease;
  }

  /** Keeps a trial alive until its `stop`; `lost` is called when another worker has it. */
  follow(ticket: Ticket, lost: (error: Error) => void): Beat {
    const beat: Beat = {
      ticket,
      flush: undefined,
      changed: () => {
        this.dirty.add(beat);
        this.writer ??= setTimeout(() => this.write(), this.storage.delay);
      },
      stop: async () => {
        this.beats.delete(beat);
        this.dirty.delete(beat);
        await this.writing;
      },
    };
    this.beats.set(beat, lost);
    this.timer ??= setInterval(() => this.beat(), Math.min(2 ** 31 - 1, (this.lease * 1000) / 3)).unref();
    return beat;
  }

  stop(): void {
    clearInterval(this.timer);
    clearTimeout(this.writer);
    this.timer = undefined;
    this.writer = undefined;
  }

  private beat(): void {
    const beats = [...this.beats.keys()];
    if (beats.length === 0) return;
    this.storage
      .beat(
        beats.map(({ ticket }) => ticket),
        this.lease,
      )
      .then(
        (lost) => {
          for (const beat of beats) {
            const { number, fence } = beat.ticket;
            if (lost.some((ticket) => ticket.number === number && ticket.fence === fence)) this.lose(beat);
          }
        },
        () => undefined, // the storage is away: the next beat, or the write at the end, says so if it stays away
      );
  }

  private lose(beat: Beat): void {
    this.beats.get(beat)?.(leaseLost(beat.ticket, undefined));
    this.beats.delete(beat);
    this.dirty.delete(beat);
  }

  private write(): void {
    this.writer = undefined;
    const beats = [...this.dirty];
    this.dirty.clear();
    const write = async (beat: Beat): Promise<void> => {
      const report = beat.flush?.();
      if (report === undefined || !this.beats.has(beat)) return;
      try {
        await this.storage.report(beat.ticket, report);
      } catch (thrown) {
        this.beats.get(beat)?.(thrown as Error);
      }
    };
    this.writing = Promise.all([this.writing, ...beats.map(write)]).then(() => undefined);
  }
}
