// Forward passes seen from JavaScript: an NdArray in, an NdArray out, on the calling thread.
import { compile, type Tensor } from "athanor";
import { sharedSuite } from "../definitions.js";
import { mlp, uniform } from "../networks.js";

export default sharedSuite("inference", (_, { dims = [], batch = 1 }) => {
  const model = mlp(...dims);
  const forward = compile((x: Tensor) => model.forward(x));
  const x = uniform([batch, dims[0]!]);
  return {
    step: () => forward.runSync(x),
    dispose: () => {
      forward.dispose();
      model.dispose();
    },
  };
});
