// Draws on a view what is known of the slice it shows: names of levels, outlines, points, boxes, heat, other slices.

import { distanceMm, nearestLevel, reachMm, referenceLine, type Plane } from "./geometry";
import { heatOf } from "./heat";
import {
  badness, colourOf, describe, findingAt, isAbnormal, isAt, levelsOf, outlinesOn, type Finding, type Level, type Place,
  type Point, type Site, type StudyData,
} from "./study";
import type { View } from "./view";

/** What can be switched on and off. */
export const LAYERS = {
  labels: { title: "Levels", key: "l" },
  outlines: { title: "Outlines", key: "o" },
  points: { title: "Points", key: "p" },
  boxes: { title: "Boxes", key: "b" },
  heat: { title: "Heat map", key: "h" },
  lines: { title: "Slice lines", key: "r" },
} as const;
export type Layer = keyof typeof LAYERS;

export interface Shown {
  data: StudyData;
  layers: Record<Layer, boolean>;
  selected: Site | null;
  /** A point or box that is being moved, in place of the finding's own. */
  moved: { point: Point; corners: Point[] | null } | null;
  editable: boolean;
  others: View[];
  pickLevel(level: string): void;
}

const SAME_PLANE_MM = 5;
const LABEL_MM = 24;
const NAMED_PX = 8;

function add(parent: Element, tag: string, attributes: Record<string, string | number>): SVGElement {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag) as SVGElement;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
  parent.append(made);
  return made;
}

