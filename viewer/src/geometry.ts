// Points of the patient (millimetres, LPS) and slices. The server gives slices as they are shown.

import type { Level, Point, Series, Slice } from "./study";

export const add = (a: Point, b: Point): Point => [a[0] + b[0], a[1] + b[1], a[2] + b[2]];
export const minus = (a: Point, b: Point): Point => [a[0] - b[0], a[1] - b[1], a[2] - b[2]];
export const times = (a: Point, k: number): Point => [a[0] * k, a[1] * k, a[2] * k];
export const dot = (a: Point, b: Point): number => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
export const cross = (a: Point, b: Point): Point => [
  a[1] * b[2] - a[2] * b[1],
  a[2] * b[0] - a[0] * b[2],
  a[0] * b[1] - a[1] * b[0],
];
export const length = (a: Point): number => Math.sqrt(dot(a, a));

/** A slice whose files state its place in the patient. */
export interface Plane {
  position: Point;
  right: Point;
  down: Point;
  normal: Point;
  slice: Slice;
}

export function planeOf(slice: Slice): Plane | null {
  if (!slice.position_lps_mm || !slice.row_cosine || !slice.column_cosine) return null;
  const normal = cross(slice.row_cosine, slice.column_cosine);
  return { position: slice.position_lps_mm, right: slice.row_cosine, down: slice.column_cosine, normal, slice };
}

/** (column, row) of a point dropped onto the slice, in pixels; whole numbers are pixel centres. */
export function toPixel(plane: Plane, point: Point): [number, number] {
  const [rowMm, columnMm] = plane.slice.spacing_mm;
  const from = minus(point, plane.position);
  return [dot(from, plane.right) / columnMm, dot(from, plane.down) / rowMm];
}

export function fromPixel(plane: Plane, column: number, row: number): Point {
  const [rowMm, columnMm] = plane.slice.spacing_mm;
  return add(plane.position, add(times(plane.right, column * columnMm), times(plane.down, row * rowMm)));
}

export function distanceMm(plane: Plane, point: Point): number {
  return dot(minus(point, plane.position), plane.normal);
}

function isInside(plane: Plane, point: Point): boolean {
  const [column, row] = toPixel(plane, point);
  return column > -0.5 && row > -0.5 && column < plane.slice.columns - 0.5 && row < plane.slice.rows - 0.5;
}

/** The slice that passes nearest to a point, one that shows it before one that does not; null without geometry. */
export function nearestSlice(series: Series, point: Point): number | null {
  let best: { index: number; cost: number } | null = null;
  for (const slice of series.slices) {
    const plane = planeOf(slice);
    if (!plane) continue;
    const cost = Math.abs(distanceMm(plane, point)) + (isInside(plane, point) ? 0 : 1e6);
    if (!best || cost < best.cost) best = { index: slice.index, cost };
  }
  return best && best.index;
}

/** Half the distance to the neighbouring slices: what is no farther belongs to this slice. */
export function reachMm(series: Series, index: number): number {
  const here = planeOf(series.slices[index]);
  const near = [series.slices[index - 1], series.slices[index + 1]].map((slice) => slice && planeOf(slice));
  const steps = near.flatMap((plane) => (here && plane ? [Math.abs(distanceMm(here, plane.position))] : []));
  return Math.max(1, Math.min(...steps, 10) / 2);
}

/** Where a slice cuts another, as two points on the other's edge; null when they are parallel or miss. */
export function referenceLine(on: Plane, of: Plane): [Point, Point] | null {
  if (Math.abs(dot(on.normal, of.normal)) > 0.9) return null;
  const { rows, columns } = of.slice;
  const corners: [number, number][] = [[-0.5, -0.5], [columns - 0.5, -0.5], [columns - 0.5, rows - 0.5], [-0.5, rows - 0.5]];
  const points = corners.map(([column, row]) => fromPixel(of, column, row));
  const crossings: Point[] = [];
  points.forEach((from, number) => {
    const to = points[(number + 1) % 4];
    const [a, b] = [distanceMm(on, from), distanceMm(on, to)];
    if (a * b <= 0 && a !== b) crossings.push(add(from, times(minus(to, from), a / (a - b))));
  });
  return crossings.length >= 2 ? [crossings[0], crossings[1]] : null;
}

const ENDS = [["R", "L"], ["A", "P"], ["F", "H"]];

/** The patient's name for a direction: R or L, A or P, F or H. */
export function letterOf(direction: Point): string {
  const sizes = direction.map(Math.abs);
  const axis = sizes.indexOf(Math.max(...sizes));
  return ENDS[axis][direction[axis] > 0 ? 1 : 0];
}

/** The point of another patient (or another day) that lies to its discs as this point lies to these. */
export function carryOver(point: Point, here: Level[], there: Level[]): Point | null {
  const shared = here.filter((level) => there.some((other) => other.level === level.level));
  if (!shared.length) return null;
  const away = (level: Level) => length(minus(level.disc_center_lps_mm, point));
  const nearest = shared.reduce((a, b) => (away(b) < away(a) ? b : a));
  const target = there.find((level) => level.level === nearest.level)!;
  return add(target.disc_center_lps_mm, minus(point, nearest.disc_center_lps_mm));
}

/** The level whose disc a point is nearest to. */
export function nearestLevel(levels: Level[], point: Point): Level | null {
  const away = (level: Level) => length(minus(level.disc_center_lps_mm, point));
  return levels.length ? levels.reduce((a, b) => (away(b) < away(a) ? b : a)) : null;
}
