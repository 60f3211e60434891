// What is composed of operations: methods, `ops`, losses, terms of distillation. A loss or term that is missing does not compile.
import { distill, loss, ops } from "../../../lib/index.js";
import type { NativeAttrs } from "../../../lib/native/index.js";
import type { Tensor } from "../../../lib/tensor/index.js";
import { differing, f32, floats, keepsNaN, none, type Special } from "./special.js";

type Options = object;
type Factory = (options?: Options) => (prediction: Tensor, target: Tensor) => Tensor;
const of =
  (make: Factory) =>
  ([prediction, target]: readonly Tensor[], attrs: NativeAttrs): Tensor =>
    make(attrs)(prediction!, target!);

export const losses = {
  "loss.bce": f32("formula", of(loss.bce)),
  "loss.bceWithLogits": floats("formula", of(loss.bceWithLogits)),
  "loss.crossEntropy": f32("formula", of(loss.crossEntropy)),
  "loss.hinge": floats("formula", of(loss.hinge)),
  "loss.huber": floats("formula", of(loss.huber)),
  "loss.kl": floats("formula", of(loss.kl)),
  "loss.l1": keepsNaN(floats("exact", of(loss.l1)), "gradient"),
  "loss.mae": keepsNaN(floats("exact", of(loss.mae)), "gradient"),
  "loss.mse": floats("elementary", of(loss.mse)),
  "loss.nll": floats("formula", of(loss.nll)),
  "loss.smoothL1": floats("formula", of(loss.smoothL1)),
} satisfies Record<`loss.${keyof typeof loss}`, Special>;

const terms = distill.losses;

export const distillation = {
  "distill.attentionTransfer": f32("formula", ([s, t]) => terms.attentionTransfer(s!, t!)),
  "distill.dist": f32("formula", ([s, t]) => terms.dist(s!, t!)),
  "distill.divergences": none("a list of names"),
  "distill.dkd": f32("formula", ([s, t, y]) => terms.dkd(s!, t!, y!)),
  "distill.fsp": f32("formula", ([s, u, t, v]) => terms.fsp([s!, u!], [t!, v!])),
  "distill.hint": f32("formula", ([s, t]) => terms.hint(s!, t!)),
  "distill.kd": f32("formula", ([s, t], attrs) => terms.kd(s!, t!, attrs)),
  "distill.rkd": f32("formula", ([s, t]) => terms.rkd(s!, t!)),
  "distill.similarity": f32("formula", ([s, t]) => terms.similarity(s!, t!)),
  "distill.softCrossEntropy": f32("formula", ([s, t]) => terms.softCrossEntropy(s!, t!)),
  "distill.standardize": f32("rows", ([s]) => terms.standardize(s!)),
} satisfies Record<`distill.${keyof typeof terms}`, Special>;

const axes = (attrs: NativeAttrs) => attrs.axes as readonly number[];

export const methods = {
  "tensor.clamp": differing(
    floats("exact", ([x, low, high], attrs) => x!.clamp(low ?? (attrs.low as number), high ?? (attrs.high as number))),
    (x, dy) => (Number.isNaN(x) ? { gradient: dy } : undefined), // that of x; PyTorch has 0
  ),
  "tensor.expandDims": floats("exact", ([x]) => x!.expandDims(0)),
  "tensor.norm": floats("formula", ([x], attrs) => x!.norm(axes(attrs))),
  "tensor.variance": floats("formula", ([x], attrs) => x!.variance(axes(attrs))),
  "ops.elu": keepsNaN(
    floats("formula", ([x]) => ops.elu(x!)),
    "gradient",
  ),
  "ops.leakyRelu": floats("elementary", ([x]) => ops.leakyRelu(x!)),
} satisfies Record<string, Special>;
