// Review: moving a finding's point or box, and placing a point for a lesion that was missed.

import { add, dot, fromPixel, length, minus, nearestLevel, times, toPixel } from "./geometry";
import { findingAt, levelsOf, placeOf, type Point } from "./study";
import type { View } from "./view";
import type { StudyViewer } from "./viewer";

interface Moved {
  point: Point;
  corners: Point[] | null;
}

export class Edits {
  /** Handles are shown on the selected finding. */
  on = false;
  moved: Moved | null = null;
  private cross: { view: View; point: Point } | null = null;
  private handle: { view: View; number: number } | null = null;

  constructor(private readonly viewer: StudyViewer) {}

  get placing(): boolean {
    return this.cross !== null;
  }

  forget(): void {
    this.moved = null;
    this.cross = null;
  }

  toggle(): void {
    if (!this.viewer.options.review) return;
    this.on = !this.on;
    this.forget();
    const hint = "Drag the square marks, or use Alt and the arrows and press Enter; Escape takes it back.";
    this.viewer.say(this.on ? hint : "Moving ended.");
    this.viewer.redraw();
    this.viewer.changed();
  }

  startPlacing(): void {
    const view = this.viewer.activeView;
    const [width, height] = view.size;
    const point = view.toPatient(width / 2, height / 2);
    if (!point) return this.viewer.say("This series does not say where it lies: nothing can be placed on it.");
    this.cross = { view, point };
    view.box.focus();
    this.viewer.redraw();
  }

  /** Whether a click was a placing. */
  clicked(view: View, point: Point): boolean {
    if (!this.cross) return false;
    this.cross = { view, point };
    this.commit();
    return true;
  }

  listen(view: View): void {
    view.marks.addEventListener("pointerdown", (event) => {
      const number = (event.target as Element).getAttribute("data-handle");
      if (number === null || !this.begin()) return;
      event.preventDefault();
      event.stopPropagation();
      view.marks.setPointerCapture(event.pointerId);
      this.handle = { view, number: Number(number) };
    });
    view.marks.addEventListener("pointermove", (event) => {
      if (this.handle?.view !== view) return;
      const box = view.box.getBoundingClientRect();
      const point = view.toPatient(event.clientX - box.left - view.box.clientLeft, event.clientY - box.top - view.box.clientTop);
      if (point) this.drag(this.handle.number, point);
    });
    view.marks.addEventListener("pointerup", () => {
      if (this.handle?.view !== view) return;
      this.handle = null;
      this.commit();
    });
  }

  /** Takes the selected finding's place in hand. */
  private begin(): boolean {
    const { selected, data } = this.viewer;
    const finding = selected && findingAt(data, selected);
    if (!this.on || !finding?.evidence) return false;
    this.moved ??= {
      point: finding.evidence.point_lps_mm,
      corners: placeOf(data, finding)?.corners_lps_mm ?? null,
    };
    return true;
  }

  private drag(number: number, to: Point): void {
    const moved = this.moved!;
    if (number === 0) this.shift(minus(to, moved.point));
    else if (moved.corners) moved.corners = stretched(moved.corners, number - 1, to);
    this.viewer.redraw();
  }

  private shift(by: Point): void {
    const { point, corners } = this.moved!;
    this.moved = { point: add(point, by), corners: corners && corners.map((corner) => add(corner, by)) };
  }

  /** Alt and arrows: one pixel of the slice to the right or down. */
  nudge(right: number, down: number): boolean {
    const view = this.cross?.view ?? this.viewer.activeView;
    const plane = view.plane;
    if (!plane || !(this.cross || this.begin())) return false;
    const step = (point: Point) => {
      const [column, row] = toPixel(plane, point);
      return minus(fromPixel(plane, column + right, row + down), fromPixel(plane, column, row));
    };
    if (this.cross) this.cross.point = add(this.cross.point, step(this.cross.point));
    else this.shift(step(this.moved!.point));
    this.viewer.redraw();
    return true;
  }

  /** Tells the page what was moved or placed. */
  commit(): boolean {
    const { selected, data } = this.viewer;
    if (this.cross) {
      const { view, point } = this.cross;
      this.cross = null;
      const level = nearestLevel(levelsOf(data), point)?.level ?? null;
      this.viewer.emit("lumbago:placed", { ...where(view), point_lps_mm: point, level });
    } else if (this.moved && selected) {
      const { point, corners } = this.moved;
      const view = this.viewer.activeView;
      const box = corners && { box_lps_mm: [corners[0], corners[2]], box_down_lps: unit(minus(corners[3], corners[0])) };
      this.viewer.emit("lumbago:moved", { ...selected, ...where(view), point_lps_mm: point, box_lps_mm: null, ...box });
    } else return false;
    this.viewer.redraw();
    return true;
  }

  cancel(): boolean {
    const was = this.cross !== null || this.moved !== null;
    this.forget();
    this.viewer.redraw();
    return was;
  }

  /** The cross of a lesion that is being placed. */
  drawCross(view: View): void {
    if (this.cross?.view !== view) return;
    const [[x, y]] = view.toView([this.cross.point]);
    const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
    path.setAttribute("d", `M${x - 14} ${y}h28M${x} ${y - 14}v28`);
    path.setAttribute("class", "lv-cross");
    view.marks.append(path);
  }
}

const unit = (vector: Point): Point => times(vector, 1 / Math.max(length(vector), 1e-6));

function where(view: View): object {
  const { sop_instance_uid, frame } = view.slice;
  return { series_instance_uid: view.series.uid, sop_instance_uid, frame, role: view.role };
}

/** A box with one corner elsewhere; the opposite corner and the directions of the sides stay. */
function stretched(corners: Point[], number: number, to: Point): Point[] {
  const fixed = corners[(number + 2) % 4];
  const [next, previous] = [corners[(number + 1) % 4], corners[(number + 3) % 4]];
  const [toNext, toPrevious] = [unit(minus(next, fixed)), unit(minus(previous, fixed))];
  const diagonal = minus(to, fixed);
  const result = [...corners];
  result[(number + 1) % 4] = add(fixed, times(toNext, dot(diagonal, toNext)));
  result[(number + 3) % 4] = add(fixed, times(toPrevious, dot(diagonal, toPrevious)));
  result[number] = add(fixed, add(times(toNext, dot(diagonal, toNext)), times(toPrevious, dot(diagonal, toPrevious))));
  return result;
}
