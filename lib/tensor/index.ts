// Host arrays, traced tensors, parameters, compiled functions.
export { dtypes, type DType, type TypedArray } from "./dtype.js";
export { array, NdArray, zeros, type Shape } from "./nd-array.js";
export { Parameter, seed, type Fill, type ParameterOptions } from "./parameter.js";
export { Tensor, type Axes, type Operand, type Ordered, type ReduceOptions } from "./tensor.js";
export { compile, Compiled, explain, type CompileOptions } from "./compile.js";
export { grad, valueAndGrad } from "./grad.js";
export { Program, type Arrays, type RunOptions } from "./program.js";
export type { Host, Tree } from "./tree.js";
export { inputOf, noteInput, type InputSignature, type InputSignatures } from "./signature.js";
