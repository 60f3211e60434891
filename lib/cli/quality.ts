// What a model is worth on the test part: accuracy for classes, R² for numbers, beside what knowing nothing would reach. Commands
// that change a model compare it before and after, and say so loudly when it lost more than --max-drop.
import type { Command } from "commander";
import type { LoadedModel } from "../artifact/index.js";
import type { Dataset } from "../data/index.js";
import { ArgumentError, ShapeError } from "../errors.js";
import { percent } from "../report/number-text.js";
import { wilson } from "../report/spread.js";
import { number } from "../train/run/format.js";
import type { NdArray } from "../tensor/nd-array.js";
import { markCollapsed, warn } from "./output.js";
import { realNumber } from "./options.js";

/** What a model is worth. */
export type Quality = Classes | Numbers;

interface Classes {
  readonly task: "classification";
  readonly accuracy: number;
  /** Accuracy of always answering the most frequent class. */
  readonly baseline: number;
  readonly samples: number;
}

interface Numbers {
  readonly task: "regression";
  /** 1 − squared error / variance: 1 is perfect, 0 what answering the mean reaches. */
  readonly r2: number;
  readonly rmse: number;
  readonly mae: number;
  readonly samples: number;
}

/** Measures a model on a data set. @throws ShapeError if they do not fit; AbortedError */
export async function qualityOf(where: string, model: LoadedModel, test: Dataset, signal: AbortSignal, batch = 256): Promise<Quality> {
  if (test.length === 0) throw new ArgumentError(`${where}: the test part of the data set is empty`);
  const tally = test.y.dtype === "f32" || test.y.dtype === "f64" ? new NumberTally() : new ClassTally();
  for (let start = 0; start < test.length; start += batch) {
    const { x, y } = test.slice(start, start + batch);
    tally.add(where, await model.predict(x, { signal }), y);
  }
  return tally.result();
} // prettier-ignore

class ClassTally {
  private readonly counts = new Map<number, number>();
  private right = 0;
  private samples = 0;

  add(where: string, scores: NdArray, labels: NdArray): void {
    const [rows, columns = 1] = scores.shape as [number, number?];
    if (scores.shape.length > 2 || rows !== labels.size) {
      throw new ShapeError(`${where}: expected one row of scores for each label, got [${scores.shape.join(", ")}] for labels [${labels.shape.join(", ")}]`); // prettier-ignore
    }
    for (let row = 0; row < rows; row++) {
      const label = labels.data[row]!;
      if (label >= Math.max(2, columns)) {
        throw new ArgumentError(`${where}: the data has a class ${label}, the model gives scores for ${columns}; is it the model of this data?`); // prettier-ignore
      }
      const answer = columns === 1 ? Number(scores.data[row]! > 0) : largest(scores.data, row * columns, columns);
      if (answer === label) this.right++;
      this.counts.set(label, (this.counts.get(label) ?? 0) + 1);
    }
    this.samples += rows;
  }

  result(): Quality {
    const { samples } = this;
    const baseline = Math.max(...this.counts.values()) / samples;
    return { task: "classification", accuracy: this.right / samples, baseline, samples };
  }
}

class NumberTally {
  private samples = 0;
  private squares = 0;
  private absolute = 0;
  private mean = 0;
  private spread = 0; // Σ (y − mean)², by Welford

  add(where: string, given: NdArray, y: NdArray): void {
    if (given.size !== y.size) {
      throw new ShapeError(`${where}: expected a number for each label, got [${given.shape.join(", ")}] for labels [${y.shape.join(", ")}]; are the labels classes? say --target class`); // prettier-ignore
    }
    for (let i = 0; i < y.size; i++) {
      const [value, error] = [y.data[i]!, given.data[i]! - y.data[i]!];
      this.squares += error * error;
      this.absolute += Math.abs(error);
      this.samples++;
      const from = value - this.mean;
      this.mean += from / this.samples;
      this.spread += from * (value - this.mean);
    }
  }

  result(): Quality {
    const { samples, squares, absolute, spread } = this;
    const r2 = spread > 0 ? 1 - squares / spread : squares === 0 ? 1 : 0;
    return { task: "regression", r2, rmse: Math.sqrt(squares / samples), mae: absolute / samples, samples };
  }
}

function largest(scores: ArrayLike<number>, start: number, columns: number): number {
  let best = 0;
  for (let i = 1; i < columns; i++) if (scores[start + i]! > scores[start + best]!) best = i;
  return best;
}

/** `96.40 % right (± 1.2 %; always the most frequent class: 50.00 %)`. */
export function describeQuality(quality: Quality): string {
  if (quality.task === "regression") {
    return `R² ${number(quality.r2)}, off by ${number(quality.rmse)} (root mean square), ${number(quality.mae)} (mean)`;
  }
  const [low, high] = wilson(quality.accuracy, quality.samples);
  return `${percent(quality.accuracy)} right (± ${percent((high - low) / 2)}; always the most frequent class: ${percent(quality.baseline)})`;
}

/** The figure that is compared, in short. */
export function shortQuality(quality: Quality): string {
  return quality.task === "regression" ? `R² ${number(quality.r2)}` : percent(quality.accuracy);
}

/** What is saved with the model. */
export function metricsOf(quality: Quality): Record<string, number> {
  if (quality.task === "classification") return { accuracy: quality.accuracy };
  return { r2: quality.r2, rmse: quality.rmse, mae: quality.mae };
}

/** Adds the option that {@link compared} reads. */
export function withMaxDrop(command: Command): Command {
  return command.option("--max-drop <points>", "points of accuracy, or hundredths of R², that may be lost; beyond: a warning and exit status 3", realNumber, 5); // prettier-ignore
}

/** What came of a change. */
export interface Comparison {
  readonly before: Quality;
  readonly after: Quality;
  readonly collapsed: boolean;
}

/** Compares a model before and after; warns, and sets the exit status, where too much was lost. */
export function compared(name: string, before: Quality, after: Quality, maxDrop: number, way: string): Comparison {
  const worth = (quality: Quality) => (quality.task === "regression" ? quality.r2 : quality.accuracy);
  const lost = 100 * (worth(before) - worth(after));
  const collapsed = !(lost <= maxDrop);
  if (collapsed) {
    warn(`${name} went from ${shortQuality(before)} to ${shortQuality(after)} on the test part, more than --max-drop ${maxDrop}. It was saved all the same. ${way}`); // prettier-ignore
    markCollapsed();
  }
  return { before, after, collapsed };
}
