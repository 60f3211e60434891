// Metrics over host arrays, fed batch by batch.

export { binaryAccuracy, rocAuc, type ThresholdOption } from "./binary.js";
export {
  accuracy,
  confusionMatrix,
  f1,
  precision,
  recall,
  topK,
  type ClassOptions,
  type Confusion,
} from "./classification.js";
export { evaluate, type Accumulator, type IgnoreOption, type Metric } from "./metric.js";
export { mae, mse, r2, rmse } from "./regression.js";
