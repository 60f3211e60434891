// Tensors of which every rank of a group has a part, as whole ones: what checkpoints keep, so that any number of ranks can go on.
import { addon, call, type NativeVariable } from "../../native/index.js";
import type { NamedParameter } from "../../nn/index.js";
import type { PartOf } from "../../tensor/parametrization.js";
import type { NdArray } from "../../tensor/nd-array.js";
import { Program } from "../../tensor/program.js";
import type { Tensor } from "../../tensor/tensor.js";
import { Trace } from "../../tensor/trace.js";
import { throughRanks } from "./ranks.js";

type Variables = ReadonlyMap<string, NativeVariable>;

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

/** A tensor's places in this order along an axis. */
function taken(x: Tensor, axis: number, places: readonly number[]): Tensor {
  const runs: { from: number; count: number }[] = [];
  for (const place of places) {
    const last = runs.at(-1);
    if (last && last.from + last.count === place) last.count++;
    else runs.push({ from: place, count: 1 });
  }
  if (runs.length === 1 && runs[0]!.count === x.shape[axis]) return x;
  const pieces = runs.map(({ from, count }) => {
    const start = x.shape.map((_, i) => (i === axis ? from : 0));
    const stop = x.shape.map((extent, i) => (i === axis ? from + count : extent));
    return x.trace.apply("slice", [x], { start, stop, step: start.map(() => 1) });
  });
  return pieces.length === 1 ? pieces[0]! : x.trace.apply("concat", pieces, { axis });
}

/** The whole tensor from the parts of all ranks, in a trace that all of them run. */
export function joined(part: Tensor, { group, axis, places }: PartOf): Tensor {
  const sizes = places.map(({ length }) => length);
  const all = part.trace.collective("all_gather", group, [part], { axis, sizes, gradient: "same" });
  const at = new Map(places.flat().map((place, i) => [place, i]));
  return taken(
    all,
    axis,
    range(at.size).map((place) => at.get(place)!),
  );
}

/** The parts of a run's state, by the names of the parameters that they belong to. */
export class WholeTensors {
  private readonly where: string;
  private readonly parts: ReadonlyMap<string, { readonly part: PartOf; readonly shape: string }>;

  constructor(where: string, parameters: readonly NamedParameter[]) {
    this.where = where;
    this.parts = new Map(
      parameters.flatMap(({ name, parameter }) => {
        const part = parameter.parametrization?.part;
        return part ? [[name, { part, shape: String(parameter.shape) }] as const] : [];
      }),
    );
  }

  /** Whether there are any. */
  get any(): boolean {
    return this.parts.size > 0;
  }

  /** The same tensors, whole; those that were parts are copies, to be freed by `dispose`. All ranks call it. */
  async gather(tensors: Variables): Promise<{ tensors: Map<string, NativeVariable>; dispose(): void }> {
    const divided = this.divided(tensors);
    const values = await this.run(divided, (x, part) => joined(x, part));
    const copies = divided.map(({ name, part }): [string, NativeVariable] => {
      const copy = call(() => new addon.Variable("f32", part.shape, name));
      call(() => copy.write(values[name]!.data));
      return [name, copy];
    });
    return {
      tensors: new Map([...tensors, ...copies]),
      dispose: () => copies.forEach(([, copy]) => copy.dispose()),
    };
  }

  /** Reads whole tensors and keeps this rank's parts. */
  async read(tensors: Variables, read: (tensors: Variables) => Promise<void>): Promise<void> {
    const divided = this.divided(tensors);
    const copies = new Map(
      divided.map(({ name, part }) => [name, call(() => new addon.Variable("f32", part.shape, name))]),
    );
    try {
      await read(new Map([...tensors, ...copies]));
      const wholes = divided.map((each) => ({ ...each, variable: copies.get(each.name)! }));
      const values = await this.run(wholes, (x, { axis, places, group }) => taken(x, axis, places[group.rank()]!));
      for (const { name, variable } of divided) call(() => variable.write(values[name]!.data));
    } finally {
      for (const copy of copies.values()) copy.dispose();
    }
  }

  // A tensor belongs to a parameter whose name its own has in it, and has the shape of its part.
  private divided(tensors: Variables) {
    return [...tensors].flatMap(([name, variable]) => {
      const { dtype, shape } = variable.type;
      const found = [...this.parts].find(
        ([own, part]) => `.${name}.`.includes(`.${own}.`) && dtype === "f32" && String(shape) === part.shape,
      );
      return found ? [{ name, variable, part: found[1].part }] : [];
    });
  }

  private async run(
    divided: readonly { readonly name: string; readonly variable: NativeVariable; readonly part: PartOf }[],
    body: (x: Tensor, part: PartOf) => Tensor,
  ): Promise<Record<string, NdArray>> {
    if (divided.length === 0) return {};
    const trace = new Trace();
    let program: Program | undefined;
    try {
      const outputs = divided.map(({ name, variable, part }) => [name, body(trace.held(variable), part)] as const);
      trace.setOutputs(Object.fromEntries(outputs));
      program = new Program(trace.compile(), this.where);
      const running = program;
      return await throughRanks(this.where, () => running.run({}));
    } finally {
      program?.dispose();
      trace.graph.dispose();
    }
  }
}
