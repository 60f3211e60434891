// The weights that a schedule-free optimizer is to be judged by: x = y + (1 − 1 / beta) (z − y), where y, at which gradients are taken, is what
// parameters hold in training, and z the state of the fast sequence (Defazio et al. 2024). They take the parameters' place for validations and
// at the end of a run, as averages of weights do.
import { ArgumentError, UnsupportedError } from "../errors.js";
import type { Participant } from "../checkpoint/index.js";
import { call, callAsync } from "../native/index.js";
import type { BoundOptimizer } from "../optim/index.js";
import { Parameter } from "../tensor/parameter.js";
import { Program } from "../tensor/program.js";
import { Trace, within } from "../tensor/trace.js";
import type { FitPlan } from "./fit-options.js";

/** Puts the mean of the fast sequence in the place of the weights, and the weights back. */
export class FastSequenceMean {
  private readonly kept: readonly Parameter[];
  private readonly entering: Program;
  private readonly leaving: Program;
  private entered = false;

  constructor(bound: BoundOptimizer) {
    const { parameters } = bound;
    const states = new Map(bound.native.states.map((state) => [state.name, state]));
    this.kept = parameters.map(({ shape }) => new Parameter(shape, { trainable: false }));
    this.entering = programOf((trace) => {
      parameters.forEach((parameter, i) => {
        const now = trace.parameter(parameter);
        const fast = trace.held(states.get(`${parameter.name}.z`)!);
        trace.update(this.kept[i]!, now);
        trace.update(parameter, now.add(fast.sub(now).mul(1 - 1 / bound.gradientShare(parameter))));
      });
    });
    this.leaving = programOf((trace) => {
      parameters.forEach((parameter, i) => trace.update(parameter, trace.parameter(this.kept[i]!)));
    });
  }

  /** Before the first step there is no fast sequence, and the weights are what they are. */
  async enter(step: number): Promise<void> {
    if (step === 0) return;
    await callAsync(() => this.entering.native.run([], [], 0, 0));
    this.entered = true;
  }

  async leave(): Promise<void> {
    if (!this.entered) return;
    await callAsync(() => this.leaving.native.run([], [], 0, 0));
    this.entered = false;
  }

  /** Nothing of its own is kept: the state is the optimizer's. */
  participant(): Participant {
    return {};
  }

  dispose(): void {
    this.entering.dispose();
    this.leaving.dispose();
    for (const each of this.kept) each.dispose();
  }
}

/** For a run whose optimizer is schedule-free. @throws ArgumentError beside `average`; UnsupportedError beside `parallel`. */
export function fastSequenceMeanOf(where: string, plan: FitPlan, bound: () => BoundOptimizer) {
  const { name, rule } = plan.optimizer;
  if (rule !== "schedule_free_sgd" && rule !== "schedule_free_adamw") return undefined;
  if (plan.average) {
    throw new ArgumentError(`${where}: optim.${name} averages weights itself; leave average out`);
  }
  if (plan.parallel) {
    throw new UnsupportedError(`${where}: optim.${name} does not go with parallel yet; take optim.adamW there`);
  }
  return new FastSequenceMean(bound());
}

function programOf(write: (trace: Trace) => void): Program {
  const trace = new Trace();
  within(trace, () => write(trace));
  trace.commit();
  trace.setOutputs({});
  const program = new Program(trace.compile(), "train.fit: the mean of a schedule-free optimizer");
  call(() => trace.graph.dispose());
  return program;
}
