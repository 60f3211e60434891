// Files that are not text where text is read: a spreadsheet, an archive, a picture. Their bytes in an error would tell nothing.
import type { Readable } from "node:stream";
import { ArgumentError } from "../errors.js";

const kinds: readonly (readonly [kind: string, begins: string, way: string])[] = [
  ["a spreadsheet or another zip archive", "504b0304", "save the sheet as CSV"],
  ["an old Excel workbook", "d0cf11e0", "save the sheet as CSV"],
  ["compressed by gzip", "1f8b", "unpack it first (gunzip), or read it by node:zlib and hand over { text }"],
  ["a Parquet file", "50415231", "write it as CSV first"],
  ["a PDF", "25504446", "write the table as CSV"],
  ["a PNG picture", "89504e47", "tables are text"],
  ["a JPEG picture", "ffd8ff", "tables are text"],
  ["text in UTF-16", "fffe", "save it as UTF-8"],
  ["text in UTF-16", "feff", "save it as UTF-8"],
];

/** The error for the first bytes of a file that is not text; undefined for text. */
export function notText(where: string, place: string, first: Uint8Array): ArgumentError | undefined {
  const hex = Buffer.from(first.subarray(0, 4)).toString("hex");
  const known = kinds.find(([, begins]) => hex.startsWith(begins));
  if (known) return new ArgumentError(`${where}: ${place} is ${known[0]}, expected comma-separated text; ${known[2]}`);
  if (!first.subarray(0, 4096).includes(0)) return undefined;
  return new ArgumentError(`${where}: ${place} is a binary file, expected comma-separated text in UTF-8`);
}

/** Looks at the first bytes that a stream gives. */
export function watchFirst(input: Readable, refuse: (first: Uint8Array) => Error | undefined): void {
  input.once("data", (chunk: unknown) => {
    const error = chunk instanceof Uint8Array ? refuse(chunk) : undefined;
    if (error) input.destroy(error);
  });
}
