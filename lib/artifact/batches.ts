// The programs of a served model: one a batch size, the ones used last; and batches filled up to a power of two, so that a service
// that meets every size needs a dozen programs.
import { requireCount, requireFlag } from "../guidance/arguments.js";
import { deviceName, type DeviceOption } from "../device/index.js";
import { ArgumentError } from "../errors.js";
import type { NativeProgram } from "../native/index.js";
import { allocate, type DType, type TypedArray } from "../tensor/dtype.js";
import { countOf, NdArray, showShape } from "../tensor/nd-array.js";
import { ProgramCache } from "../tensor/program-cache.js";

/** Compiles the model for a batch size. */
export type BuildProgram = (batch: number) => NativeProgram;

/** Options of {@link load}. */
export interface LoadOptions {
  /**
   * Programs kept at most, one a batch size; the one not used for the longest makes room. Each holds the memory of its intermediate
   * results, which grows with the batch; all share one copy of the weights. Default 8.
   */
  readonly maxPrograms?: number | undefined;
  /**
   * Fill every batch up to the next power of two by repeating its first row, and leave the results of these rows out: for services,
   * where batches have any size, a dozen programs then do for all. A row's result is that of the filled batch, bit for bit; batches
   * below 5 rows may round sums in another order than unfilled ones. It costs at most twice the work, and takes models in which no
   * row depends on others. Default false.
   */
  readonly padBatches?: boolean | undefined;
  /** What it predicts on. Default "cpu". */
  readonly device?: DeviceOption | undefined;
}

/** A program with what it gives. */
export interface Ready {
  readonly program: NativeProgram;
  /** Samples of the program, at least those of the batch. */
  readonly batch: number;
  readonly outputs: readonly {
    readonly name: string;
    readonly dtype: DType;
    readonly shape: readonly number[];
    readonly size: number;
  }[];
  dispose(): void;
}

const defaultPrograms = 8;

/** @throws ArgumentError */
export function checkLoadOptions(where: string, { maxPrograms = 1, padBatches = false, device }: LoadOptions): void {
  deviceName(where, device);
  requireCount(where, "maxPrograms", maxPrograms);
  requireFlag(where, "padBatches", padBatches);
}

/** Programs by batch size. */
export class Batches {
  private readonly build: BuildProgram;
  private readonly pads: boolean;
  private readonly programs: ProgramCache<Ready, number>;
  private recent: Ready | undefined;

  /** @param single the program of batches of one. @throws ArgumentError for a result without rows that is to be padded. */
  constructor(where: string, single: NativeProgram, build: BuildProgram, options: LoadOptions) {
    const { maxPrograms = defaultPrograms, padBatches = false } = options;
    this.build = build;
    this.pads = padBatches;
    this.programs = new ProgramCache(maxPrograms);
    this.add(where, 1, single);
  }

  /** The program for a batch. @throws what compiling throws; ArgumentError as the constructor. */
  for(where: string, batch: number): Ready {
    const size = this.pads && batch > 2 ? 2 ** Math.ceil(Math.log2(batch)) : batch;
    if (this.recent?.batch === size) return this.recent;
    return (this.recent = this.programs.get(size) ?? this.add(where, size, this.build(size)));
  }

  /** Frees all. */
  dispose(): void {
    this.recent = undefined;
    this.programs.dispose();
  }

  private add(where: string, batch: number, program: NativeProgram): Ready {
    const outputs = program.outputs.map(({ name, dtype, shape }) => ({ name, dtype, shape, size: countOf(shape) }));
    const whole = this.pads && outputs.find(({ shape }) => shape[0] !== batch);
    if (whole) {
      program.dispose();
      throw new ArgumentError(
        `${where}: padBatches takes models that give a row for each sample, and "${whole.name}" of a batch of ${batch} is ${showShape(whole.shape)}; leave padBatches out`,
      );
    }
    const made = { program, batch, outputs, dispose: () => program.dispose() };
    this.programs.set(batch, made);
    return made;
  }
}

/** The values of arrays, filled up with their first row where the program takes more. */
export function feedsOf({ batch }: Ready, arrays: readonly NdArray[]): TypedArray[] {
  return arrays.map(({ data, dtype, shape }) => {
    const rows = shape[0]!;
    if (rows === batch) return data;
    const width = data.length / rows;
    const filled = allocate(dtype, batch * width);
    filled.set(data);
    for (let row = rows; row < batch; row++) filled.copyWithin(row * width, 0, width);
    return filled;
  });
}

/** The results of the first `rows` samples: one array, or several by name. */
export function resultsOf({ batch, outputs }: Ready, values: readonly TypedArray[], rows: number) {
  const arrays = outputs.map(({ dtype, shape, size }, i) => {
    if (rows === batch) return new NdArray(values[i]!, shape, dtype);
    return new NdArray(values[i]!.slice(0, (size / batch) * rows), [rows, ...shape.slice(1)], dtype);
  });
  return outputs.length === 1 ? arrays[0]! : Object.fromEntries(outputs.map(({ name }, i) => [name, arrays[i]!]));
}
