// Scores as bytes. Full: the scores of a row one after the other. Top-K: for every group of C scores the K largest, as
// [indices u16 or u32][values][rest], where `rest` stands for each of the other C − K: log(Σ e^score of these / (C − K)), so that
// at temperature 1 the K keep their probabilities and the others share what is left.
import { CorruptFileError } from "../../errors.js";
import { firstNonFinite } from "../../tensor/finite.js";
import { fromHalf, toHalf } from "./half.js";

/** How scores are kept. */
export interface Encoding {
  readonly values: "f32" | "f16";
  /** Scores kept of each C; C keeps all. */
  readonly topK: number;
  /** C: extent of the last dimension. */
  readonly classes: number;
}

const isFull = ({ topK, classes }: Encoding): boolean => topK >= classes;
const indexBytes = ({ classes }: Encoding): 2 | 4 => (classes <= 65536 ? 2 : 4);
const valueBytes = ({ values }: Encoding): 2 | 4 => (values === "f16" ? 2 : 4);

/** Bytes of so many groups of C scores. */
export function encodedBytes(encoding: Encoding, groups: number): number {
  const { topK, classes } = encoding;
  if (isFull(encoding)) return groups * classes * valueBytes(encoding);
  return groups * (topK * indexBytes(encoding) + (topK + 1) * valueBytes(encoding));
}

/** Scores, all of them finite, as bytes. */
export function encode(encoding: Encoding, scores: Float32Array): Uint8Array {
  if (isFull(encoding)) return valuesToBytes(encoding, scores);
  const { topK, classes } = encoding;
  const groups = scores.length / classes;
  const indices = indexBytes(encoding) === 2 ? new Uint16Array(groups * topK) : new Uint32Array(groups * topK);
  const kept = new Float32Array(groups * (topK + 1));
  for (let g = 0; g < groups; g++) {
    const row = scores.subarray(g * classes, (g + 1) * classes);
    const order = Uint32Array.from(row, (_, i) => i).sort((a, b) => row[b]! - row[a]! || a - b);
    for (let k = 0; k < topK; k++) {
      indices[g * topK + k] = order[k]!;
      kept[g * (topK + 1) + k] = row[order[k]!]!;
    }
    kept[g * (topK + 1) + topK] = meanScore(row, order.subarray(topK));
  }
  const values = valuesToBytes(encoding, kept);
  const bytes = new Uint8Array(indices.byteLength + values.byteLength);
  bytes.set(new Uint8Array(indices.buffer), 0);
  bytes.set(values, indices.byteLength);
  return bytes;
}

/** The scores again; those that top-K left out all have their common value. @throws CorruptFileError for impossible content */
export function decode(where: string, encoding: Encoding, bytes: Uint8Array, scores: Float32Array): void {
  const { topK, classes } = encoding;
  if (isFull(encoding)) {
    scores.set(finite(where, bytesToValues(encoding, bytes)));
    return;
  }
  const groups = scores.length / classes;
  const split = groups * topK * indexBytes(encoding);
  const raw = bytes.slice(0, split).buffer;
  const indices = indexBytes(encoding) === 2 ? new Uint16Array(raw) : new Uint32Array(raw);
  const kept = finite(where, bytesToValues(encoding, bytes.subarray(split)));
  for (let g = 0; g < groups; g++) {
    const row = scores.subarray(g * classes, (g + 1) * classes).fill(kept[g * (topK + 1) + topK]!);
    for (let k = 0; k < topK; k++) {
      const index = indices[g * topK + k]!;
      if (index >= classes) throw new CorruptFileError(`${where} is damaged: class ${index} of ${classes}`);
      row[index] = kept[g * (topK + 1) + k]!;
    }
  }
}

function meanScore(row: Float32Array, members: Uint32Array): number {
  const top = row[members[0]!]!; // the largest of them
  const sum = members.reduce((total, i) => total + Math.exp(row[i]! - top), 0);
  return top + Math.log(sum / members.length);
}

function valuesToBytes({ values }: Encoding, numbers: Float32Array): Uint8Array {
  const held = values === "f16" ? toHalf(numbers) : numbers;
  return new Uint8Array(held.buffer, held.byteOffset, held.byteLength);
}

function bytesToValues({ values }: Encoding, bytes: Uint8Array): Float32Array {
  const { buffer } = Uint8Array.from(bytes); // a copy, so that the numbers are aligned
  return values === "f16" ? fromHalf(new Uint16Array(buffer)) : new Float32Array(buffer);
}

function finite(where: string, values: Float32Array): Float32Array {
  if (firstNonFinite(values) < 0) return values;
  throw new CorruptFileError(`${where} is damaged: a score is not finite`);
}
