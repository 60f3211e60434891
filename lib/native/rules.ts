// Written by `npm run generate` from native/update_rules/rules.def. Do not edit.

// Long because it is one table.

/** A hyper-parameter: a number within `interval`, or a flag. */
export type Hyper =
  | { readonly name: string; readonly default: number; readonly interval: string }
  | { readonly name: string; readonly default: boolean };

/**
 * A state of a parameter [.., R, C]; it starts from 0 or from the hyper-parameter named by `init`. Its shape is the same, that of a
 * value for every row [.., R, 1], for every column [.., 1, C], or that of three numbers of the run.
 */
export type Slot = {
  readonly name: string;
  readonly init: 0 | string;
  readonly form: "same" | "rows" | "columns" | "numbers";
};

/** Where ranks may cut parameters and states: anywhere, between tensors, or nowhere. */
export type Shardable = "elementwise" | "tensor" | "whole";

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
    state: [{ name: "momentum_buffer", init: 0, form: "same" }],
    shardable: "elementwise",
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
      { name: "exp_avg", init: 0, form: "same" },
      { name: "exp_avg_sq", init: 0, form: "same" },
      { name: "max_exp_avg_sq", init: 0, form: "same" },
    ],
    shardable: "elementwise",
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
      { name: "exp_avg", init: 0, form: "same" },
      { name: "exp_avg_sq", init: 0, form: "same" },
      { name: "max_exp_avg_sq", init: 0, form: "same" },
    ],
    shardable: "elementwise",
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
      { name: "square_avg", init: 0, form: "same" },
      { name: "grad_avg", init: 0, form: "same" },
      { name: "momentum_buffer", init: 0, form: "same" },
    ],
    shardable: "elementwise",
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
    state: [{ name: "sum", init: "initial_accumulator", form: "same" }],
    shardable: "elementwise",
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
      { name: "exp_avg", init: 0, form: "same" },
      { name: "exp_avg_sq", init: 0, form: "same" },
    ],
    shardable: "elementwise",
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
      { name: "exp_avg", init: 0, form: "same" },
      { name: "exp_avg_sq", init: 0, form: "same" },
    ],
    shardable: "elementwise",
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
      { name: "exp_avg", init: 0, form: "same" },
      { name: "exp_inf", init: 0, form: "same" },
    ],
    shardable: "elementwise",
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
      { name: "square_avg", init: 0, form: "same" },
      { name: "acc_delta", init: 0, form: "same" },
    ],
    shardable: "elementwise",
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
    state: [{ name: "ax", init: 0, form: "same" }],
    shardable: "elementwise",
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
      { name: "prev", init: 0, form: "same" },
      { name: "step_size", init: "lr", form: "same" },
    ],
    shardable: "elementwise",
  },
  lion: {
    hyper: [
      { name: "lr", default: 0.0001, interval: "[0, inf)" },
      { name: "weight_decay", default: 0, interval: "[0, inf)" },
      { name: "beta1", default: 0.9, interval: "[0, 1)" },
      { name: "beta2", default: 0.99, interval: "[0, 1)" },
      { name: "maximize", default: false },
    ],
    state: [{ name: "exp_avg", init: 0, form: "same" }],
    shardable: "elementwise",
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
      { name: "exp_avg", init: 0, form: "same" },
      { name: "exp_avg_slow", init: 0, form: "same" },
      { name: "exp_avg_sq", init: 0, form: "same" },
    ],
    shardable: "elementwise",
  },
  lamb: {
    hyper: [
      { name: "lr", default: 0.001, interval: "[0, inf)" },
      { name: "weight_decay", default: 0.01, interval: "[0, inf)" },
      { name: "beta1", default: 0.9, interval: "[0, 1)" },
      { name: "beta2", default: 0.999, interval: "[0, 1)" },
      { name: "eps", default: 0.000001, interval: "[0, inf)" },
      { name: "adaptive", default: true },
      { name: "maximize", default: false },
    ],
    state: [
      { name: "exp_avg", init: 0, form: "same" },
      { name: "exp_avg_sq", init: 0, form: "same" },
    ],
    shardable: "tensor",
  },
  lars: {
    hyper: [
      { name: "lr", default: 1, interval: "[0, inf)" },
      { name: "weight_decay", default: 0, interval: "[0, inf)" },
      { name: "momentum", default: 0, interval: "[0, inf)" },
      { name: "dampening", default: 0, interval: "(-inf, inf)" },
      { name: "trust", default: 0.001, interval: "(0, inf)" },
      { name: "eps", default: 1e-8, interval: "[0, inf)" },
      { name: "nesterov", default: false },
      { name: "adaptive", default: true },
      { name: "maximize", default: false },
    ],
    state: [{ name: "momentum_buffer", init: 0, form: "same" }],
    shardable: "tensor",
  },
  adafactor: {
    hyper: [
      { name: "lr", default: 0.01, interval: "[0, inf)" },
      { name: "weight_decay", default: 0, interval: "[0, inf)" },
      { name: "beta2_decay", default: -0.8, interval: "(-inf, 0]" },
      { name: "eps1", default: 1.1920928955078125e-7, interval: "[0, inf)" },
      { name: "eps2", default: 0.001, interval: "[0, inf)" },
      { name: "d", default: 1, interval: "[1, inf)" },
      { name: "maximize", default: false },
    ],
    state: [
      { name: "row_var", init: 0, form: "rows" },
      { name: "col_var", init: 0, form: "columns" },
      { name: "variance", init: 0, form: "same" },
    ],
    shardable: "tensor",
  },
  muon: {
    hyper: [
      { name: "lr", default: 0.001, interval: "[0, inf)" },
      { name: "weight_decay", default: 0.1, interval: "[0, inf)" },
      { name: "momentum", default: 0.95, interval: "[0, 1)" },
      { name: "ns_steps", default: 5, interval: "[0, 99]" },
      { name: "ns_a", default: 3.4445, interval: "(-inf, inf)" },
      { name: "ns_b", default: -4.775, interval: "(-inf, inf)" },
      { name: "ns_c", default: 2.0315, interval: "(-inf, inf)" },
      { name: "ns_eps", default: 1e-7, interval: "[0, inf)" },
      { name: "nesterov", default: true },
      { name: "match_rms", default: false },
      { name: "adam_w", default: false },
      { name: "adam_lr", default: 0.0003, interval: "[0, inf)" },
      { name: "adam_weight_decay", default: 0, interval: "[0, inf)" },
      { name: "beta1", default: 0.9, interval: "[0, 1)" },
      { name: "beta2", default: 0.95, interval: "[0, 1)" },
      { name: "eps", default: 1e-10, interval: "[0, inf)" },
      { name: "maximize", default: false },
    ],
    state: [
      { name: "momentum_buffer", init: 0, form: "same" },
      { name: "exp_avg", init: 0, form: "same" },
      { name: "exp_avg_sq", init: 0, form: "same" },
    ],
    shardable: "tensor",
  },
  prodigy: {
    hyper: [
      { name: "lr", default: 1, interval: "[0, inf)" },
      { name: "weight_decay", default: 0, interval: "[0, inf)" },
      { name: "beta1", default: 0.9, interval: "[0, 1)" },
      { name: "beta2", default: 0.999, interval: "[0, 1)" },
      { name: "beta3", default: 0, interval: "[0, 1)" },
      { name: "eps", default: 1e-8, interval: "(0, inf)" },
      { name: "d0", default: 0.000001, interval: "(0, inf)" },
      { name: "d_coef", default: 1, interval: "(0, inf)" },
      { name: "growth_rate", default: 1e30, interval: "(1, inf)" },
      { name: "bias_correction", default: false },
      { name: "safeguard_warmup", default: false },
      { name: "decouple", default: true },
      { name: "maximize", default: false },
    ],
    state: [
      { name: "exp_avg", init: 0, form: "same" },
      { name: "exp_avg_sq", init: 0, form: "same" },
      { name: "s", init: 0, form: "same" },
      { name: "p0", init: 0, form: "same" },
      { name: "estimate", init: 0, form: "numbers" },
    ],
    shardable: "whole",
  },
  schedule_free_sgd: {
    hyper: [
      { name: "lr", default: 1, interval: "[0, inf)" },
      { name: "weight_decay", default: 0, interval: "[0, inf)" },
      { name: "momentum", default: 0.9, interval: "(0, 1)" },
      { name: "warmup_steps", default: 0, interval: "[0, inf)" },
      { name: "maximize", default: false },
    ],
    state: [{ name: "z", init: 0, form: "same" }],
    shardable: "elementwise",
  },
  schedule_free_adamw: {
    hyper: [
      { name: "lr", default: 0.0025, interval: "[0, inf)" },
      { name: "weight_decay", default: 0, interval: "[0, inf)" },
      { name: "beta1", default: 0.9, interval: "(0, 1)" },
      { name: "beta2", default: 0.999, interval: "[0, 1)" },
      { name: "eps", default: 1e-8, interval: "[0, inf)" },
      { name: "warmup_steps", default: 0, interval: "[0, inf)" },
      { name: "maximize", default: false },
    ],
    state: [
      { name: "z", init: 0, form: "same" },
      { name: "exp_avg_sq", init: 0, form: "same" },
    ],
    shardable: "elementwise",
  },
} as const satisfies Record<string, { hyper: readonly Hyper[]; state: readonly Slot[]; shardable: Shardable }>;

/** The name of an update rule. */
export type RuleName = keyof typeof rules;
