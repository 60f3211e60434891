// One linear layer of 4096 by 4096 with quantized weights seen from JavaScript, an NdArray in and an NdArray out; `f32` is the
// same layer as it was before, its weight packed once. x has both signs; one case has it without negatives, as
// after a ReLU.
import { compile, nn, quantize, type Scheme, type Tensor } from "athanor";
import { sharedSuite } from "../definitions.js";
import { centred, uniform } from "../networks.js";

const width = 4096;

const schemes: Readonly<Record<string, (group: number | undefined) => Scheme>> = {
  int8: () => quantize.int8({ activations: "dynamic" }),
  int4: (group) => quantize.int4({ group, activations: "dynamic" }),
  nf4: (group) => quantize.nf4({ group, activations: "dynamic" }),
};

export default sharedSuite("quant", async (_, { scheme = "f32", group, M = 1, x: signs = "both" }) => {
  const dense = nn.linear(width, width, { bias: false });
  const model = scheme === "f32" ? dense : await quantize(dense, schemes[scheme]!(group));
  if (model !== dense) dense.dispose();
  const forward = compile((x: Tensor) => model.forward(x));
  const x = (signs === "positive" ? uniform : centred)([M, width]);
  return {
    step: () => forward.runSync(x),
    dispose: () => {
      forward.dispose();
      model.dispose();
    },
  };
});
