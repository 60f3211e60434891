// The line search of L-BFGS: a point along a direction that meets the strong Wolfe conditions, by cubic interpolation, first outwards and
// then within a bracket (Nocedal and Wright, algorithms 3.5 and 3.6). Step for step that of torch.optim.LBFGS of PyTorch 2.13,
// but that a point where the function is not finite counts as one that is too far.

/** The function at a point of the line. */
export interface LinePoint {
  /** How far along the direction. */
  readonly at: number;
  readonly value: number;
  /** The derivative along the direction. */
  readonly slope: number;
  readonly gradient: Float64Array;
}

/** What {@link searchLine} is asked for. */
export interface LineSearch {
  /** Where the line begins, at 0. */
  readonly start: LinePoint;
  /** Where to look first. */
  readonly first: number;
  /** The largest element of the direction: a bracket whose ends are closer than `least` along it is not divided any more. */
  readonly reach: number;
  readonly least: number;
  /** Evaluations after the first. */
  readonly most: number;
  readonly evaluate: (at: number) => Promise<LinePoint>;
}

const sufficient = 1e-4; // of the decrease that the first slope promises
const curvature = 0.9; // of the first slope, which the last must be below

/** The point found, and how often the function was evaluated. */
export async function searchLine(
  search: LineSearch,
): Promise<{ readonly point: LinePoint; readonly evaluations: number }> {
  const { start, most, evaluate } = search;
  const tooHigh = ({ at, value }: LinePoint) => !(value <= start.value + sufficient * at * start.slope);
  const flat = ({ slope }: LinePoint) => Math.abs(slope) <= -curvature * start.slope;
  let before = start;
  let now = await evaluate(search.first);
  let turns = 0;
  let bracket: [LinePoint, LinePoint] | undefined;
  for (; turns < most && !bracket; turns++) {
    if (tooHigh(now) || (turns > 1 && now.value >= before.value)) bracket = [before, now];
    else if (flat(now)) return { point: now, evaluations: turns + 1 };
    else if (now.slope >= 0) bracket = [before, now];
    if (bracket) break;
    const bounds = [now.at + 0.01 * (now.at - before.at), now.at * 10] as const;
    const next = cubicMinimum(before, now, bounds);
    before = now;
    now = await evaluate(next);
  }
  return zoom(search, bracket ?? [start, now], turns, { tooHigh, flat });
}

interface Conditions {
  readonly tooHigh: (point: LinePoint) => boolean;
  readonly flat: (point: LinePoint) => boolean;
}

async function zoom(
  { reach, least, most, evaluate }: LineSearch,
  ends: [LinePoint, LinePoint],
  begun: number,
  { tooHigh, flat }: Conditions,
): Promise<{ readonly point: LinePoint; readonly evaluations: number }> {
  let turns = begun;
  let nearEnd = false;
  let low: 0 | 1 = ends[0].value <= ends[1].value || !Number.isFinite(ends[1].value) ? 0 : 1;
  for (; turns < most && Math.abs(ends[1].at - ends[0].at) * reach >= least; turns++) {
    let at = cubicMinimum(ends[0], ends[1]);
    const [left, right] = [Math.min(ends[0].at, ends[1].at), Math.max(ends[0].at, ends[1].at)];
    const margin = 0.1 * (right - left);
    if (Math.min(right - at, at - left) < margin) {
      if (nearEnd || at >= right || at <= left) {
        at = Math.abs(at - right) < Math.abs(at - left) ? right - margin : left + margin;
        nearEnd = false;
      } else nearEnd = true;
    } else nearEnd = false;
    const point = await evaluate(at);
    const high = low === 0 ? 1 : 0;
    if (tooHigh(point) || point.value >= ends[low].value) {
      ends[high] = point;
      low = ends[0].value <= ends[1].value || !Number.isFinite(ends[1].value) ? 0 : 1;
      continue;
    }
    const done = flat(point);
    if (!done && point.slope * (ends[high].at - ends[low].at) >= 0) ends[high] = ends[low];
    ends[low] = point;
    if (done) return { point, evaluations: turns + 2 };
  }
  return { point: ends[low], evaluations: turns + 1 };
}

// The minimum of the cubic through two points with their slopes, within bounds; their middle where there is none.
function cubicMinimum(
  a: LinePoint,
  b: LinePoint,
  [low, high]: readonly [number, number] = [Math.min(a.at, b.at), Math.max(a.at, b.at)],
): number {
  const first = a.slope + b.slope - (3 * (a.value - b.value)) / (a.at - b.at);
  const square = first * first - a.slope * b.slope;
  if (!(square >= 0) || !Number.isFinite(square)) return (low + high) / 2;
  const root = Math.sqrt(square);
  const at =
    a.at <= b.at
      ? b.at - (b.at - a.at) * ((b.slope + root - first) / (b.slope - a.slope + 2 * root))
      : a.at - (a.at - b.at) * ((a.slope + root - first) / (a.slope - b.slope + 2 * root));
  return Number.isNaN(at) ? (low + high) / 2 : Math.min(Math.max(at, low), high);
}
