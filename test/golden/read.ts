// Reads a golden set: data/<name>.json says what there is, <name>.safetensors holds the tensors. See README.md beside this file.

import { existsSync, readFileSync } from "node:fs";

/** A stored tensor; float64 comes as Float64Array, indices as Int32Array. */
export interface GoldenTensor {
  readonly data: Float32Array | Float64Array | Int32Array | Uint8Array;
  readonly shape: readonly number[];
}

export interface GoldenSet<Record> {
  readonly record: Record;
  /** The tensor of that key; throws if the set has none. */
  readonly tensor: (key: string) => GoldenTensor;
}

export interface OptimizerRecord {
  readonly steps: number;
  readonly checkpoints: readonly number[];
  readonly clipNorm: number;
  /** Names in the order in which `expected` flattens them. */
  readonly parameters: readonly string[];
  readonly groups: readonly { readonly names: readonly string[]; readonly lrScale: number }[];
  /** Parameter name → key of its initial value. */
  readonly start: Readonly<Record<string, string>>;
  /** Parameter name → key of its gradients (steps, …shape). */
  readonly gradients: Readonly<Record<string, string>>;
  readonly cases: readonly OptimizerCase[];
}

export interface OptimizerCase {
  readonly name: string;
  /** Class in torch.optim, or in published.py. */
  readonly optimizer:
    | ("SGD" | "Adam" | "AdamW" | "RMSprop" | "Adagrad")
    | ("NAdam" | "RAdam" | "Adamax" | "Adadelta" | "ASGD" | "Rprop" | "Lion" | "AdEMAMix")
    | ("LAMB" | "LARS" | "Adafactor" | "Muon" | "Prodigy" | "SGDScheduleFree" | "AdamWScheduleFree");
  /** Its options, with PyTorch's names; what is absent has PyTorch's default. */
  readonly options: Readonly<Record<string, number | boolean | string | readonly number[]>>;
  /** Whether the global norm of the gradients of both groups is clipped to `clipNorm`. */
  readonly clip: boolean;
  readonly groups: readonly { readonly lr: number; readonly weightDecay: number | null }[];
  /** Multiplier of both rates at each step, or null for constant rates. */
  readonly lrScale: readonly number[] | null;
  /** Global gradient norm before each step, float64. */
  readonly norms: readonly number[] | null;
  /** Checkpoint → keys of the parameters after that many steps, flat. */
  readonly expected: Readonly<Record<string, { readonly f32: string; readonly f64: string }>>;
  /** Largest |float32 − float64| at the last step in PyTorch. */
  readonly drift: number;
}

export interface ModelRecord {
  readonly cases: readonly ModelCase[];
}

export interface ModelCase {
  readonly name: string;
  readonly architecture: string;
  readonly steps: number;
  readonly optimizer: string;
  readonly groups: readonly Readonly<Record<string, unknown>>[];
  /** Keys of (4, batch, …): step i takes part i mod 4. */
  readonly x: string;
  readonly y: string;
  /** PyTorch parameter or buffer name → key. */
  readonly start: Readonly<Record<string, string>>;
  readonly final: Readonly<Record<string, string>>;
  readonly final64: Readonly<Record<string, string>>;
  readonly outputs: { readonly f32: string; readonly f64: string };
  readonly losses: { readonly f32: readonly number[]; readonly f64: readonly number[] };
  readonly drift: number;
}

export interface ScheduleRecord {
  readonly cases: readonly ScheduleCase[];
}

export interface ScheduleCase {
  readonly name: string;
  readonly kind: string;
  readonly options: Readonly<Record<string, number>>;
  /** Rate at steps 0, `every`, 2 `every`, …; 1 where it is not given. */
  readonly rates: readonly number[];
  readonly every?: number;
  /** How far PyTorch's recurrence is from the closed form by the last step; 0 where it is not given. */
  readonly drift?: number;
}

export interface OperationRecord {
  readonly cases: readonly OperationCase[];
}

export interface OperationCase {
  readonly name: string;
  readonly op: string;
  /** PyTorch's names. */
  readonly options: Readonly<Record<string, unknown>>;
  readonly inputs: Readonly<Record<string, string>>;
  readonly dy: string;
  /** `y` and, for a norm in training, the new running statistics. */
  readonly outputs: Readonly<Record<string, string>>;
  /** Input name → key of the gradient of Σ y · dy. */
  readonly gradients: Readonly<Record<string, string>>;
}

export interface MetricRecord {
  readonly cases: readonly MetricCase[];
}

export interface MetricCase {
  readonly name: string;
  /** Our name. */
  readonly metric:
    "accuracy" | "binaryAccuracy" | "f1" | "mae" | "mse" | "precision" | "r2" | "recall" | "rmse" | "rocAuc" | "topK";
  readonly options: number | { readonly threshold: number } | null;
  /** Keys. */
  readonly predictions: string;
  readonly targets: string;
  /** float64. */
  readonly value: number;
}

export interface SpecialRecord {
  readonly cases: readonly SpecialCase[];
}

