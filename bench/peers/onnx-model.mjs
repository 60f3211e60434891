// A multilayer perceptron (Gemm and Relu) as an ONNX file, written field by field so that the benchmark needs no Python and no
// ONNX library. Protocol buffers: a field is (number << 3 | wire type), then a varint (type 0) or a length and bytes (type 2).
// Field numbers are those of onnx.proto, ir_version 8, opset 13.

const FLOAT = 1;

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

const node = (kind, inputs, output) => [
  ...inputs.map((input) => message(1, input)), // NodeProto: input 1, output 2, op_type 4
  message(2, output),
  message(4, kind),
];

const tensor = (name, dims, values) => [
  ...dims.map((dim) => number(1, dim)), // TensorProto: dims 1, data_type 2, name 8, raw_data 9
  number(2, FLOAT),
  message(8, name),
  message(9, Buffer.from(values.buffer)),
];

// ValueInfoProto: name 1, type 2; TypeProto: tensor_type 1; Tensor: elem_type 1, shape 2; dim 1: dim_value 1 or dim_param 2
const value = (name, width) => [
  message(1, name),
  message(2, message(1, number(1, FLOAT), message(2, message(1, message(2, "N")), message(1, number(1, width))))),
];

/** The model file of widths `dims` with inputs `x` (N, dims[0]); He-normal weights from a fixed sequence, biases 0. */
export function mlpModel(dims) {
  let state = 1;
  const uniform = () => (state = (state * 48271) % 2147483647) / 2147483647;
  const normal = () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
  const graph = [message(2, "mlp")]; // GraphProto: node 1, name 2, initializer 5, input 11, output 12
  let x = "x";
  dims.slice(1).forEach((width, i) => {
    const fan = dims[i];
    const weights = Float32Array.from({ length: fan * width }, () => normal() * Math.sqrt(2 / fan));
    graph.push(message(5, ...tensor(`w${i}`, [fan, width], weights)));
    graph.push(message(5, ...tensor(`b${i}`, [width], new Float32Array(width))));
    const last = i === dims.length - 2;
    graph.push(message(1, ...node("Gemm", [x, `w${i}`, `b${i}`], last ? "y" : `z${i}`)));
    if (!last) graph.push(message(1, ...node("Relu", [`z${i}`], `a${i}`)));
    x = `a${i}`;
  });
  graph.push(message(11, ...value("x", dims[0])), message(12, ...value("y", dims.at(-1))));
  // ModelProto: ir_version 1, graph 7, opset_import 8 (version 2)
  return Buffer.concat([number(1, 8), message(7, ...graph), message(8, number(2, 13))]);
}
