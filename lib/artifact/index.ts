// Models as files: saved with their graph and weights, loaded without the code that built them.
export { load, loadModel } from "./load.js";
export type { LoadOptions } from "./batches.js";
export { SavedModel } from "./model.js";
export { save, type SaveOptions } from "./save.js";
export { LoadedModel, type ClassifyOptions, type PredictOptions, type Results } from "./loaded-model.js";
export type { ClassProbability } from "./classify.js";
export type { InputBatch, PredictInput } from "./inputs.js";
export type { InfoOptions, ModelInfo, OutputInfo, ProvenanceStep } from "../info/index.js";
export type { SavedInput, SavedWeight } from "./manifest.js";
