// Where compression takes part in a run of `fit`: between two steps, and in the graph of a step. Not public: users have callbacks.
import type { Json, Participant } from "../../checkpoint/index.js";
import type { Parameter } from "../../tensor/parameter.js";
import type { Tensor } from "../../tensor/tensor.js";
import type { Trace } from "../../tensor/trace.js";
import type { EpochRecord } from "./records.js";

/** What a run does beside training. */
export interface FitHooks {
  /** What the run is made of beside the options of `fit`, by name: a checkpoint of a run where it differs is refused. */
  readonly identity?: Readonly<Record<string, Json>> | undefined;
  /** What has to be kept in a checkpoint beside the model. */
  readonly participant?: Participant | undefined;
  /** Steps that count as taken already: the run begins there, with its learning rates and samples. Default 0. */
  readonly firstStep?: number;
  /** Called with the length of the run before anything is compiled; what it throws, `fit` throws. */
  begin?(steps: number): void;
  /** Called with the epochs of before when the run goes on from a checkpoint; what it throws ends the run. */
  resumed?(history: readonly EpochRecord[]): void;
  /** The first step count above `step` at which {@link FitHooks.pause} is wanted; Infinity for never again. */
  due?(step: number): number;
  /** Called when so many steps are taken; none is running, and none runs before this settles. */
  pause?(step: number): Promise<void>;
  /** Whether the weights after so many steps can be the best of the run. Default always. */
  settled?(step: number): boolean;
  /** Adds to the graph of a step; what it gives to `trace.update` is skipped with a step that is skipped. */
  trace?(trace: Trace, gradients: ReadonlyMap<Parameter, Tensor>): void;
}
