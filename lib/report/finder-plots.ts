// What the finders of training have found, each as a picture of its own: losses over learning rates, memory and speed over batch sizes.
import { requireFields } from "../guidance/arguments.js";
import type { FoundBatchSize, FoundLearningRate } from "../train/index.js";
import { openCanvas } from "./canvas.js";
import type { Html } from "./html.js";

// A picture outside a report has no page to take colours from.
const colors = "--line: #ddd8cc; --soft: #6e6a61; --c0: #c4511d; --c1: #2f6f8f; --card: #fff; color: #6e6a61";
const size = { width: 520, height: 300, marginLeft: 56, marginRight: 56, marginTop: 16, marginBottom: 40 };

/**
 * An SVG of a learning-rate test: the averaged loss over the rate, and the rate that is suggested.
 *
 * @example
 * const found = await train.findLearningRate(nn.sequential(nn.flatten(), nn.linear(784, 10)), set.train, {
 *   loss: loss.crossEntropy(), optimizer: (lr) => optim.adam({ lr }), steps: 30,
 * });
 * await writeFile("rate.svg", await report.plotLearningRate(found));
 */
export async function plotLearningRate(found: FoundLearningRate): Promise<string> {
  requireFields(
    "report.plotLearningRate",
    found,
    ["rates", "losses"],
    "what train.findLearningRate gives; await it first",
  );
  const { rates, losses, suggestion } = found;
  const canvas = await openCanvas();
  const { Plot } = canvas;
  const points = rates.map((rate, i) => ({ rate, loss: losses[i]! }));
  // The end of the test, where the loss leaves the picture, would flatten the valley.
  const start = losses[0]!;
  const least = Math.min(...losses);
  const top = Math.max(start, ...losses.slice(0, 10)) + 0.3 * (start - least);
  const text = canvas.draw(
    {
      ...size,
      x: { type: "log", label: "learning rate", labelArrow: "none", tickFormat: (value: number) => value.toExponential(0) },
      y: { label: "loss", labelArrow: "none", domain: [least - 0.05 * (top - least), top], clamp: true },
      marks: [
        Plot.gridY({ stroke: "var(--line)", strokeOpacity: 1 }),
        Plot.lineY(points, { x: "rate", y: "loss", stroke: "var(--c0)", strokeWidth: 1.8 }),
        Plot.ruleX([suggestion], { stroke: "var(--c1)", strokeDasharray: "3 3" }),
        Plot.text([suggestion], { x: (x: number) => x, text: [suggestion.toPrecision(2)], frameAnchor: "top", dx: 4, textAnchor: "start", fill: "var(--c1)" }),
      ],
    },
    `loss over the learning rate; suggested: ${suggestion.toPrecision(2)}`,
  ); // prettier-ignore
  return standalone(text);
}

/**
 * An SVG of a search for the batch size: samples a second (or, where nothing was timed, mebibytes of a step) over the batch size.
 *
 * @example
 * const found = await train.findBatchSize(nn.sequential(nn.flatten(), nn.linear(784, 10)), set.train, {
 *   loss: loss.crossEntropy(), optimizer: optim.adam({ lr: 1e-3 }), memory: "64 MiB", steps: 1,
 * });
 * await writeFile("batch.svg", await report.plotBatchSize(found));
 */
export async function plotBatchSize(found: FoundBatchSize): Promise<string> {
  requireFields("report.plotBatchSize", found, ["tried"], "what train.findBatchSize gives; await it first");
  const { tried, largest, suggestion } = found;
  const canvas = await openCanvas();
  const { Plot } = canvas;
  const timed = tried.filter(({ samplesPerSecond }) => samplesPerSecond !== undefined);
  const isTimed = timed.length > 1;
  const points = (isTimed ? timed : tried).map(({ batchSize, bytes, samplesPerSecond }) => ({
    batchSize,
    value: isTimed ? samplesPerSecond! : bytes / 2 ** 20,
    mebibytes: bytes / 2 ** 20,
  }));
  const text = canvas.draw(
    {
      ...size,
      x: { type: "log", base: 2, label: "batch size", labelArrow: "none", tickFormat: (value: number) => String(Math.round(value)) },
      y: { label: isTimed ? "samples a second" : "MiB of a step", labelArrow: "none", zero: true },
      marks: [
        Plot.gridY({ stroke: "var(--line)", strokeOpacity: 1 }),
        Plot.lineY(points, { x: "batchSize", y: "value", stroke: "var(--c0)", strokeWidth: 1.8 }),
        Plot.dot(points, { x: "batchSize", y: "value", r: 3, fill: "var(--card)", stroke: "var(--c0)" }),
        Plot.text(points, { x: "batchSize", y: "value", dy: -10, text: ({ mebibytes }: { mebibytes: number }) => `${mebibytes.toPrecision(2)} MiB` }),
        Plot.ruleX([suggestion], { stroke: "var(--c1)", strokeDasharray: "3 3" }),
      ],
    },
    `batch sizes up to ${largest}, the largest that fits; suggested: ${suggestion}`,
  ); // prettier-ignore
  return standalone(text);
}

const standalone = ({ text }: Html): string =>
  text
    .replace(/(<svg\b[^>]*?style=")font-family:inherit;/, `$1${colors};font-family:system-ui, sans-serif;`)
    .replace(/<svg (?![^>]*xmlns=)/, '<svg xmlns="http://www.w3.org/2000/svg" ');
