// A simulated or measured schedule for people: as text, a column a unit of time, and as a drawing.
import { nameOf, type PipelineSimulation, type TimedAction } from "./simulate.js";

/** A timeline to be shown. */
export interface Timeline {
  /** Of every rank. */
  readonly timeline: readonly (readonly TimedAction[])[];
  readonly seconds: number;
  readonly chunks: number;
}

/** What a schedule does, and what it comes to: one line a rank, then bubble and peak. */
export function printPipeline(simulation: PipelineSimulation, unit = "units"): string {
  const { schedule, timeline, seconds, bubble, peakBytes, peakMicroBatches } = simulation;
  const { name, ranks, chunks, microBatches } = schedule;
  const names = timeline.map((actions) => actions.map((action) => nameOf(action, chunks)));
  const width = Math.max(...names.flat().map(({ length }) => length), 1);
  // A column for every time at which some work begins or ends.
  const times = [...new Set(timeline.flat().flatMap(({ start, end }) => [start, end]))].sort((a, b) => a - b);
  const column = new Map(times.map((time, i) => [time, i]));
  const isEven = times.length <= 400;
  const lines = timeline.map((actions, rank) => {
    if (!isEven) return `rank ${rank}  ${names[rank]!.join(" ")}`;
    const cells = Array.from({ length: times.length - 1 }, () => "·".padEnd(width));
    actions.forEach(({ start, end }, i) => {
      for (let at = column.get(start)!; at < column.get(end)!; at++) cells[at] = "-".padEnd(width, "-");
      cells[column.get(start)!] = names[rank]![i]!.padEnd(width, end === times[column.get(start)! + 1] ? " " : "-");
    });
    return `rank ${String(rank).padEnd(String(ranks - 1).length)}  ${cells.join(" ").trimEnd()}`;
  });
  const stages = chunks > 1 ? `${ranks} ranks with ${chunks} stages each` : `${ranks} stages`;
  const held = peakMicroBatches.map((count, rank) => `${count} (${bytes(peakBytes[rank]!)})`);
  return [
    `${name}: ${stages}, ${microBatches} micro-batches, a step of ${round(seconds)} ${unit}, bubble ${(bubble * 100).toFixed(1)} %`,
    ...lines,
    `kept at most by rank: ${held.join(", ")}`,
  ].join("\n");
}

const round = (value: number): string => String(Number(value.toPrecision(4)));

/** "1.5 MiB". */
export function bytes(count: number): string {
  for (const [unit, size] of [
    ["GiB", 2 ** 30],
    ["MiB", 2 ** 20],
    ["KiB", 2 ** 10],
  ] as const) {
    if (count >= size) return `${(count / size).toFixed(1)} ${unit}`;
  }
  return `${count} B`;
}

const colors = { F: "#4e79a7", B: "#59a14f", I: "#8cd17d", W: "#b6992d" } as const;

/** The same as a drawing (SVG): a row a rank, time to the right; forward blue, backward green, its half by weights brown. */
export function drawPipeline({ timeline, seconds, chunks }: Timeline, title: string): string {
  const [left, top, row, width] = [56, 28, 22, 860];
  const scale = seconds > 0 ? width / seconds : 0;
  const shapes = timeline.flatMap((actions, rank) => {
    const y = top + rank * row;
    return [
      `<text x="${left - 6}" y="${y + 15}" text-anchor="end">rank ${rank}</text>`,
      `<rect x="${left}" y="${y + 1}" width="${width}" height="${row - 2}" fill="#f2f2f2"/>`,
      ...actions.map((action) => {
        const [x, w] = [left + action.start * scale, (action.end - action.start) * scale];
        const box = `<rect x="${x.toFixed(1)}" y="${y + 1}" width="${Math.max(0.5, w - 0.6).toFixed(1)}" height="${row - 2}" fill="${colors[action.pass]}" fill-opacity="${1 - (0.45 * action.chunk) / Math.max(1, chunks)}"/>`;
        const label = `<text x="${(x + w / 2).toFixed(1)}" y="${y + 15}" text-anchor="middle" fill="#fff">${action.microBatch}</text>`;
        return w > 11 ? box + label : box;
      }),
    ];
  });
  const height = top + timeline.length * row + 6;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${left + width + 8} ${height}" font-family="sans-serif" font-size="11">
<text x="${left}" y="16" font-size="13">${title.replaceAll("&", "&amp;").replaceAll("<", "&lt;")}</text>
${shapes.join("\n")}
</svg>
`;
}
