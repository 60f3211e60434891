// One rule for NaN and infinity wherever numbers are read to decide about others (compression, calibration, data sets): they are
// refused, and the error says where the first of them stands. What is in the engine is looked at there, in one pass of one
// program; what is in JavaScript in slices, between which the event loop runs.
import { NonFiniteError } from "../errors.js";
import { compile } from "./compile.js";
import type { HostData } from "./dtype.js";
import { NdArray } from "./nd-array.js";
import type { Parameter } from "./parameter.js";
import { currentTrace } from "./trace.js";

type Numbers = HostData[keyof HostData];

const slice = 1 << 20;

/** The index of the first element in [from, to) that is NaN or infinite, -1 if there is none. bf16 is taken as its bits. */
export function firstNonFinite(data: Numbers, from = 0, to = data.length): number {
  if (data instanceof Uint16Array) {
    for (let i = from; i < to; ++i) if ((data[i]! & 0x7f80) === 0x7f80) return i;
  } else if (data instanceof Float32Array || data instanceof Float64Array) {
    for (let i = from; i < to; ++i) if (data[i]! - data[i]! !== 0) return i;
  }
  return -1;
}

/** The index along each dimension of element `i`. */
export function placeOf(i: number, shape: readonly number[]): number[] {
  const place: number[] = [];
  for (const size of [...shape].reverse()) {
    place.unshift(i % size);
    i = Math.floor(i / size);
  }
  return place;
}

/** The error for element `i` of an array, with a way out. */
export function nonFinite(where: string, name: string, { data, shape, dtype }: NdArray, i: number, way: string) {
  const value = dtype === "bf16" ? ((data[i]! & 0x7f) !== 0 ? NaN : data[i]! < 0x8000 ? Infinity : -Infinity) : data[i];
  return new NonFiniteError(
    `${where}: expected finite numbers, but ${name}[${placeOf(i, shape).join(", ")}] is ${value}; ${way}`,
  );
}

/** What to do about a sample, by the index of its element. */
export const dropSample = ({ shape }: NdArray, i: number): string =>
  `drop or fill in sample ${placeOf(i, shape)[0] ?? 0}`;

/** @throws NonFiniteError for the first element of samples [n, …] that is NaN or infinite; integers pass without a look. */
export async function requireFiniteSamples(where: string, name: string, array: NdArray): Promise<void> {
  const { length } = array.data;
  for (let from = 0; from < length; from += slice) {
    const i = firstNonFinite(array.data, from, Math.min(length, from + slice));
    if (i >= 0) throw nonFinite(where, name, array, i, dropSample(array, i));
    if (from + slice < length) await new Promise((resolve) => setImmediate(resolve));
  }
}

/** A parameter with the name to call it by. */
interface Named {
  readonly name: string;
  readonly parameter: Parameter;
}

const wayOut = "mend or train the model again, or take a sound copy of it, before it is compressed";

const isFloat = ({ dtype, size }: Parameter): boolean => size > 0 && ["f32", "f64", "bf16"].includes(dtype);

// One number a parameter: 1 where all of it is finite.
function looking(where: string, named: readonly Named[]) {
  return compile(
    () =>
      named.map(({ parameter }) => {
        const value = currentTrace(where).parameter(parameter);
        return (parameter.dtype === "bf16" ? value.cast("f32") : value).isFinite().cast("f32").min();
      }),
    { name: where },
  );
}

function refuse(where: string, { name, parameter }: Named): never {
  const array = parameter.readSync();
  throw nonFinite(where, name, array, Math.max(0, firstNonFinite(array.data)), wayOut);
}

/** @throws NonFiniteError for the first parameter with an element that is NaN or infinite, with its name and the element's place. */
export async function requireFiniteParameters(where: string, all: readonly Named[]): Promise<void> {
  const named = all.filter(({ parameter }) => isFloat(parameter) && !parameter.packed);
  if (named.length === 0) return;
  const look = looking(where, named);
  try {
    const strange = (await look.run()).findIndex((finite) => finite.item() !== 1);
    if (strange >= 0) refuse(where, named[strange]!);
  } finally {
    look.dispose();
  }
}

/** The same at once. @throws NonFiniteError */
export function requireFiniteParametersSync(where: string, all: readonly Named[]): void {
  const named = all.filter(({ parameter }) => isFloat(parameter) && !parameter.packed);
  if (named.length === 0) return;
  const look = looking(where, named);
  try {
    const strange = look.runSync().findIndex((finite) => finite.item() !== 1);
    if (strange >= 0) refuse(where, named[strange]!);
  } finally {
    look.dispose();
  }
}
