// Masks in files: a bitmap u8 [⌈n / 8⌉] beside the weight of n elements, low bits first, 1 for an element that is kept. The graph
// says how many are kept, so that a bitmap that was altered is found.
import { ArgumentError, type CorruptFileError } from "../errors.js";
import type { StoredTensor } from "../native/index.js";
import { packMask, unpackMask } from "../ops/bits.js";
import { compile } from "../tensor/compile.js";
import type { TypedArray } from "../tensor/dtype.js";
import { array, NdArray } from "../tensor/nd-array.js";
import type { Parameter } from "../tensor/parameter.js";
import type { Tensor } from "../tensor/tensor.js";
import { count } from "./weights.js";
import type { SavedMask } from "./symbolic.js";

/** A mask on its way to the file. */
export interface PackedMask {
  readonly saved: SavedMask;
  readonly stored: StoredTensor<TypedArray>;
}

/**
 * Packs the mask of a parameter.
 *
 * @param name what it is called in the file.
 * @throws ArgumentError if something else than training has changed what it hides.
 */
export async function packedMask(where: string, parameter: Parameter, name: string): Promise<PackedMask> {
  using program = compile((mask: Tensor) => {
    const weight = parameter.master()!.reshape(mask.shape);
    return { bitmap: packMask(mask), kept: count(mask.ne(0)), left: count(weight.ne(0).and(mask.eq(0))) };
  });
  const { bitmap, kept, left } = await program.run(array(parameter.readMask()!, [1, parameter.size]));
  if (left.item() > 0) {
    throw new ArgumentError(
      `${where}: parameter "${parameter.name}" has ${left.item()} elements other than zero that its mask hides; set its mask again`,
    );
  }
  const stored = { name, dtype: "u8", shape: [bitmap.size], data: bitmap.data };
  return { saved: { tensor: name, kept: kept.item() }, stored };
}

/** A mask from a file, one byte an element. @throws CorruptFileError unless it fits the values and the graph. */
export async function unpackedMask(
  { tensor, kept }: SavedMask,
  stored: StoredTensor<ArrayBuffer> | undefined,
  values: NdArray,
  damaged: (what: string) => CorruptFileError,
): Promise<Uint8Array> {
  const bytes = Math.ceil(values.size / 8);
  if (!stored) throw damaged(`the mask "${tensor}" is missing`);
  if (stored.dtype !== "u8" || stored.shape.length !== 1 || stored.shape[0] !== bytes) {
    throw damaged(
      `the mask "${tensor}" is ${stored.dtype} [${stored.shape.join(", ")}], expected u8 [${bytes}] for ${values.size} elements`,
    );
  }
  using program = compile((bitmap: Tensor, weight: Tensor) => {
    const bits = unpackMask(bitmap); // (1, 8 · bytes)
    const mask = bits.slice(null, [0, values.size]);
    const hidden = mask.eq(0);
    return {
      mask: mask.cast("u8"),
      all: count(bits.ne(0)),
      kept: count(mask.ne(0)),
      left: count(weight.ne(0).and(hidden)),
    };
  });
  const found = await program.run(
    array(new Uint8Array(stored.data), [1, bytes]),
    new NdArray(values.data, [1, values.size], values.dtype),
  );
  if (found.kept.item() !== kept || found.all.item() !== kept) {
    throw damaged(`the mask "${tensor}" keeps ${found.all.item()} elements, the graph says ${kept}`);
  }
  if (found.left.item() > 0) {
    throw damaged(`the mask "${tensor}" hides ${found.left.item()} elements that are not zero`);
  }
  return found.mask.data as Uint8Array;
}
