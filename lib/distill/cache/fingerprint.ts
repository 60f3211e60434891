// What scores depend on beside the samples, as SHA-256 in hex: the teacher with its graph, constants and weights.
import { createHash, type Hash } from "node:crypto";
import { feed, type ModuleLike } from "../../nn/index.js";
import { call } from "../../native/index.js";
import type { NdArray } from "../../tensor/nd-array.js";
import { Trace, within } from "../../tensor/trace.js";
import type { LoadedModel } from "../../artifact/index.js";

/** Of a model as it is now, for samples like those of x. @throws what tracing throws */
export function ofModel(model: ModuleLike, x: NdArray): string {
  const hash = createHash("sha256");
  const trace = new Trace();
  try {
    within(trace, () => {
      const y = feed(model, trace.input("x", x.dtype, [1, ...x.shape.slice(1)]));
      trace.setOutputs({ y });
    });
    for (const { variable, constant, ...node } of call(() => trace.graph.describe()).nodes) {
      update(hash, { ...node, scope: "" });
      const bytes = variable?.read() ?? constant;
      if (bytes) hash.update(new Uint8Array(bytes));
    }
  } finally {
    trace.graph.dispose();
  }
  return hash.digest("hex");
}

/** Of a loaded artifact. */
export function ofServed(served: LoadedModel): string {
  const hash = createHash("sha256");
  update(hash, served.graph);
  for (const { name, dtype, shape } of served.weights) {
    update(hash, { name, dtype, shape });
    const { buffer, byteOffset, byteLength } = served.readWeight(name).data;
    hash.update(new Uint8Array(buffer, byteOffset, byteLength));
  }
  return hash.digest("hex");
}

const update = (hash: Hash, value: unknown): Hash => hash.update(`${JSON.stringify(value)}\n`);
