// Tensor parallelism planned from the traced graph: which units every rank takes, which collectives that asks for, and what stays
// whole and why. Units that can only go together are those of structured pruning: a rank has the model without the others' units.
import { ArgumentError, checkOptions } from "../../errors.js";
import { got } from "../../names/got.js";
import { Module, type ParameterMatches } from "../../nn/index.js";
import { matchesAny } from "../../nn/match.js";
import { analyse, type Analysis } from "../../prune/structured/analysis.js";
import { groupsOf, type UnitGroup } from "../../prune/structured/groups.js";
import type { Parameter } from "../../tensor/parameter.js";
import { inputOf, requireSignature, type InputSignature } from "../../tensor/signature.js";
import { partsOf } from "../collectives.js";
import { group as makeGroup, RankGroup } from "../group.js";
import { world } from "../world.js";
import { partOf, wholeOf } from "./apply.js";
import type { Role } from "./forms.js";
import { printTensorPlan } from "./print.js";
import { rolesOf } from "./roles.js";
import { mixesTokens } from "./tokens.js";
import { rowDivisions } from "./vocabulary.js";
import { requireFields } from "../../guidance/arguments.js";

/** Options of {@link tensor}. */
export interface TensorOptions {
  /** How many ranks have a model among them; a divisor of the number of ranks. Default all ranks. */
  readonly size?: number | undefined;
  /** The ranks that have a model among them, such as those of a mesh. Default made of `size` neighbours. */
  readonly group?: RankGroup | undefined;
  /** One sample; needed for a model that was neither trained nor run yet. */
  readonly input?: InputSignature | undefined;
  /**
   * Between divided layers, where norms, shortcuts and dropout are, every rank works on its part of the tokens (Korthikanti et al.
   * 2022): activations there are divided too, at the same bytes on the wire. For models from a table of tokens [batch, tokens] to
   * outputs by class. Default false.
   */
  readonly sequence?: boolean | undefined;
  /** Parameters that stay whole on every rank. Default none. */
  readonly keep?: ParameterMatches | undefined;
}

/** Units that are divided. */
export interface DividedUnits {
  /** What makes them: layers, joined by " + ". */
  readonly name: string;
  readonly kind: string;
  /** How many each rank takes. */
  readonly sizes: readonly number[];
  /** The parameters concerned, and what each does with the units. */
  readonly members: readonly { readonly name: string; readonly axis: number; readonly role: Role }[];
}

/** What stays whole. */
export interface WholeLayer {
  readonly name: string;
  readonly reason: string;
}

/** A chosen division, by parameters. */
export interface Choice {
  readonly name: string;
  readonly kind: string;
  readonly sizes: readonly number[];
  readonly members: readonly { readonly parameter: Parameter; readonly axis: number; readonly role: Role }[];
  /** Classes of units, in order; none for rows. */
  readonly units: readonly number[];
}

const rowKinds: readonly Role[] = ["vocabulary", "tied"];
const classKinds: readonly Role[] = ["logits", "tied"];

/** What a plan is made of. */
export interface PlanParts<M extends Module> {
  readonly model: M;
  readonly input: InputSignature;
  readonly analysis: Analysis;
  readonly group: RankGroup;
  readonly choices: readonly Choice[];
  readonly names: ReadonlyMap<Parameter, string>;
  readonly sequence: boolean;
}

/** How a model is divided among ranks; made by {@link tensor}. Printing it shows what each rank takes. */
export class TensorPlan<M extends Module = Module> {
  readonly group: RankGroup;
  readonly divided: readonly DividedUnits[];
  readonly whole: readonly WholeLayer[];
  /** Elements of all parameters: of the model, and of the part of each rank. */
  readonly size: { readonly model: number; readonly parts: readonly number[] };
  readonly #parts: PlanParts<M>;

