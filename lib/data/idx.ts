// IDX, the format of MNIST (Y. LeCun): two zero bytes, a type, the number of dimensions, each dimension as a big-endian
// u32, then the elements, big-endian and row-major. Raw or gzipped; the file itself tells.
// A header's claim is weighed against the bytes that are there before memory is taken for it.

import { readFile } from "node:fs/promises";
import { promisify } from "node:util";
import { gunzip as gunzipCallback } from "node:zlib";
import { CorruptFileError, FileError } from "../errors.js";
import { NdArray } from "../tensor/nd-array.js";

const gunzip = promisify(gunzipCallback);

interface ElementType {
  readonly bytes: number;
  readonly read: (bytes: Buffer, count: number) => NdArray;
}

const shaped = (data: NdArray["data"], dtype: NdArray["dtype"]) => new NdArray(data, [data.length], dtype);

// i8 and i16 widen to i32: the engine has no narrower signed type.
const types: Readonly<Record<number, ElementType>> = {
  0x08: { bytes: 1, read: (b, n) => shaped(new Uint8Array(b.buffer, b.byteOffset, n), "u8") },
  0x09: {
    bytes: 1,
    read: (b, n) =>
      shaped(
        Int32Array.from({ length: n }, (_, i) => b.readInt8(i)),
        "i32",
      ),
  },
  0x0b: {
    bytes: 2,
    read: (b, n) =>
      shaped(
        Int32Array.from({ length: n }, (_, i) => b.readInt16BE(2 * i)),
        "i32",
      ),
  },
  0x0c: {
    bytes: 4,
    read: (b, n) =>
      shaped(
        Int32Array.from({ length: n }, (_, i) => b.readInt32BE(4 * i)),
        "i32",
      ),
  },
  0x0d: {
    bytes: 4,
    read: (b, n) =>
      shaped(
        Float32Array.from({ length: n }, (_, i) => b.readFloatBE(4 * i)),
        "f32",
      ),
  },
  0x0e: {
    bytes: 8,
    read: (b, n) =>
      shaped(
        Float64Array.from({ length: n }, (_, i) => b.readDoubleBE(8 * i)),
        "f64",
      ),
  },
};

// Deflate cannot shrink below 1/1032 of the original; what claims to is refused before it is unpacked.
const LARGEST_RATIO = 1032;

/**
 * An array from an IDX file, raw or gzipped: u8, i32 (for i8, i16, i32), f32 or f64.
 *
 * @throws FileError if the file cannot be read; CorruptFileError if it is not IDX or its size is not what it claims.
 * @example
 * const images = await data.idx("train-images-idx3-ubyte.gz"); // u8 [60000, 28, 28]
 */
export async function idx(path: string | URL): Promise<NdArray> {
  const where = `data.idx: "${String(path)}"`;
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (cause) {
    throw new FileError(`data.idx: cannot read "${String(path)}": ${(cause as Error).message}`, { cause });
  }
  return parseIdx(where, await unpacked(where, bytes));
}

/** An array from the bytes of an IDX file, unpacked already; u8 data stay where they are. */
function parseIdx(where: string, bytes: Buffer): NdArray {
  if (bytes.length < 4 || bytes[0] !== 0 || bytes[1] !== 0) {
    throw new CorruptFileError(
      `${where} is not an IDX file: expected it to begin with two zero bytes, got ${preview(bytes)}`,
    );
  }
  const type = types[bytes[2]!];
  if (!type) {
    const known = Object.keys(types).map((code) => hex(Number(code)));
    throw new CorruptFileError(`${where} has the element type ${hex(bytes[2]!)}, expected one of ${known.join(", ")}`);
  }
  const rank = bytes[3]!;
  const header = 4 + 4 * rank;
  if (rank === 0 || bytes.length < header) {
    throw new CorruptFileError(
      `${where} is cut short: a header of ${rank} dimensions takes ${header} bytes, the file has ${bytes.length}`,
    );
  }
  const shape = Array.from({ length: rank }, (_, i) => bytes.readUInt32BE(4 + 4 * i));
  const count = shape.reduce((product, size) => product * size, 1);
  const [claimed, there] = [count * type.bytes, bytes.length - header];
  if (claimed !== there) {
    const state = claimed > there ? "is cut short" : "has bytes left over";
    throw new CorruptFileError(
      `${where} ${state}: [${shape.join(", ")}] takes ${claimed.toLocaleString("en")} bytes after the header, the file has ${there.toLocaleString("en")}`,
    );
  }
  const flat = type.read(bytes.subarray(header), count);
  return new NdArray(flat.data, shape, flat.dtype);
}

async function unpacked(where: string, bytes: Buffer): Promise<Buffer> {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  try {
    return await gunzip(bytes, { maxOutputLength: Math.min(bytes.length * LARGEST_RATIO, 2 ** 31) });
  } catch (cause) {
    throw new CorruptFileError(`${where} is not a whole gzip file: ${(cause as Error).message}`, { cause });
  }
}

function hex(byte: number): string {
  return `0x${byte.toString(16).padStart(2, "0")}`;
}

function preview(bytes: Buffer): string {
  return bytes.length === 0 ? "an empty file" : [...bytes.subarray(0, 4)].map(hex).join(" ");
}
