// Written by `npm run generate` from native/update_rules/rules.def. Do not edit.

/** A hyper-parameter: a number within `interval`, or a flag. */
export type Hyper =
  | { readonly name: string; readonly default: number; readonly interval: string }
  | { readonly name: string; readonly default: boolean };

/** A value kept for every element of a parameter; it starts from 0 or from the hyper-parameter named by `init`. */
export type Slot = { readonly name: string; readonly init: 0 | string };

/** Every update rule: hyper-parameters in the order in which they cross the binding, and state slots. */
export const rules = {
  sgd: {
    hyper: [
      { name: "lr", default: 0.001, interval: "[0, inf)" },
      { name: "weight_decay", default: 0, interval: "[0, inf)" },
      { name: "momentum", default: 0, interval: "[0, inf)" },
      { name: "dampening", default: 0, interval: "(-inf, inf)" },
      { name: "nesterov", default: false },
      { name: "maximize", default: false },
    ],
    state: [{ name: "momentum_buffer", init: 0 }],
  },
  adam: {
    hyper: [
      { name: "lr", default: 0.001, interval: "[0, inf)" },
      { name: "weight_decay", default: 0, interval: "[0, inf)" },
      { name: "beta1", default: 0.9, interval: "[0, 1)" },
      { name: "beta2", default: 0.999, interval: "[0, 1)" },
      { name: "eps", default: 1e-8, interval: "[0, inf)" },
      { name: "amsgrad", default: false },
      { name: "maximize", default: false },
    ],
    state: [
      { name: "exp_avg", init: 0 },
      { name: "exp_avg_sq", init: 0 },
      { name: "max_exp_avg_sq", init: 0 },
    ],
  },
  adamw: {
    hyper: [
      { name: "lr", default: 0.001, interval: "[0, inf)" },
      { name: "weight_decay", default: 0.01, interval: "[0, inf)" },
      { name: "beta1", default: 0.9, interval: "[0, 1)" },
      { name: "beta2", default: 0.999, interval: "[0, 1)" },
      { name: "eps", default: 1e-8, interval: "[0, inf)" },
      { name: "amsgrad", default: false },
      { name: "maximize", default: false },
    ],
    state: [
      { name: "exp_avg", init: 0 },
      { name: "exp_avg_sq", init: 0 },
      { name: "max_exp_avg_sq", init: 0 },
    ],
  },
  rmsprop: {
    hyper: [
      { name: "lr", default: 0.01, interval: "[0, inf)" },
      { name: "weight_decay", default: 0, interval: "[0, inf)" },
      { name: "alpha", default: 0.99, interval: "[0, 1]" },
      { name: "eps", default: 1e-8, interval: "[0, inf)" },
      { name: "momentum", default: 0, interval: "[0, inf)" },
      { name: "centered", default: false },
      { name: "maximize", default: false },
    ],
    state: [
      { name: "square_avg", init: 0 },
      { name: "grad_avg", init: 0 },
      { name: "momentum_buffer", init: 0 },
    ],
  },
  adagrad: {
    hyper: [
      { name: "lr", default: 0.01, interval: "[0, inf)" },
      { name: "weight_decay", default: 0, interval: "[0, inf)" },
      { name: "lr_decay", default: 0, interval: "[0, inf)" },
      { name: "initial_accumulator", default: 0, interval: "[0, inf)" },
      { name: "eps", default: 1e-10, interval: "[0, inf)" },
      { name: "maximize", default: false },
    ],
    state: [{ name: "sum", init: "initial_accumulator" }],
  },
  nadam: {
    hyper: [
      { name: "lr", default: 0.002, interval: "[0, inf)" },
      { name: "weight_decay", default: 0, interval: "[0, inf)" },
      { name: "beta1", default: 0.9, interval: "[0, 1)" },
      { name: "beta2", default: 0.999, interval: "[0, 1)" },
      { name: "eps", default: 1e-8, interval: "[0, inf)" },
      { name: "momentum_decay", default: 0.004, interval: "[0, inf)" },
      { name: "decoupled_weight_decay", default: false },
      { name: "maximize", default: false },
    ],
    state: [
      { name: "exp_avg", init: 0 },
      { name: "exp_avg_sq", init: 0 },
    ],
  },
  radam: {
    hyper: [
      { name: "lr", default: 0.001, interval: "[0, inf)" },
      { name: "weight_decay", default: 0, interval: "[0, inf)" },
      { name: "beta1", default: 0.9, interval: "[0, 1)" },
      { name: "beta2", default: 0.999, interval: "[0, 1)" },
      { name: "eps", default: 1e-8, interval: "[0, inf)" },
      { name: "decoupled_weight_decay", default: false },
      { name: "maximize", default: false },
    ],
    state: [
      { name: "exp_avg", init: 0 },
      { name: "exp_avg_sq", init: 0 },
    ],
  },
  adamax: {
    hyper: [
      { name: "lr", default: 0.002, interval: "[0, inf)" },
      { name: "weight_decay", default: 0, interval: "[0, inf)" },
      { name: "beta1", default: 0.9, interval: "[0, 1)" },
      { name: "beta2", default: 0.999, interval: "[0, 1)" },
      { name: "eps", default: 1e-8, interval: "[0, inf)" },
      { name: "maximize", default: false },
    ],
    state: [
      { name: "exp_avg", init: 0 },
      { name: "exp_inf", init: 0 },
    ],
  },
  adadelta: {
    hyper: [
      { name: "lr", default: 1, interval: "[0, inf)" },
      { name: "weight_decay", default: 0, interval: "[0, inf)" },
      { name: "rho", default: 0.9, interval: "[0, 1]" },
      { name: "eps", default: 0.000001, interval: "[0, inf)" },
      { name: "maximize", default: false },
    ],
    state: [
      { name: "square_avg", init: 0 },
      { name: "acc_delta", init: 0 },
    ],
  },
  asgd: {
    hyper: [
      { name: "lr", default: 0.01, interval: "[0, inf)" },
      { name: "weight_decay", default: 0, interval: "[0, inf)" },
      { name: "lambd", default: 0.0001, interval: "[0, inf)" },
      { name: "alpha", default: 0.75, interval: "[0, inf)" },
      { name: "t0", default: 1000000, interval: "[0, inf)" },
      { name: "maximize", default: false },
    ],
    state: [{ name: "ax", init: 0 }],
  },
  rprop: {
    hyper: [
      { name: "lr", default: 0.01, interval: "[0, inf)" },
      { name: "eta_minus", default: 0.5, interval: "(0, 1)" },
      { name: "eta_plus", default: 1.2, interval: "(1, inf)" },
      { name: "min_step", default: 0.000001, interval: "[0, inf)" },
      { name: "max_step", default: 50, interval: "(0, inf)" },
      { name: "maximize", default: false },
    ],
    state: [
      { name: "prev", init: 0 },
      { name: "step_size", init: "lr" },
    ],
  },
  lion: {
    hyper: [
      { name: "lr", default: 0.0001, interval: "[0, inf)" },
      { name: "weight_decay", default: 0, interval: "[0, inf)" },
      { name: "beta1", default: 0.9, interval: "[0, 1)" },
      { name: "beta2", default: 0.99, interval: "[0, 1)" },
      { name: "maximize", default: false },
    ],
    state: [{ name: "exp_avg", init: 0 }],
  },
  ademamix: {
    hyper: [
      { name: "lr", default: 0.001, interval: "[0, inf)" },
      { name: "weight_decay", default: 0, interval: "[0, inf)" },
      { name: "beta1", default: 0.9, interval: "[0, 1)" },
      { name: "beta2", default: 0.999, interval: "[0, 1)" },
      { name: "beta3", default: 0.9999, interval: "[0, 1)" },
      { name: "alpha", default: 5, interval: "[0, inf)" },
      { name: "eps", default: 1e-8, interval: "[0, inf)" },
      { name: "maximize", default: false },
    ],
    state: [
      { name: "exp_avg", init: 0 },
      { name: "exp_avg_slow", init: 0 },
      { name: "exp_avg_sq", init: 0 },
    ],
  },
} as const satisfies Record<string, { hyper: readonly Hyper[]; state: readonly Slot[] }>;

/** The name of an update rule. */
export type RuleName = keyof typeof rules;
