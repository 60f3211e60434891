// Models as files: saved with their graph and weights, loaded without the code that built them.
export { load, loadModel } from "./load.js";
export { SavedModel } from "./model.js";
export { save, type SaveOptions } from "./save.js";
export { Served, type PredictOptions } from "./served.js";
export type { SavedWeight } from "./manifest.js";
