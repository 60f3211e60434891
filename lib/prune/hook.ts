// What goes into a weight, read off while a model is traced: a parametrization that notes the inputs and then steps aside.
//
// A weight w of y = x · wᵀ, or of a convolution, multiplies for every output and position one value of x. The sum of their squares is
// the gradient of Σ op(x², w) by w: it has the weight's shape, and stride, padding and groups need no second thought.
import type { Parametrization } from "../tensor/parametrization.js";
import type { Parameter } from "../tensor/parameter.js";
import type { Tensor } from "../tensor/tensor.js";

/** What {@link withHooks} gives. */
export interface Hooked {
  readonly result: Tensor;
  /** Σ x² for every weight, of the parameter's shape; undefined for a parameter that multiplies nothing. */
  readonly inputSquares: readonly (Tensor | undefined)[];
}

/** Runs `forward` with the parameters hooked. */
export function withHooks(parameters: readonly Parameter[], forward: () => Tensor): Hooked {
  const squares = parameters.map((): Tensor | undefined => undefined);
  // A weight that is used twice, as tied ones are, has the inputs of both uses.
  const note = (i: number, y: Tensor, master: Tensor) => {
    const [term] = y.trace.gradients(y.sum(), [master]);
    squares[i] = squares[i]?.add(term!) ?? term;
  };
  const parametrizations = parameters.map((parameter, i) =>
    parameter.exchangeParametrization(hook((y, master) => note(i, y, master))),
  );
  try {
    return { result: forward(), inputSquares: squares };
  } finally {
    parameters.forEach((parameter, i) => parameter.exchangeParametrization(parametrizations[i]));
  }
}

function hook(note: (y: Tensor, master: Tensor) => void): Parametrization {
  return {
    kind: "hook",
    parts: {},
    packed: false,
    tensor: (_, master) => master!,
    matmul(x, master, transB) {
      note(x.square().matmul(master!, { transB }), master!);
      return undefined;
    },
    conv2d(x, master, geometry) {
      note(x.trace.apply("conv2d", [x.square(), master!], { ...geometry }), master!);
      return undefined;
    },
    clone: () => hook(note),
    dispose: () => {},
  };
}
