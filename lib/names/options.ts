// What options are called elsewhere: in Keras, PyTorch, scikit-learn, TensorFlow.js and brain.js. Spelling aside (`kernel_size` is
// `kernelSize`), each row is a name that newcomers bring along, with the names it may have here; the first that the function at
// hand knows is the one that was meant.

/** `kernel_size`, `kernelSize` and `KERNEL-SIZE` as one. */
const plain = (name: string): string => name.toLowerCase().replace(/[^a-z0-9]/g, "");

const elsewhere: Readonly<Record<string, readonly string[]>> = {
  // layers
  kernelsize: ["kernel"],
  filtersize: ["kernel"],
  poolsize: ["kernel"],
  size: ["kernel"],
  dilationrate: ["dilation"],
  usebias: ["bias"],
  kernelinitializer: ["init"],
  weightinit: ["init"],
  weights: ["init"],
  embeddingsinitializer: ["init"],
  epsilon: ["eps"],
  numheads: ["heads"],
  nhead: ["heads"],
  nheads: ["heads"],
  iscausal: ["causal"],
  dimfeedforward: ["hidden"],
  // optimizers and schedules
  learningrate: ["lr", "peak", "initial"],
  lr: ["peak", "initial"],
  lambda: ["weightDecay"],
  l2: ["weightDecay"],
  decay: ["weightDecay"],
  rho: ["alpha"],
  maxgradnorm: ["clipNorm"],
  globalclipnorm: ["clipNorm"],
  gradientclipval: ["clipNorm"],
  gradclip: ["clipNorm"],
  maxlr: ["peak"],
  initial: ["peak"],
  initiallearningrate: ["initial", "peak"],
  baselr: ["initial", "peak"],
  etamin: ["final"],
  minlr: ["final"],
  endlearningrate: ["final"],
  gamma: ["factor"],
  decayrate: ["factor"],
  stepsize: ["every"],
  decaysteps: ["every", "steps"],
  tmax: ["steps"],
  totalsteps: ["steps"],
  totaliters: ["steps"],
  warmupsteps: ["warmup"],
  warmupratio: ["warmup"],
  // training
  iterations: ["epochs"],
  nepochs: ["epochs"],
  numepochs: ["epochs"],
  nepoch: ["epochs"],
  maxepochs: ["epochs"],
  maxsteps: ["steps"],
  validationdata: ["validate", "on"],
  valdata: ["validate", "on"],
  validation: ["validate"],
  validationset: ["validate", "on"],
  data: ["on"],
  dataset: ["on"],
  verbose: ["progress"],
  log: ["progress"],
  randomstate: ["seed"],
  randomseed: ["seed"],
  droplastbatch: ["dropLast"],
  criterion: ["loss"],
  lossfn: ["loss"],
  lossfunction: ["loss"],
  metric: ["monitor", "metrics"],
  restorebestweights: ["restoreBest"],
  startfromepoch: ["startFrom"],
  tolerance: ["minDelta"],
  onepochend: ["onEpoch"],
  onbatchend: ["onStep"],
  onstepend: ["onStep"],
  ontrainend: ["onEnd"],
  onvalidationend: ["onValidate"],
  // losses
  smoothing: ["labelSmoothing"],
  ignorelabel: ["ignoreIndex"],
  ignoreclass: ["ignoreIndex"],
  // data
  testsize: ["validation"],
  validationsplit: ["validation"],
  test: ["validation"],
  target: ["label"],
  labelcolumn: ["label"],
  y: ["label"],
  sep: ["delimiter"],
  separator: ["delimiter"],
  categorical: ["oneHot"],
  usecols: ["drop"],
  dropcolumns: ["drop"],
  // compression
  sparsity: ["amount"],
  ratio: ["amount"],
  blocksize: ["group"],
  groupsize: ["group"],
  granularity: ["per"],
  t: ["temperature"],
  tau: ["temperature"],
};

/** The name here of an option that `name` stands for elsewhere, among those that are known. */
export function nameElsewhere(name: string, known: readonly string[]): string | undefined {
  const key = plain(name);
  return Object.hasOwn(elsewhere, key) ? elsewhere[key]!.find((candidate) => known.includes(candidate)) : undefined;
}

// What is done here by other means than an option; the words that follow "unknown option …; ".
const otherwise: readonly (readonly [names: readonly string[], where: RegExp, way: string])[] = [
  [
    ["activation"],
    /^(?:linear|conv2d|embedding|batchNorm|layerNorm)$/,
    "put the activation behind the layer: nn.sequential(layer, nn.relu())",
  ],
  [
    ["validationsplit"],
    /^train\.fit$/,
    "cut the data before: const parts = set.split({ validation: 0.2 }), then fit parts.train with validate: { on: parts.validation }",
  ],
  [
    ["metrics"],
    /^train\.fit$/,
    "metrics are measured on validation data: validate: { on: set, metrics: { accuracy: metrics.accuracy() } }",
  ],
  [
    ["patience", "monitor", "mindelta", "restorebest", "restorebestweights"],
    /^train\.fit$/,
    'write earlyStopping: { monitor: "val.loss", patience: 3 }',
  ],
  [["lr", "learningrate"], /^train\.(?:fit|step)$/, "it belongs to the optimizer: optim.adamW({ lr: 1e-3 })"],
  [["x", "y"], /^train\.fit: validate$/, "the data goes under `on`: validate: { on: { x, y } }"],
  [["device", "cuda", "gpu"], /./, "everything runs on the processor, there is no device to choose"],
  [["dtype", "devicetype"], /^(?:linear|conv2d|embedding|batchNorm|layerNorm)$/, "layers are f32"],
  [
    ["inputshape", "inputdim", "inputsize"],
    /^(?:linear|conv2d|train\.fit)$/,
    "sizes are arguments: nn.linear(784, 10)",
  ],
];

/** What to write instead of an option that has no counterpart. */
export function wayInstead(where: string, name: string): string | undefined {
  const key = plain(name);
  return otherwise.find(([names, place]) => names.includes(key) && place.test(where))?.[2];
}
