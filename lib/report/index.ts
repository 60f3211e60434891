// Reports of runs: plain data in, one self-contained HTML page or a table for the terminal out.

export { textTable } from "./figures.js";
export { render, write } from "./page.js";
export { plotSchedule } from "./schedule-plot.js";
export {
  histogram,
  type EpochPoint,
  type Histogram,
  type LayerWeights,
  type Mistake,
  type ModelReport,
  type ModelSummary,
  type RunReport,
  type StepPoint,
} from "./run-report.js";
