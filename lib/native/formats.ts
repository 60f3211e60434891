// Written by `npm run generate` from native/formats/formats.def. Do not edit.

/** How a quantized weight is stored. */
export interface NumberFormat {
  /** Of a stored code. */
  readonly bits: number;
  readonly kind: "symmetric" | "affine" | "codebook";
  /** Whether there is a zero point, u8. */
  readonly zero: boolean;
  /** The scale's type: f32 or bf16, or a byte that is an exponent. */
  readonly scale: "floats" | "e8m0";
  /** Inputs that share a scale; 0: as many as the weight says. */
  readonly block: number;
  /** Whose the table is: an operand's, or the format's. */
  readonly table: "none" | "own" | "e2m1";
}

/** Every number format of quantized weights. */
export const formats = {
  int8: { bits: 8, kind: "symmetric", zero: false, scale: "floats", block: 0, table: "none" },
  int5: { bits: 5, kind: "symmetric", zero: false, scale: "floats", block: 0, table: "none" },
  int4: { bits: 4, kind: "symmetric", zero: false, scale: "floats", block: 0, table: "none" },
  int2: { bits: 2, kind: "symmetric", zero: false, scale: "floats", block: 0, table: "none" },
  uint8: { bits: 8, kind: "affine", zero: true, scale: "floats", block: 0, table: "none" },
  uint5: { bits: 5, kind: "affine", zero: true, scale: "floats", block: 0, table: "none" },
  uint4: { bits: 4, kind: "affine", zero: true, scale: "floats", block: 0, table: "none" },
  uint2: { bits: 2, kind: "affine", zero: true, scale: "floats", block: 0, table: "none" },
  codebook8: { bits: 8, kind: "codebook", zero: false, scale: "floats", block: 0, table: "own" },
  codebook5: { bits: 5, kind: "codebook", zero: false, scale: "floats", block: 0, table: "own" },
  codebook4: { bits: 4, kind: "codebook", zero: false, scale: "floats", block: 0, table: "own" },
  codebook2: { bits: 2, kind: "codebook", zero: false, scale: "floats", block: 0, table: "own" },
  mxfp4: { bits: 4, kind: "codebook", zero: false, scale: "e8m0", block: 32, table: "e2m1" },
} as const satisfies Record<string, NumberFormat>;

/** The name of a number format. */
export type FormatName = keyof typeof formats;