export interface SpecialCase {
  readonly name: string;
  /** Entry of test/ops/special. */
  readonly of: string;
  /** Our names. */
  readonly attrs: Readonly<Record<string, number | boolean | string | readonly number[]>>;
  /** Keys, in order. */
  readonly inputs: readonly string[];
  readonly types: readonly ("float" | "bool" | "i32")[];
  readonly output: string;
  /** Index of an input → key of its gradient. */
  readonly gradients: Readonly<Record<string, string>>;
}

export interface DistillationRecord {
  readonly cases: readonly DistillationCase[];
}

export interface DistillationCase {
  readonly name: string;
  readonly loss: string;
  /** Our names. */
  readonly options: Readonly<Record<string, number | string>>;
  readonly inputs: Readonly<Record<string, string>>;
  /** Of the loss, float64. */
  readonly value: number;
  /** Input of the student → key of the gradient. */
  readonly gradients: Readonly<Record<string, string>>;
}

export interface KmeansRecord {
  readonly cases: readonly {
    readonly name: string;
    /** Key of the weights. */
    readonly weights: string;
    readonly entries: number;
    readonly inertia: number;
  }[];
}

export interface PruningRecord {
  readonly parameters: readonly string[];
  readonly start: Readonly<Record<string, string>>;
  readonly masks: readonly {
    readonly name: string;
    readonly kind: "l1" | "structure";
    readonly scope?: "layer" | "global";
    readonly structure?: `${number}:${number}` | { readonly block: readonly [number, number] };
    readonly amount: number;
    /** Parameter name → key of its mask. */
    readonly masks: Readonly<Record<string, string>>;
  }[];
  readonly training: {
    readonly steps: number;
    readonly clipNorm: number;
    readonly weightDecay: number;
    readonly masks: Readonly<Record<string, string>>;
    /** Parameter name → key of its gradients (steps, …shape). */
    readonly gradients: Readonly<Record<string, string>>;
  };
  readonly cases: readonly {
    readonly name: string;
    readonly optimizer: "SGD" | "Adam" | "AdamW" | "RMSprop" | "Adagrad";
    readonly options: OptimizerCase["options"];
    readonly lr: number;
    readonly clip: boolean;
    /** Key of the parameters after all steps, flat, float64. */
    readonly expected: string;
    readonly drift: number;
  }[];
  readonly criteria: {
    readonly batchSize: number;
    readonly x: string;
    readonly y: string;
    /** Keys of the convolution's weight and bias, then the linear layer's. */
    readonly parameters: readonly string[];
    /** Criterion → keys of the scores of both weights. */
    readonly scores: Readonly<Record<"snip" | "taylor" | "wanda", readonly [string, string]>>;
  };
}

export interface LbfgsRecord {
  readonly checkpoints: readonly number[];
  /** Keys of the samples, of their targets and labels. */
  readonly data: { readonly x: string; readonly target: string; readonly labels: string };
  readonly cases: readonly {
    readonly name: "logistic" | "tanh";
    readonly history: number;
    /** Parameter name → key of its initial value, in the order in which `expected` flattens them. */
    readonly start: Readonly<Record<string, string>>;
    /** Iterations → parameters after them, the loss there, and how far PyTorch's float32 run is off. */
    readonly expected: Readonly<
      Record<string, { readonly parameters: string; readonly loss: number; readonly drift: number }>
    >;
  }[];
}

interface Sets {
  lbfgs: LbfgsRecord;
  optimizers: OptimizerRecord;
  models: ModelRecord;
  schedules: ScheduleRecord;
  operations: OperationRecord;
  distillation: DistillationRecord;
  pruning: PruningRecord;
  kmeans: KmeansRecord;
  metrics: MetricRecord;
  special: SpecialRecord;
}

const arrays = { F32: Float32Array, F64: Float64Array, I32: Int32Array, U8: Uint8Array } as const;

/** Reads one of the sets of this folder. */
export function readGolden<Name extends keyof Sets>(name: Name): GoldenSet<Sets[Name]> {
  const at = (extension: string) => new URL(`./data/${name}.${extension}`, import.meta.url);
  const record = JSON.parse(readFileSync(at("json"), "utf8")) as Sets[Name];
  const tensors = existsSync(at("safetensors")) ? readTensors(readFileSync(at("safetensors"))) : new Map();
  return {
    record,
    tensor(key) {
      const found = tensors.get(key) as GoldenTensor | undefined;
      if (!found) throw new Error(`golden set ${name} has no tensor ${key}`);
      return found;
    },
  };
}

function readTensors(file: Buffer): Map<string, GoldenTensor> {
  const size = Number(file.readBigUInt64LE(0));
  const header = JSON.parse(file.toString("utf8", 8, 8 + size)) as Record<
    string,
    { dtype: keyof typeof arrays; shape: number[]; data_offsets: [number, number] }
  >;
  const body = file.subarray(8 + size);
  return new Map(
    Object.entries(header).map(
      ([
        key,
        {
          dtype,
          shape,
          data_offsets: [begin, end],
        },
      ]) => {
        const bytes = Uint8Array.from(body.subarray(begin, end)); // a copy, so that the array is aligned
        return [key, { data: new arrays[dtype](bytes.buffer), shape }];
      },
    ),
  );
}
