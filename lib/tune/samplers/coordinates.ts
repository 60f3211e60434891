// Parameters as the engine's samplers see them (native/tune/space.h): numbers of a range on their own scale in [0, 1], the middle of
// their cell where there are finitely many, the index of a choice, NaN for what does not exist.
import {
  cardinality,
  contains,
  fromUnit,
  isActive,
  toUnit,
  valueAt,
  type Distribution,
  type FlatSpace,
  type Params,
} from "../space/index.js";

const kinds = { real: 0, grid: 1, choice: 2 } as const;
const mostLevels = 1e6; // finer grids are as good as real

function kindOf(distribution: Distribution): keyof typeof kinds {
  if (distribution.kind === "choice") return "choice";
  if (distribution.kind === "int" && distribution.log) return "real"; // cells of different lengths
  return cardinality(distribution) <= mostLevels ? "grid" : "real";
}

/** A space in coordinates. */
export class Coordinates {
  readonly space: FlatSpace;
  readonly width: number;
  /** What the engine reads. */
  readonly code: Float64Array;
  private readonly kinds: readonly (keyof typeof kinds)[];

  constructor(space: FlatSpace) {
    this.space = space;
    const { parameters } = space;
    this.width = parameters.length;
    this.kinds = parameters.map(({ distribution }) => kindOf(distribution));
    const position = new Map(parameters.map(({ name }, i) => [name, i]));
    const code: number[] = [];
    parameters.forEach(({ distribution, conditions }, i) => {
      const kind = this.kinds[i]!;
      code.push(kinds[kind], kind === "real" ? 0 : cardinality(distribution), conditions.length);
      for (const { on, values } of conditions) {
        const at = position.get(on)!;
        code.push(at, values.length, ...values.map((value) => this.coordinate(at, value)));
      }
    });
    this.code = Float64Array.from(code);
  }

  private coordinate(i: number, value: number): number {
    return this.kinds[i] === "choice" ? value : toUnit(this.space.parameters[i]!.distribution, value);
  }

  /** Writes the row of a trial's parameters; what the space lacks or would not take is as if it were not there. */
  encode(params: Params, into: Float64Array, at = 0): void {
    this.space.parameters.forEach((parameter, i) => {
      const value = params[parameter.name];
      const known = value !== undefined && contains(parameter.distribution, value) && isActive(parameter, params);
      into[at + i] = known ? this.coordinate(i, value) : NaN;
    });
  }

  /** Parameters of a row; those of `fixed` are taken as they are. */
  decode(row: Float64Array, at = 0, fixed: Params = {}): Params {
    const params: Record<string, number> = {};
    this.space.parameters.forEach((parameter, i) => {
      if (!isActive(parameter, params)) return;
      const { name, distribution } = parameter;
      params[name] = fixed[name] ?? this.value(i, distribution, row[at + i]!);
    });
    return params;
  }

  private value(i: number, distribution: Distribution, x: number): number {
    const kind = this.kinds[i]!;
    if (kind === "choice") return x;
    if (kind === "real" || Number.isNaN(x)) return fromUnit(distribution, Number.isNaN(x) ? 0.5 : x);
    const levels = cardinality(distribution);
    return valueAt(distribution, Math.min(levels - 1, Math.floor(x * levels)));
  }

  /** Parameters at a point of the unit cube. */
  at(point: Float64Array, fixed: Params = {}): Params {
    const params: Record<string, number> = {};
    this.space.parameters.forEach((parameter, i) => {
      if (!isActive(parameter, params)) return;
      params[parameter.name] = fixed[parameter.name] ?? fromUnit(parameter.distribution, point[i]!);
    });
    return params;
  }
}

const known = new WeakMap<FlatSpace, Coordinates>();

/** The coordinates of a space, made once. */
export function coordinatesOf(space: FlatSpace): Coordinates {
  let coordinates = known.get(space);
  if (coordinates === undefined) known.set(space, (coordinates = new Coordinates(space)));
  return coordinates;
}
