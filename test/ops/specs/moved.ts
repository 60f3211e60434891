// What the specs of moving operations share: samples of every element type, smooth ones of both floats.
import type { DType } from "../../../lib/tensor/dtype.js";
import type { Sample } from "../spec.js";
import { uniform, whole, type Value } from "../value.js";

const types: readonly DType[] = ["f32", "f64", "i32", "u8", "bool", "bf16"];

export const draw = (shape: readonly number[], dtype: DType): Value =>
  dtype === "bool" ? whole(shape, 0, 2, dtype) : whole(shape, 0, 120, dtype);

export const forTypes = (make: (dtype: DType) => readonly Sample[]): Sample[] =>
  types.flatMap((dtype) => make(dtype).map((sample) => ({ ...sample, name: `${dtype} ${sample.name}` })));

export const smooth = (dtype: "f32" | "f64", shape: readonly number[]): Value => uniform(shape, -1, 1, dtype);

export const inBoth = (make: (dtype: "f32" | "f64") => readonly Sample[]): Sample[] =>
  (["f64", "f32"] as const).flatMap((dtype) =>
    make(dtype).map((sample) => ({ ...sample, name: `${dtype} ${sample.name}` })),
  );
