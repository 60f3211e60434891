// Latency and bandwidth between ranks 0 and 1, by messages there and back.
import { addon, call } from "../native/index.js";
import { joinedWorld, throughRanks } from "../train/ranks/ranks.js";

/** What messages cost. */
export interface Link {
  readonly latency: number;
  readonly bandwidth: number;
}

/** Of a network that nothing is known of: ranks of one host. */
export const usualLink: Link = { latency: 10e-6, bandwidth: 4e9 };

/** Measures what is not given, where several ranks have been joined; all of them call it. @throws CommunicationError */
export async function measureLink(given: {
  readonly [key in keyof Link]?: number | undefined;
}): Promise<Link> {
  const { latency, bandwidth } = given;
  if (latency !== undefined && bandwidth !== undefined) return { latency, bandwidth };
  if ((joinedWorld()?.size ?? 1) < 2) return { latency: latency ?? usualLink.latency, bandwidth: bandwidth ?? usualLink.bandwidth }; // prettier-ignore
  const small = await bestRound(256, 20);
  const large = await bestRound(4 * 2 ** 20, 5);
  return {
    latency: latency ?? small / 2,
    bandwidth: bandwidth ?? (2 * 16 * 2 ** 20) / Math.max(1e-9, large - small),
  };
}

// Seconds of so many numbers there and back, the best of several times.
async function bestRound(elements: number, times: number): Promise<number> {
  const variable = call(() => new addon.Variable("f32", [elements], "a message"));
  let best = Infinity;
  for (let i = 0; i < times; i++) {
    const begun = performance.now();
    await throughRanks("parallel.plan", () => addon.moveVariables([variable], 0, 1));
    await throughRanks("parallel.plan", () => addon.moveVariables([variable], 1, 0));
    best = Math.min(best, (performance.now() - begun) / 1e3);
  }
  variable.dispose();
  return best;
}
