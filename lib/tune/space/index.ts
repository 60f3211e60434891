export {
  cardinality,
  choice,
  contains,
  fromUnit,
  int,
  isDistribution,
  logUniform,
  toUnit,
  uniform,
  valueAt,
  type ChoiceDistribution,
  type Distribution,
  type IntDistribution,
  type Json,
  type LogUniformDistribution,
  type UniformDistribution,
  type ValueOf,
} from "./distribution.js";
export { encode, internalValue } from "./encode.js";
export {
  activeParameters,
  decode,
  externalValue,
  flatten,
  isActive,
  isComplete,
  spaceSize,
  type Condition,
  type FlatSpace,
  type Params,
  type SpaceParameter,
} from "./flatten.js";
export { when, type Conditional, type ParamsOf, type Space } from "./space.js";
