// Quantization: `quantize(model, scheme)` and what goes with it, `quantize.int8()`, `quantize.gptq()`, …
import { awq, biasCorrection, gptq, rtn, smoothQuant } from "./methods.js";
import { entropy, minMax, movingAverage, mse, percentile } from "./observers.js";
import { convert, prepare } from "./prepare.js";
import { quantizeModel } from "./quantize.js";
import { apot, fp8, int4, int8, intN, kmeans, mxfp4, nf4 } from "./scheme.js";
import { report } from "./report.js";
import { search } from "./search.js";

export type { CalibrationOption, AwqOptions, GptqOptions, Method, SmoothQuantOptions } from "./methods.js";
export type { Histogram, MovingAverageOptions, Observer, Range } from "./observers.js";
export type { PrepareOptions } from "./prepare.js";
export type { QuantizeOptions } from "./quantize.js";
export type { LayerReport, QuantizeReport } from "./report.js";
export type {
  Activations,
  ApotOptions,
  Fp8Options,
  Granularity,
  Grid,
  GroupOptions,
  Int4Options,
  Int8Options,
  IntNOptions,
  KmeansOptions,
  Scheme,
} from "./scheme.js";
export type { Choice, SearchOptions, SearchResult } from "./search.js";
export type { SchemeChoice, Selection } from "./targets.js";
export { describeScheme } from "./scheme.js";

/**
 * A copy of a model with its weights in few bits, executed and saved so; see `quantizeModel`. Its properties are the schemes
 * (`int8`, `int4`, `intN`, `nf4`, `kmeans`, `apot`, `fp8`, `mxfp4`), methods (`rtn`, `smoothQuant`, `awq`, `gptq`, `biasCorrection`),
 * observers (`minMax`, `movingAverage`, `percentile`, `entropy`, `mse`), `prepare` and `convert` for quantization-aware training,
 * `search` for mixed precision, and `report`, which says what was done.
 *
 * @example
 * const model = nn.sequential(nn.linear(64, 32), nn.relu(), nn.linear(32, 10));
 * const samples = array(new Float32Array(4 * 64).fill(0.5), [4, 64]);
 * const small = await quantize(model, quantize.int8({ activations: "static" }), { calibrate: samples });
 */
export const quantize = Object.assign(quantizeModel, {
  int8,
  int4,
  intN,
  nf4,
  kmeans,
  apot,
  fp8,
  mxfp4,
  rtn,
  smoothQuant,
  awq,
  gptq,
  biasCorrection,
  minMax,
  movingAverage,
  percentile,
  entropy,
  mse,
  prepare,
  convert,
  search,
  report,
});
