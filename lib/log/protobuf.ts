// As much of the Protocol Buffers wire format as event files take: varints, doubles, floats, texts and messages.

/** Bytes of one field or several. */
export type Fields = readonly Uint8Array[];

const varint = (value: number): number[] => {
  const bytes: number[] = [];
  let left = value;
  while (left >= 128) {
    bytes.push((left % 128) | 128);
    left = Math.floor(left / 128);
  }
  return [...bytes, left];
};

const tag = (field: number, wire: number): number[] => varint(field * 8 + wire);

/** A whole number from 0 on. */
export const integer = (field: number, value: number): Uint8Array =>
  Uint8Array.from([...tag(field, 0), ...varint(value)]);

/** A 64-bit float. */
export function double(field: number, value: number): Uint8Array {
  const head = tag(field, 1);
  const bytes = new Uint8Array(head.length + 8);
  bytes.set(head);
  new DataView(bytes.buffer).setFloat64(head.length, value, true);
  return bytes;
}

/** A 32-bit float. */
export function float(field: number, value: number): Uint8Array {
  const head = tag(field, 5);
  const bytes = new Uint8Array(head.length + 4);
  bytes.set(head);
  new DataView(bytes.buffer).setFloat32(head.length, value, true);
  return bytes;
}

/** Bytes as they are. */
export const raw = (field: number, value: Uint8Array): Uint8Array =>
  Uint8Array.from([...tag(field, 2), ...varint(value.length), ...value]);

/** A text. */
export const text = (field: number, value: string): Uint8Array => raw(field, Buffer.from(value));

/** A message within a message. */
export const message = (field: number, ...fields: Fields): Uint8Array => raw(field, Buffer.concat(fields));

/** 64-bit floats one after the other, packed. */
export const doubles = (field: number, values: readonly number[]): Uint8Array =>
  raw(field, new Uint8Array(Float64Array.from(values).buffer));
