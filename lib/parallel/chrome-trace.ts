// When ranks did what, as a file that chrome://tracing and https://ui.perfetto.dev read (the Trace Event Format, complete events).
import { requireListOf } from "../guidance/arguments.js";
import { nameOf, type TimedAction } from "../pipeline/index.js";

const kinds = { F: "forward", B: "backward", I: "backward by inputs", W: "backward by weights" } as const;

/**
 * The text of a trace of a step of pipelines: a row a rank, a bar a pass.
 *
 * @param timelines of every rank, as `parallel.simulate` gives them or `onTimeline` tells each rank of its own; seconds.
 * @example
 * const { timeline } = parallel.simulate(parallel.pipelineSchedule("1f1b", { stages: 2, microBatches: 4 }));
 * const text = parallel.chromeTrace(timeline); // write it to a file and open that in Perfetto
 */
export function chromeTrace(timelines: readonly (readonly TimedAction[])[]): string {
  requireListOf("parallel.chromeTrace", timelines, "a list with the timed actions of every rank");
  timelines.forEach((actions) =>
    requireListOf("parallel.chromeTrace", actions, "a list of timed actions for every rank"),
  );
  const chunks = Math.max(1, ...timelines.flat().map(({ chunk }) => chunk + 1));
  const events = timelines.flatMap((actions, rank) => [
    { name: "thread_name", ph: "M", pid: 0, tid: rank, args: { name: `rank ${rank}` } },
    ...actions.map((action) => ({
      name: nameOf(action, chunks),
      cat: kinds[action.pass],
      ph: "X",
      pid: 0,
      tid: rank,
      ts: action.start * 1e6,
      dur: (action.end - action.start) * 1e6,
      args: { microBatch: action.microBatch, chunk: action.chunk },
    })),
  ]);
  return JSON.stringify({ displayTimeUnit: "ms", traceEvents: events });
}
