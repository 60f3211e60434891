// Names beside the points of a chart, placed so that they cover neither each other nor a point. A label may stand in one of 16
// directions and several distances from its point; each in turn takes the place that costs least given where the others are, until
// none moves. Lengths are pixels; y grows downwards.

/** A point that wants a name beside it. */
export interface NamedPoint {
  readonly x: number;
  readonly y: number;
  readonly text: string;
}

/** Where labels may stand. */
export interface Frame {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

/** A label's centre, and where a line from its point to it ends: at the point if it stands next to it. */
export interface Label {
  readonly x: number;
  readonly y: number;
  readonly endX: number;
  readonly endY: number;
}

interface Box {
  readonly x: number;
  readonly y: number;
  readonly halfWidth: number;
  readonly halfHeight: number;
}

interface Place extends Label, Box {
  readonly point: NamedPoint;
  readonly cost: number;
}

const CHARACTER = 7; // width of one in a 12 px sans-serif, wide ones included
const LINE = 14;
const DOT = 7; // a point's radius and some air
const GAPS = [2, 14, 26, 40, 56, 74]; // between a point's dot and its label
const DIRECTIONS = 16;
const SWEEPS = 8;
// A longer way is better than a crossing, a crossing better than a label that covers something.
const CROSSED = 200;
const COVERED = 1000;

/** Places for the labels of points, within a frame as far as there is room, in the order of the points. */
export function placeLabels(points: readonly NamedPoint[], { left, right, top, bottom }: Frame): Label[] {
  const dots = points.map(({ x, y }): Box => ({ x, y, halfWidth: DOT, halfHeight: DOT }));
  const [width, height] = [right - left, bottom - top];
  const frame: Box = { x: left + width / 2, y: top + height / 2, halfWidth: width / 2, halfHeight: height / 2 };
  const choices = points.map((point) =>
    placesOf(point).map((place) => {
      const covered = dots.filter((dot) => overlap(place, dot)).length + (inside(place, frame) ? 0 : 1);
      const crossed = dots
        .filter((dot) => dot.x !== point.x || dot.y !== point.y)
        .filter((dot) => lineEnters(place, dot));
      return { ...place, cost: place.cost + COVERED * covered + CROSSED * crossed.length };
    }),
  );
  const chosen = choices.map((places) => cheapest(places));
  for (let sweep = 0, moved = true; moved && sweep < SWEEPS; sweep++) {
    moved = false;
    choices.forEach((places, i) => {
      const others = chosen.filter((_, other) => other !== i);
      const best = cheapest(places, (place) => others.reduce((sum, other) => sum + clash(place, other), place.cost));
      moved ||= best !== chosen[i];
      chosen[i] = best;
    });
  }
  return chosen;
}

function placesOf(point: NamedPoint): Place[] {
  const { x, y, text } = point;
  const [halfWidth, halfHeight] = [(text.length * CHARACTER) / 2, LINE / 2];
  return GAPS.flatMap((gap, ring) =>
    Array.from({ length: DIRECTIONS }, (_, k) => {
      const angle = (2 * Math.PI * k) / DIRECTIONS; // clockwise from straight above
      const box = {
        x: x + Math.sin(angle) * (DOT + gap + halfWidth),
        y: y - Math.cos(angle) * (DOT + gap + halfHeight),
        halfWidth,
        halfHeight,
      };
      const endX = ring === 0 ? x : clamp(x, box.x - halfWidth, box.x + halfWidth);
      const endY = ring === 0 ? y : clamp(y, box.y - halfHeight, box.y + halfHeight);
      return { ...box, endX, endY, point, cost: gap + (k === 0 ? 0 : 1) };
    }),
  );
}

function cheapest(places: readonly Place[], costOf = ({ cost }: Place) => cost): Place {
  const costs = places.map((place) => costOf(place));
  return places[costs.indexOf(Math.min(...costs))]!;
}

function clash(a: Place, b: Place): number {
  return (overlap(a, b) ? COVERED : 0) + (lineEnters(a, b) || lineEnters(b, a) ? CROSSED : 0);
}

// Looked at in ten places: a tenth of a line is shorter than a label is high.
function lineEnters({ point, endX, endY }: Place, box: Box): boolean {
  return Array.from({ length: 11 }, (_, i) => i / 10).some((t) => {
    const [x, y] = [point.x + t * (endX - point.x), point.y + t * (endY - point.y)];
    return overlap({ x, y, halfWidth: 0, halfHeight: 0 }, box);
  });
}

function overlap(a: Box, b: Box): boolean {
  return Math.abs(a.x - b.x) < a.halfWidth + b.halfWidth && Math.abs(a.y - b.y) < a.halfHeight + b.halfHeight;
}

function inside(box: Box, frame: Box): boolean {
  const [dx, dy] = [Math.abs(box.x - frame.x), Math.abs(box.y - frame.y)];
  return dx + box.halfWidth <= frame.halfWidth && dy + box.halfHeight <= frame.halfHeight;
}

const clamp = (value: number, low: number, high: number) => Math.min(Math.max(value, low), high);
