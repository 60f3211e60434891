// Forward passes seen from JavaScript: an NdArray in, an NdArray out, on the calling thread.
import { compile, quantize, type Tensor } from "athanor";
import { sharedSuite } from "../definitions.js";
import { centred, mlp, uniform } from "../networks.js";

export default sharedSuite("inference", async (_, { dims = [], batch = 1, scheme, x: signs = "positive" }) => {
  const dense = mlp(...dims);
  const model = scheme === "int8" ? await quantize(dense, quantize.int8({ activations: "dynamic" })) : dense;
  if (model !== dense) dense.dispose();
  const forward = compile((x: Tensor) => model.forward(x));
  const x = (signs === "positive" ? uniform : centred)([batch, dims[0]!]);
  return {
    step: () => forward.runSync(x),
    dispose: () => {
      forward.dispose();
      model.dispose();
    },
  };
});
