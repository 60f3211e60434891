// What a run writes down, and who writes it: any number of loggers at once.

/** Metrics after a step. */
export interface LogRecord {
  /** What they are of: a training step (or several), an epoch, a validation, or the machine meanwhile. */
  readonly kind: "step" | "epoch" | "validation" | "system";
  /** Steps taken until then. */
  readonly step: number;
  readonly epoch: number;
  /** Milliseconds since 1970. */
  readonly time: number;
  /** Numbers by name, such as `loss`, `lr`, `val.accuracy`. */
  readonly metrics: Readonly<Record<string, number>>;
}

/** Values of one tensor after a step, as counts. */
export interface LoggedHistogram {
  readonly name: string;
  readonly step: number;
  readonly time: number;
  readonly min: number;
  readonly max: number;
  readonly count: number;
  readonly sum: number;
  readonly sumOfSquares: number;
  /** Upper limits of the bins, rising, and how many values each holds. */
  readonly limits: readonly number[];
  readonly counts: readonly number[];
}

/** A picture after a step. */
export interface LoggedImage {
  readonly name: string;
  readonly step: number;
  readonly time: number;
  readonly width: number;
  readonly height: number;
  /** 1 for grey, 3 for RGB, 4 with transparency. */
  readonly channels: number;
  /** The bytes of a PNG file. */
  readonly png: Uint8Array;
}

/** A run that begins to be logged. */
export interface LoggedRun {
  /** The folder of the run. */
  readonly dir: string;
  /** Steps taken already, where it goes on; what was written of later ones belongs to a process that was killed. */
  readonly step: number;
  /** What the run was asked for, in plain values. */
  readonly options: Readonly<Record<string, string | number | boolean>>;
}

/** Writes down what a run tells. What it throws ends the run, but for `write`, which only takes notes. */
export interface Logger {
  readonly name: string;
  /** @throws FileError where nothing can be written. */
  open(run: LoggedRun): Promise<void>;
  /** Takes notes; nothing is waited for. */
  write(records: readonly LogRecord[]): void;
  histogram?(histogram: LoggedHistogram): void;
  image?(image: LoggedImage): void;
  /** Takes off what was noted of steps after `step`: the run has gone back and takes them again. @throws FileError */
  rewind?(step: number): Promise<void>;
  /** Brings what was noted to the file. @throws FileError */
  flush(): Promise<void>;
  /** The end of the run, of whatever kind. */
  close(): Promise<void>;
}
