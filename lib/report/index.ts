// Reports of runs: plain data in, one self-contained HTML page or a table for the terminal out.

export { textTable } from "./columns.js";
export { describeData } from "./number-text.js";
export { fromRun } from "./from-run.js";
export { render, write } from "./page.js";
export { plotBatchSize, plotLearningRate } from "./finder-plots.js";
export { plotSchedule } from "./schedule-plot.js";
export {
  histogram,
  type EpochPoint,
  type Histogram,
  type LayerWeights,
  type Mistake,
  type ModelReport,
  type ModelSummary,
  type ReportedData,
  type RunReport,
  type StepPoint,
} from "./run-report.js";
export { compareSpeed, type Contender, type Speed, type SpeedOptions } from "./speed.js";
export { renderStudy, writeStudy, type StudyPageOptions } from "./study-page.js";
export { type Spread } from "./spread.js";
