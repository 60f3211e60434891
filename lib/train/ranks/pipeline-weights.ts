// What a rank of a pipeline has of the model's weights: between steps and while they are taken, those that its own stages step or read; at
// validations, checkpoints and the end all of them.
import { call } from "../../native/index.js";
import type { Parameter } from "../../tensor/parameter.js";
import type { PipelineLayout } from "./pipeline-layout.js";
import type { Holdings } from "./pipeline-stages.js";
import { gatherWeights } from "./pipeline-state.js";

/** The weights that a run changes, on one rank. */
export class PipelineWeights {
  private readonly layout: PipelineLayout;
  /** All that the run changes, with the stage that does. */
  private readonly all: readonly { readonly parameter: Parameter; readonly stage: number }[];
  private readonly others: readonly Parameter[];
  private isWhole = true;

  constructor(
    layout: PipelineLayout,
    trained: readonly Parameter[],
    statistics: readonly Parameter[],
    { owners, readers, statistics: statisticOwners, statisticReaders }: Holdings,
  ) {
    this.layout = layout;
    const entries = [
      ...trained.map((parameter, i) => ({ parameter, stage: owners[i]!, readers: readers[i]! })),
      ...statistics.map((parameter, i) => ({ parameter, stage: statisticOwners[i]!, readers: statisticReaders[i]! })),
    ];
    this.all = entries;
    this.others = entries
      .filter(({ stage, readers: also }) => ![stage, ...also].some((each) => layout.isOwn(each)))
      .map(({ parameter }) => parameter);
  }

  /** Bytes of those that are here now. */
  get bytes(): number {
    const sizeOf = (list: readonly Parameter[]) => list.reduce((sum, { size }) => sum + 4 * size, 0);
    return sizeOf(this.all.map(({ parameter }) => parameter)) - (this.isWhole ? 0 : sizeOf(this.others));
  }

  /** Gives the memory of the others' back. */
  keepOwn(): void {
    if (!this.isWhole) return;
    this.isWhole = false;
    for (const { native } of this.others) call(() => native.vacate());
  }

  /** Gets them from the ranks that have them; all ranks call it. @throws CommunicationError */
  async gather(): Promise<void> {
    if (this.isWhole) return;
    this.occupy();
    await gatherWeights(this.layout, this.all);
  }

  /** After a run that has failed: what this rank does not have is NaN. */
  leave(): void {
    if (!this.isWhole) this.occupy();
  }

  private occupy(): void {
    for (const { native } of this.others) call(() => native.occupy());
    this.isWhole = true;
  }
}
