export { hypervolume } from "./hypervolume.js";
export { importance, type Analysed, type Importance, type ImportanceOptions } from "./importance.js";
