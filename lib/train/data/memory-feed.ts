// Samples in memory as batches: copied into the engine once, visited in the seeded order of the epoch.
import { addon, call, type NativeDataset } from "../../native/index.js";
import { rowCount, rowsOf } from "../../data/rows.js";
import type { NdArray } from "../../tensor/nd-array.js";
import type { Feed, Stretch } from "./feed.js";

/** What {@link MemoryFeed} is made of. */
export interface MemoryFeedSource {
  /** Arrays with a row a sample, by the names of the program's inputs. */
  readonly columns: Readonly<Record<string, NdArray>>;
  /** Rows of a full step. */
  readonly rows: number;
  readonly shuffle: boolean;
  /** Targets to be handed out with the rows, as they lie. */
  readonly targets?: NdArray | undefined;
  /** Leave out what does not fill a step. */
  readonly dropLast: boolean;
}

/** The batches of a data set in memory. */
export class MemoryFeed implements Feed {
  readonly stepsPerEpoch: number;
  readonly rowsOfSteps: readonly number[];
  private readonly source: MemoryFeedSource;
  private readonly samples: NativeDataset;
  private readonly full: number;

  constructor(source: MemoryFeedSource) {
    this.source = source;
    const { columns, rows, dropLast } = source;
    const length = rowCount(Object.values(columns)[0]!);
    this.full = Math.floor(length / rows);
    const rest = dropLast ? 0 : length % rows;
    this.stepsPerEpoch = this.full + (rest > 0 ? 1 : 0);
    this.rowsOfSteps = [...(this.full > 0 ? [rows] : []), ...(rest > 0 ? [rest] : [])];
    this.samples = call(
      () =>
        new addon.Dataset(
          Object.entries(columns).map(([name, { dtype, shape, data }]) => ({ name, dtype, shape, data })),
        ),
    );
  }

  next(_epoch: number, first: number, most: number): Promise<Stretch | undefined> {
    const { samples, full, source } = this;
    const { rows, shuffle, targets } = source;
    if (first >= this.stepsPerEpoch) return Promise.resolve(undefined);
    const short = first >= full;
    const [steps, each] = short ? [1, this.rowsOfSteps.at(-1)!] : [Math.min(most, full - first), rows];
    const firstRow = first * rows;
    const y = targets && rowsOf(targets, firstRow, firstRow + steps * each);
    return Promise.resolve({ samples, shuffle, firstRow, rows: each, steps, y });
  }

  dispose(): void {
    this.samples.dispose();
  }
}
