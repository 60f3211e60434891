// From a fake-quantized weight to its packed parametrization, in one compiled program off the event loop: the same steps, the same integers.
import { keptElements, keptPositions, packBits, packMask } from "../ops/bits.js";
import { formats, type NumberFormat } from "../native/formats.js";
import { array, NdArray } from "../tensor/nd-array.js";
import { compile } from "../tensor/compile.js";
import { Parameter } from "../tensor/parameter.js";
import type { Tensor } from "../tensor/tensor.js";
import { currentTrace } from "../tensor/trace.js";
import type { FakeQuantizedParametrization } from "./fake-quantized-parametrization.js";
import { codesOf, nearestEntry, type Steps } from "./grid.js";
import type { Layout } from "./layout.js";
import { PackedParametrization, type PackedParts } from "./packed-parametrization.js";
import { exponentScales, floatCodes, floatTable, signCode } from "./tables.js";

/** Whether a mask hides all of a weight. */
export async function isHidden(parameter: Parameter): Promise<boolean> {
  const mask = parameter.readMask();
  return mask !== undefined && (await keptPositions(mask)).length === 0;
}

/** Codes for a weight, where they are not simply the nearest. */
export type Rounding = (w: Tensor, steps: Steps) => Tensor;

type Parts = { -readonly [Name in keyof PackedParts]: PackedParts[Name] };

const fixed = (shape: readonly number[], dtype: "u8" | "f32" | "bf16") =>
  new Parameter(shape, { dtype, trainable: false });

function holding(values: NdArray): Parameter {
  const parameter = fixed(values.shape, "f32");
  parameter.write(values);
  return parameter;
}

/** The packed parametrization of a weight that is used as `parametrization` says. Neither is changed. */
export async function pack(
  where: string,
  parameter: Parameter,
  parametrization: FakeQuantizedParametrization,
  options: { readonly rounding?: Rounding | undefined; readonly signal?: AbortSignal | undefined } = {},
): Promise<PackedParametrization> {
  const { scheme, layout } = parametrization;
  const exponents = formats[scheme.format].scale === "e8m0";
  const kept = await keptOf(parameter, layout, scheme.storage);
  const parts = await emptyParts(parametrization, kept?.length);
  const program = compile(
    () => {
      const trace = currentTrace(where);
      const w = parametrization.scaled(trace.parameter(parameter));
      const steps = parametrization.steps(w);
      const codes = options.rounding ? options.rounding(w, steps) : codesOf(w, layout, scheme, steps);
      const column = (t: Tensor) => (layout.whole ? t.slice([0, 1]) : t).reshape(parts.scale.shape);
      const stored = storedCodes(codes, parametrization);
      if (kept) {
        const inRows = keptElements(stored, kept).reshape([1, -1]);
        trace.update(parts.q, packBits(inRows, scheme.storage).reshape([-1]));
        const mask = trace.constant(array(parameter.readMask()!, [layout.rows, layout.inner]));
        trace.update(parts.bitmap!, packMask(mask));
      } else {
        trace.update(parts.q, packBits(stored, scheme.storage));
      }
      const scale = column(steps.scale);
      trace.update(parts.scale, exponents ? exponentsOf(scale) : scale.cast(parts.scale.dtype));
      if (parts.zero) trace.update(parts.zero, column(steps.zero!).cast("u8"));
      return {};
    },
    { name: where },
  );
  try {
    await program.run({ signal: options.signal });
  } finally {
    program.dispose();
  }
  return new PackedParametrization(scheme, parameter.shape, layout, parts);
}

// The elements that a mask keeps, where a bitmap and their codes alone take less room than all codes.
async function keptOf(parameter: Parameter, { rows, inner }: Layout, storage: number): Promise<Int32Array | undefined> {
  const mask = parameter.readMask();
  if (!mask) return undefined;
  const kept = await keptPositions(mask);
  const sparse = rows * Math.ceil(inner / 8) + (kept.length * storage) / 8;
  return sparse < (rows * inner * storage) / 8 ? kept : undefined;
}

async function emptyParts(
  { scheme, layout, parts: own }: FakeQuantizedParametrization,
  kept: number | undefined,
): Promise<Parts> {
  const { grid, storage, per } = scheme;
  const format: NumberFormat = formats[scheme.format];
  const scaleType = format.scale === "e8m0" ? "u8" : typeof per === "number" ? "bf16" : "f32";
  const { rows, inner, groups } = layout;
  const each = layout.whole ? [1, 1] : [rows, groups];
  const bytes = (count: number) => Math.ceil((count * storage) / 8);
  const parts: Parts = {
    q: fixed(kept === undefined ? [rows, bytes(inner)] : [bytes(kept)], "u8"),
    ...(kept !== undefined && { bitmap: fixed([rows, Math.ceil(inner / 8)], "u8") }),
    scale: fixed(each, scaleType),
  };
  if (format.zero) parts.zero = fixed(each, "u8");
  if (grid.kind === "table" && format.table === "own") parts.table = holding(array(grid.float ? floatCodes(grid.float) : Float32Array.from(grid.table))); // prettier-ignore
  if (own.table) parts.table = own.table.clone();
  if (own.smooth) parts.smooth = own.smooth.clone();
  if (own.inputStep && own.inputZero) {
    const [step, zero] = [await own.inputStep.read(), await own.inputZero.read()];
    parts.act = holding(array(Float32Array.of(step.item(), zero.item())));
  }
  for (const part of Object.values(parts)) part.trainable = false;
  return parts;
}

// A float is stored as its own bits, the number of its entry in the ascending table turned into sign and magnitude.
function storedCodes(codes: Tensor, { scheme: { grid } }: FakeQuantizedParametrization): Tensor {
  if (grid.kind !== "table" || !grid.float) return codes;
  const { zero } = floatTable(grid.float);
  const offset = codes.cast("f32").sub(zero);
  return offset.lt(0).where(offset.neg().add(signCode(grid.float)), offset);
}

/** The bytes of scales that are powers of two, u8. */
function exponentsOf(scale: Tensor): Tensor {
  return nearestEntry(scale, scale.trace.constant(array(Float32Array.from(exponentScales)))).cast("u8");
}