  /** @internal See {@link tensor}. */
  constructor(parts: PlanParts<M>, whole: readonly WholeLayer[]) {
    this.#parts = parts;
    this.group = parts.group;
    this.whole = whole;
    this.divided = parts.choices.map(({ name, kind, sizes, members }) => ({
      name,
      kind,
      sizes,
      members: members.map(({ parameter, axis, role }) => ({ name: parts.names.get(parameter)!, axis, role })),
    }));
    const all = [...parts.names.keys()].reduce((sum, { size }) => sum + size, 0);
    const lost = (rank: number) =>
      parts.choices.reduce((sum, { sizes, members }) => {
        const share = 1 - sizes[rank]! / sizes.reduce((a, b) => a + b, 0);
        return sum + members.reduce((own, { parameter }) => own + parameter.size * share, 0);
      }, 0);
    this.size = { model: all, parts: parts.group.ranks.map((_, rank) => Math.round(all - lost(rank))) };
  }

  /** The plan as a table. */
  toString(): string {
    return printTensorPlan(this);
  }

  /**
   * This rank's part of the model, a copy: a module like any other, that every rank of the group trains, evaluates and runs at the same
   * time as the others, on the same samples.
   *
   * @throws UnsupportedError if the model's code fixes a size that would change.
   */
  apply(): M {
    return partOf(this.#parts);
  }

  /**
   * The whole model again, a copy, from the parts of all ranks, each of which calls it and gets it.
   *
   * @param part what {@link apply} gave.
   * @throws CommunicationError
   */
  gather(part: M): Promise<M> {
    return wholeOf(this.#parts, part);
  }
}

/**
 * Plans how the ranks of a group have a model among them: attention by heads, linear layers and convolutions by their units (a layer
 * that makes them is cut by columns, the one that adds them up by rows, with one sum over the ranks), tables by rows, and the
 * outputs by classes, whose cross-entropy needs no logits of other ranks. Nothing is changed.
 *
 * @throws ArgumentError before `parallel.connect()`, for options, or if the model's input is not known.
 * @example
 * await parallel.connect();
 * const model = nn.sequential(nn.linear(4, 8), nn.relu(), nn.linear(8, 2));
 * const plan = parallel.tensor(model, { input: { dtype: "f32", shape: [4] } });
 * console.log(String(plan));
 * const part = plan.apply(); // train.fit(part, …) on every rank
 */
export function tensor<M extends Module>(model: M, options: TensorOptions = {}): TensorPlan<M> {
  const where = "parallel.tensor";
  if (!(model instanceof Module)) throw new ArgumentError(`${where}: takes a module, got ${got(model)}`);
  checkOptions(where, options, ["size", "group", "input", "keep", "sequence"]);
  if (options.group !== undefined)
    requireFields(where, options.group, ["name", "ranks", "rank"], "group to be one of parallel.group(ranks)");
  const group = options.group ?? neighbours(where, options.size);
  const input = options.input ?? inputOf(model);
  if (!input) {
    throw new ArgumentError(
      `${where}: the model has not been trained or run, so its input is not known; give { input: { dtype: "f32", shape: [784] } } (one sample)`,
    );
  }
  requireSignature(where, input);
  const named = model.assignNames().namedParameters();
  const names = new Map(named.map(({ name, parameter }) => [parameter, name]));
  const analysis = analyse(where, model, input);
  const { groups, kept } = groupsOf(analysis, (parameter) => names.get(parameter)!);
  const chooser = new Chooser(analysis, group.size, names, options.keep);
  for (const unitGroup of groups) chooser.offer(unitGroup);
  chooser.offerRows();
  const { sequence = false } = options;
  if (sequence) requireTokens(where, analysis, chooser, input);
  const reasons = [...chooser.whole, ...kept.filter(({ name }) => !chooser.covers(name))];
  return new TensorPlan(
    { model, input, analysis, group, choices: chooser.choices, names, sequence },
    reasons.map(({ name, reason }) => ({ name, reason })),
  );
}

// Tokens are handed out where a table is looked up, and gathered by the layers that are divided; the last of them gives the outputs.
function requireTokens(where: string, analysis: Analysis, { choices, whole }: Chooser, input: InputSignature): void {
  const mixing = mixesTokens(analysis, new Set(choices.flatMap(({ units }) => units)));
  if (mixing !== undefined) {
    const reason = whole.find(({ name }) => mixing.includes(`"${name}"`))?.reason;
    throw new ArgumentError(
      `${where}: sequence: ${mixing} looks at several tokens and stays whole${reason === undefined ? "" : `, as ${reason}`}; leave out sequence`,
    );
  }
  const roles = choices.flatMap(({ members }) => members.map(({ role }) => role));
  const [table, classes] = [rowKinds, classKinds].map((kinds) => roles.some((role) => kinds.includes(role)));
  if (table && classes && input.shape.length === 1) return;
  const lacks = table ? (classes ? "samples of tokens [tokens]" : "divided outputs") : "divided table of tokens";
  throw new ArgumentError(
    `${where}: sequence goes from a table of tokens to outputs by class, this model has no ${lacks}; leave out sequence`,
  );
}

function neighbours(where: string, size = world().size): RankGroup {
  const ranks = world().size;
  if (!Number.isSafeInteger(size) || size < 1 || ranks % size !== 0) {
    throw new ArgumentError(`${where}: size must divide the number of ranks, ${ranks}, got ${got(size)}`);
  }
  const groups = Array.from({ length: ranks / size }, (_, g) => Array.from({ length: size }, (_, r) => g * size + r));
  return makeGroup("tensor", groups);
}

// Takes groups in the order of the model; a parameter is cut along one axis.
class Chooser {
  readonly choices: Choice[] = [];
  readonly whole: WholeLayer[] = [];
  private readonly cut = new Map<Parameter, string>();
  private readonly analysis: Analysis;
  private readonly ranks: number;
  private readonly names: ReadonlyMap<Parameter, string>;
  private readonly keep: ParameterMatches | undefined;

  constructor(
    analysis: Analysis,
    ranks: number,
    names: ReadonlyMap<Parameter, string>,
    keep: ParameterMatches | undefined,
  ) {
    this.analysis = analysis;
    this.ranks = ranks;
    this.names = names;
    this.keep = keep;
  }

  offer(group: UnitGroup): void {
    const roles = this.reason(group.name, group.members, group.units.length) ?? rolesOf(this.analysis, group);
    if (typeof roles === "string") return void this.whole.push({ name: group.name, reason: roles });
    const members = group.members.map(({ parameter, axis }) => ({ parameter, axis, role: roles.get(parameter)! }));
    this.take({
      name: group.name,
      kind: group.kind,
      sizes: partsOf(group.units.length, this.ranks),
      members,
      units: group.units.map(({ id }) => id),
    });
  }

  offerRows(): void {
    const rows = rowDivisions(this.analysis);
    for (const { parameter, role } of rows) {
      const name = this.names.get(parameter);
      if (name === undefined || role === "logits bias") continue;
      const bias = role === "vocabulary" ? undefined : rows.find((other) => other.role === "logits bias");
      const members = [{ parameter, axis: 0, role }, ...(bias ? [{ ...bias, axis: 0 }] : [])];
      const reason = this.reason(name, members, parameter.shape[0]!);
      const kind = role === "vocabulary" ? "rows" : role === "tied" ? "rows and classes" : "classes";
      if (reason === undefined) {
        this.take({ name, kind, sizes: partsOf(parameter.shape[0]!, this.ranks), members, units: [] });
      } else this.whole.push({ name, reason });
    }
  }

  covers(name: string): boolean {
    const cut = [...this.cut.keys()].map((parameter) => this.names.get(parameter)!);
    return cut.some((own) => own === name || own.startsWith(`${name}.`));
  }

  private take(choice: Choice): void {
    this.choices.push(choice);
    for (const { parameter } of choice.members) this.cut.set(parameter, choice.name);
  }

  private reason(name: string, members: readonly { readonly parameter: Parameter }[], units: number) {
    if (units < this.ranks) return `it has ${units} units, fewer than the ${this.ranks} ranks`;
    for (const { parameter } of members) {
      const known = this.cut.get(parameter);
      const own = this.names.get(parameter)!;
      if (known !== undefined) return `"${own}" is divided with ${known} already`;
      if (this.keep !== undefined && matchesAny(this.keep, { name: own, parameter })) return `keep names "${own}"`;
      if (parameter.parametrization) return `"${own}" is held as ${parameter.parametrization.kind}`;
      if (parameter.mask) return `"${own}" is pruned`;
    }
    return undefined;
  }
}
