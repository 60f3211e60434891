// From what a user has to what a model computes with: rows of tables, and stored arrays such as images. Rules are plain data.
export { checkPreprocessing, type Preprocessing } from "./check.js";
export * from "./columns.js";
export { describePreprocessing } from "./describe.js";
export { encodeRows, encodeRowsAsync, rowEncoder, type Place, type PlaceOf } from "./encode-rows.js";
export {
  fitCategories,
  fitNumbers,
  shortList,
  sortedValues,
  type CategoryOptions,
  type NumberOptions,
} from "./fit-columns.js";
export { momentsOf } from "./moments.js";
export { normalize, type NormalizePreprocessing } from "./normalize.js";