const path = (points: [number, number][]) => points.map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`).join(" ");

/** A line with a thin dark rim, so that it shows on bright and dark alike. */
function line(svg: Element, points: [number, number][], colour: string, width: number, closed: boolean, dash = ""): void {
  const tag = closed ? "polygon" : "polyline";
  const shared = { points: path(points), fill: "none", "stroke-dasharray": dash };
  add(svg, tag, { ...shared, stroke: "#000", "stroke-width": width + 1.6, "stroke-opacity": 0.7 });
  add(svg, tag, { ...shared, stroke: colour, "stroke-width": width });
}

function text(svg: Element, [x, y]: [number, number], words: string, anchor: string, size = 15): SVGElement {
  const made = add(svg, "text", { x, y, "text-anchor": anchor, "font-size": size, class: "lv-text" });
  made.textContent = words;
  return made;
}

export function draw(view: View, shown: Shown): void {
  const svg = view.marks;
  svg.replaceChildren();
  view.legend.replaceChildren();
  const plane = view.plane;
  if (!view.opened || !plane) return clearHeat(view);
  const scene: Scene = { view, plane, shown, svg };
  if (shown.layers.lines) drawLines(scene);
  if (shown.layers.outlines) drawOutlines(scene);
  if (shown.layers.outlines) drawStructures(scene);
  if (shown.layers.boxes) drawBoxes(scene);
  if (shown.layers.points) drawPoints(scene);
  drawHeat(scene);
  drawSelected(scene);
  if (shown.layers.labels) drawLabels(scene);
  else view.corner.textContent = "";
}

interface Scene {
  view: View;
  plane: Plane;
  shown: Shown;
  svg: SVGSVGElement;
}

/** The findings that were seen on the shown slice. */
export function findingsOn(view: View, data: StudyData): { finding: Finding; place: Place }[] {
  const number = data.series.indexOf(view.series);
  return data.places
    .filter((place) => place.series === number && place.slice === view.index)
    .flatMap((place) => {
      const finding = findingAt(data, place);
      return finding?.evidence ? [{ finding, place }] : [];
    });
}

/** One finding for each place, the worst of those that share it. */
function worstByPlace(scene: Scene, keyOf: (finding: Finding, place: Place) => string): { finding: Finding; place: Place }[] {
  const { data, selected } = scene.shown;
  const worst = new Map<string, { finding: Finding; place: Place }>();
  for (const row of findingsOn(scene.view, data)) {
    if (selected && isAt(row.finding, selected)) continue;
    const key = keyOf(row.finding, row.place);
    const known = worst.get(key);
    if (!known || rank(data, row.finding) > rank(data, known.finding)) worst.set(key, row);
  }
  return [...worst.values()];
}

const rank = (data: StudyData, finding: Finding) => badness(data, finding) + (isAbnormal(data, finding) ? 2 : 0);

function drawLines({ view, plane, shown, svg }: Scene): void {
  for (const other of shown.others) {
    const ends = other !== view && other.plane && referenceLine(plane, other.plane);
    if (ends) line(svg, view.toView(ends), "#5fd3f3", 1, false, "6 4");
  }
}

/** Discs near the slice, each in the colour of its Pfirrmann grade. */
function drawOutlines({ view, plane, shown, svg }: Scene): void {
  for (const { level } of levelsOf(shown.data)) {
    const own = shown.data.findings!.findings.filter((finding) => finding.level === level && finding.evidence?.outline.length);
    const outline = own[0]?.evidence?.outline;
    if (!outline || Math.abs(distanceMm(plane, outline[0])) > SAME_PLANE_MM) continue;
    if (!isAlong(plane, outline)) continue;
    line(svg, view.toView(outline), colourOf(shown.data, own.find((f) => f.condition === "pfirrmann") ?? own[0]), 1.5, true);
  }
}

/** What was drawn on this very slice; a legend names it, and each line has a wide unseen one by which it is pointed at. */
function drawStructures({ view, shown, svg }: Scene): void {
  const outlines = outlinesOn(shown.data, view.series, view.index);
  for (const { level, structure, points_lps_mm } of outlines) {
    const points = view.toView(points_lps_mm);
    line(svg, points, shown.data.structures[structure].colour, 1.5, true);
    const unseen = { fill: "none", stroke: "#000", "stroke-opacity": 0, "stroke-width": NAMED_PX };
    add(svg, "polygon", { ...unseen, points: path(points), "data-name": `${level} ${structure}` });
  }
  for (const structure of new Set(outlines.map((one) => one.structure))) {
    const row = document.createElement("div");
    row.textContent = structure;
    row.style.color = shown.data.structures[structure].colour;
    view.legend.append(row);
  }
}

/** Whether a polygon lies in the plane, not across it. */
function isAlong(plane: Plane, outline: Point[]): boolean {
  return outline.every((point) => Math.abs(distanceMm(plane, point)) < 2 * SAME_PLANE_MM);
}

function drawBoxes(scene: Scene): void {
  const key = (_: Finding, place: Place) => JSON.stringify(place.corners_lps_mm);
  for (const { finding, place } of worstByPlace(scene, key)) {
    if (!place.corners_lps_mm) continue;
    line(scene.svg, scene.view.toView(place.corners_lps_mm), colourOf(scene.shown.data, finding), 1, true);
  }
}

function ring(scene: Scene, point: Point, colour: string, width: number, radius: number): [number, number] {
  const [[cx, cy]] = scene.view.toView([point]);
  add(scene.svg, "circle", { cx, cy, r: radius, fill: "none", stroke: "#000", "stroke-width": width + 1.6, "stroke-opacity": 0.7 });
  add(scene.svg, "circle", { cx, cy, r: radius, fill: "none", stroke: colour, "stroke-width": width });
  return [cx, cy];
}

function drawPoints(scene: Scene): void {
  const { data } = scene.shown;
  for (const { finding } of worstByPlace(scene, (finding) => String(finding.evidence!.point_lps_mm))) {
    ring(scene, finding.evidence!.point_lps_mm, colourOf(data, finding), 2, 6);
  }
}

function clearHeat(view: View): void {
  view.heat.width = view.heat.clientWidth;
}

/** What the selected finding's grade rests on. */
function drawHeat(scene: Scene): void {
  const { view, shown } = scene;
  clearHeat(view);
  view.heat.height = view.heat.clientHeight;
  if (!shown.layers.heat || !shown.selected) return;
  const here = findingsOn(view, shown.data).find((row) => isAt(row.finding, shown.selected!));
  const name = here?.finding.evidence?.heat_map;
  const url = name && shown.data.heat_maps[name]?.url;
  if (!here || !url || !here.place.corners_lps_mm) return;
  const picture = heatOf(url, () => view.render());
  if (!picture) return;
  const [first, along, , down] = view.toView(here.place.corners_lps_mm);
  const pen = view.heat.getContext("2d")!;
  const { width, height } = picture;
  pen.setTransform(
    (along[0] - first[0]) / width, (along[1] - first[1]) / width,
    (down[0] - first[0]) / height, (down[1] - first[1]) / height, first[0], first[1],
  );
  pen.drawImage(picture, 0, 0);
}

function drawSelected(scene: Scene): void {
  const { view, shown, svg, plane } = scene;
  const finding = shown.selected && findingAt(shown.data, shown.selected);
  if (!finding?.evidence) return;
  const point = shown.moved?.point ?? finding.evidence.point_lps_mm;
  if (Math.abs(distanceMm(plane, point)) > Math.max(reachMm(view.series, view.index), 2)) return;
  const colour = colourOf(shown.data, finding);
  const here = findingsOn(view, shown.data).find((row) => isAt(row.finding, finding));
  const corners = shown.moved?.corners ?? here?.place.corners_lps_mm;
  if (corners && (shown.layers.boxes || shown.editable) && here) line(svg, view.toView(corners), colour, 2, true);
  const at = ring(scene, point, "#fff", 5, 10);
  ring(scene, point, colour, 3, 10);
  nameSelected(scene, at, describe(shown.data, finding));
  if (shown.editable && here) drawHandles(scene, point, corners ?? null);
}

/** Right of the ring, or where there is no room, at the edge that is farther from it; smaller where it would be cut. */
function nameSelected({ view, svg }: Scene, [x, y]: [number, number], words: string): void {
  const label = text(svg, [x + 18, Math.max(18, y - 14)], words, "start", 14);
  const [right, bottom] = view.size;
  const long = (label as SVGTextElement).getComputedTextLength();
  const width = Math.min(long, right - 16);
  if (x + 18 + width <= right - 8) return;
  label.setAttribute("font-size", String((14 * width) / long));
  label.setAttribute("x", String(Math.max(8, right - 8 - width)));
  label.setAttribute("y", String(y > bottom / 2 ? 42 : bottom - 54));
}

function drawHandles({ view, svg }: Scene, point: Point, corners: Point[] | null): void {
  view.toView([point, ...(corners ?? [])]).forEach(([x, y], number) => {
    add(svg, "rect", { x: x - 14, y: y - 14, width: 28, height: 28, class: "lv-handle", "data-handle": number });
    add(svg, "rect", { x: x - 4, y: y - 4, width: 8, height: 8, fill: "#fff", stroke: "#000", class: "lv-grip" });
  });
}

/** Names of the discs: beside each on slices along the spine, in the corner on slices across it. */
function drawLabels(scene: Scene): void {
  const levels = levelsOf(scene.shown.data);
  const across = Math.abs(scene.plane.normal[2]) > 0.7;
  scene.view.corner.textContent = across ? cornerText(scene.plane, levels) : "";
  if (!across) levels.forEach((level) => drawLabel(scene, level));
}

function cornerText(plane: Plane, levels: Level[]): string {
  const middle = levels.length && nearestLevel(levels, nearestOnPlane(plane, levels));
  if (!middle) return "";
  const off = distanceMm(plane, middle.disc_center_lps_mm);
  const words = Math.abs(off) < 2.5 ? "" : `, ${Math.abs(off).toFixed(0)} mm ${off > 0 ? "above" : "below"}`;
  return `${middle.level}${middle.name_is_sure ? "" : "?"}${words}`;
}

/** The disc centre that lies nearest to the plane. */
function nearestOnPlane(plane: Plane, levels: Level[]): Point {
  const away = (level: Level) => Math.abs(distanceMm(plane, level.disc_center_lps_mm));
  return levels.reduce((a, b) => (away(b) < away(a) ? b : a)).disc_center_lps_mm;
}

function drawLabel({ view, shown, svg }: Scene, level: Level): void {
  const center = level.disc_center_lps_mm;
  const [[x, y]] = view.toView([center]);
  const scale = Math.hypot(view.matrix.a, view.matrix.b) / view.slice.spacing_mm[1];
  const at: [number, number] = [x - LABEL_MM * scale, y + 5];
  const isChosen = shown.selected?.level === level.level;
  const label = text(svg, at, `${level.level}${level.name_is_sure ? "" : "?"}`, "end", isChosen ? 18 : 15);
  label.classList.add("lv-level");
  label.setAttribute("data-level", level.level);
  label.addEventListener("click", () => shown.pickLevel(level.level));
}
