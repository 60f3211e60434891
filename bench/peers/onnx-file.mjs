// ONNX files written field by field, so that the benchmarks need no Python and no ONNX library. Protocol buffers: a field is
// (number << 3 | wire type), then a varint (type 0) or a length and bytes (type 2). Field numbers are those of onnx.proto.

const DTYPES = new Map([
  [Float32Array, 1],
  [Uint8Array, 2],
  [Int8Array, 3],
]);
export const FLOAT = 1;

function varint(value) {
  const bytes = [];
  for (; value > 127; value = Math.floor(value / 128)) bytes.push((value % 128) | 128);
  return Buffer.from([...bytes, value]);
}

const number = (field, value) => Buffer.concat([varint(field << 3), varint(value)]);

function message(field, ...parts) {
  const body = Buffer.concat(parts.map((part) => (typeof part === "string" ? Buffer.from(part) : part)));
  return Buffer.concat([varint((field << 3) | 2), varint(body.length), body]);
}

// AttributeProto: name 1, i 3, type 20 where INT is 2
const attribute = ([name, value]) => message(5, message(1, name), number(3, value), number(20, 2));

/** An operation with whole numbers as attributes; operations beyond the standard are in a `domain` of their own. */
export const node = (kind, inputs, outputs, attributes = {}, domain = undefined) =>
  message(
    1, // GraphProto: node 1, name 2, initializer 5, input 11, output 12
    ...inputs.map((input) => message(1, input)), // NodeProto: input 1, output 2, op_type 4, attribute 5, domain 7
    ...outputs.map((output) => message(2, output)),
    message(4, kind),
    ...Object.entries(attributes).map(attribute),
    ...(domain === undefined ? [] : [message(7, domain)]),
  );

/** A constant: the elements of a typed array; no dims for a single number. */
export const constant = (name, dims, values) =>
  message(
    5,
    ...dims.map((dim) => number(1, dim)), // TensorProto: dims 1, data_type 2, name 8, raw_data 9
    number(2, DTYPES.get(values.constructor)),
    message(8, name),
    message(9, Buffer.from(values.buffer, values.byteOffset, values.byteLength)),
  );

// ValueInfoProto: name 1, type 2; TypeProto: tensor_type 1; Tensor: elem_type 1, shape 2; dim 1: dim_value 1 or dim_param 2
const value = (field, name, width) => {
  const shape = message(2, message(1, message(2, "N")), message(1, number(1, width)));
  return message(field, message(1, name), message(2, message(1, number(1, FLOAT), shape)));
};

/** A model of `x` f32 (N, from) to `y` f32 (N, to). */
export function model(from, to, parts) {
  const graph = [message(2, "graph"), ...parts, value(11, "x", from), value(12, "y", to)];
  // ModelProto: ir_version 1, graph 7, opset_import 8 (domain 1, version 2)
  const opset = (version, ...domain) => message(8, ...domain, number(2, version));
  return Buffer.concat([number(1, 8), message(7, ...graph), opset(13), opset(1, message(1, "com.microsoft"))]);
}
