// The checkpoints of a run of `fit`: who takes part in its state, and what it is made of.
import { RunState, type Identity, type Participant } from "../../checkpoint/index.js";
import { Module, type NamedParameter } from "../../nn/index.js";
import { Checkpointer, type CheckpointCost } from "./checkpointer.js";
import type { AuxiliaryModules } from "../step/auxiliary-modules.js";
import type { FitPlan } from "../fit-options.js";
import type { FitHooks } from "./hooks.js";
import { identityOf } from "./identity.js";
import { optimizerOf, parametersOf } from "./participants.js";
import { joinedWorld } from "../ranks/ranks.js";
import { WholeTensors } from "../ranks/whole.js";
import type { Loops } from "../step/step-loops.js";

/** What {@link openCheckpoints} looks at. */
export interface RunParts {
  readonly where: string;
  readonly plan: FitPlan;
  readonly hooks: FitHooks;
  readonly loops: Loops;
  readonly auxiliary: AuxiliaryModules;
  /** How far the run has come. */
  readonly position: Participant;
  readonly best: Participant;
  readonly average: Participant | undefined;
  /** The graph of a full step. */
  readonly graph: string;
  /** Told what every checkpoint took. */
  readonly told: (step: number, cost: CheckpointCost) => void;
}

/** What a run is made of. @throws AbortedError */
export function identityOfRun({ where, plan, hooks, loops, graph }: RunParts): Promise<Identity> {
  const { bound } = loops;
  const parameters = parametersIn(plan, loops);
  const further = { ...hooks.identity, ...(loops.shards !== undefined && { shards: loops.shards }) };
  return identityOf({ where, plan, parameters, bound, graph, further });
}

/** The checkpoints that a run was asked to keep or to go on from; undefined for none. */
export function openCheckpoints(parts: RunParts, identity: Identity | undefined): Checkpointer | undefined {
  const { where, plan, hooks, loops, auxiliary, position, best, average, told } = parts;
  const { checkpoint, resume, allow } = plan;
  if (!identity || (!checkpoint && resume === false)) return undefined;
  const named = () => parametersIn(plan, loops);
  const state = new RunState()
    .add("run", position)
    .add("model", parametersOf(named))
    .add("optimizer", loops.optimizer?.() ?? optimizerOf(loops.bound))
    .add(
      "auxiliary",
      parametersOf(() => auxiliary.namedParameters()),
    )
    .add("best", best)
    .add("average", average ?? {})
    .add("spikes", loops.watch ?? {})
    .add("plateau", plan.plateau?.participant() ?? {})
    .add("hooks", hooks.participant ?? {});
  const writes = !plan.parallel || joinedWorld()!.rank === 0;
  const whole = new WholeTensors(where, named());
  const collect = loops.collect && (() => loops.collect!());
  return new Checkpointer({ where, plan: checkpoint, resume, allow, identity, state, writes, whole, collect, told });
}

/** All that training changes, by name: parameters and running statistics; of a plain function the parameters that it used. */
export function parametersIn({ model }: FitPlan, { bound }: Loops): readonly NamedParameter[] {
  if (model instanceof Module) return model.namedParameters();
  return bound.parameters.map((parameter) => ({ name: parameter.name, parameter }));
}
