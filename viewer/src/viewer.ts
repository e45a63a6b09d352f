// A study's viewer: three linked views, and what is selected, shown and moved on them.

import type { RenderingEngine } from "@cornerstonejs/core";
import { Edits } from "./edits";
import { makeTools, setDrag, type Drag, type Group } from "./engine";
import { add, carryOver, minus, nearestLevel, nearestSlice, times, dot } from "./geometry";
import { draw, findingsOn, LAYERS, type Layer, type Shown } from "./overlay";
import {
  describe, findingAt, isAbnormal, levelsOf, placeOf, type Point, type Series, type Site, type StudyData,
} from "./study";
import { startOf, stacksOf } from "./stacks";
import { View, type ViewEvents } from "./view";

export interface Options {
  /** Findings may be moved and lesions placed. */
  review: boolean;
  /** No findings are shown, only the names of the levels. */
  blind: boolean;
}

let count = 0;

export class StudyViewer {
  readonly views: View[] = [];
  readonly layers = Object.fromEntries(Object.keys(LAYERS).map((name) => [name, name !== "boxes"])) as Record<Layer, boolean>;
  readonly edits: Edits;
  selected: Site | null = null;
  drag: Drag = "window";
  /** Told after every change: the toolbar and a viewer beside this one follow. */
  readonly listeners: (() => void)[] = [];
  readonly sliceListeners: ((view: View) => void)[] = [];
  private readonly group: Group;
  private readonly status: HTMLElement;
  private spoken = 0;
  private active = 0;

  constructor(
    readonly data: StudyData,
    readonly grid: HTMLElement,
    engine: RenderingEngine,
    readonly options: Options,
    readonly emit: (name: string, detail: object) => void,
  ) {
    this.group = makeTools(`lumbago-${++count}`);
    this.status = document.createElement("p");
    this.status.className = "lv-status";
    this.status.setAttribute("role", "status");
    this.edits = new Edits(this);
    const events: ViewEvents = {
      sliced: (view) => this.sliced(view),
      drawn: (view) => this.draw(view),
      clicked: (view, point) => this.clicked(view, point),
    };
    for (const [role, series] of stacksOf(data)) {
      const view = new View(`lumbago-${count}-${role}`, role, series, engine, grid, events);
      this.group.addViewport(view.name, engine.id);
      view.box.addEventListener("focusin", () => this.activate(view));
      view.box.addEventListener("pointerdown", () => view.box.focus({ preventScroll: true }));
      this.edits.listen(view);
      this.views.push(view);
    }
    grid.dataset.views = String(this.views.length);
    grid.after(this.status);
    setDrag(this.group, this.drag);
  }

  /** Shows the first image of every view, the main one before the others. */
  async open(): Promise<void> {
    for (const view of this.views) {
      await view.open(view.series, startOf(this.data, view.series));
      this.draw(view);
    }
    for (const view of this.views) this.draw(view);
    this.views.forEach((view) => view.prefetch());
    performance.mark("lumbago:ready");
    this.changed();
  }

  get activeView(): View {
    return this.views[this.active];
  }

  activate(view: View): void {
    this.active = this.views.indexOf(view);
    this.views.forEach((other) => other.box.classList.toggle("lv-active", other === view));
    this.changed();
  }

  /** Only one view, or all of them again. */
  maximise(on = !this.grid.classList.contains("lv-one")): void {
    this.grid.classList.toggle("lv-one", on);
    this.changed();
  }

  useDrag(drag: Drag): void {
    this.drag = drag;
    setDrag(this.group, drag);
    this.changed();
  }

  toggle(layer: Layer): void {
    this.layers[layer] = !this.layers[layer];
    this.redraw();
    this.changed();
  }

  /** Selects a finding and goes to where it was seen: its slice on its own view, the nearest ones on the others. */
  async show(site: Site): Promise<void> {
    const selected = { condition: site.condition, level: site.level, side: site.side ?? null };
    this.selected = selected;
    this.edits.forget();
    const finding = findingAt(this.data, selected);
    const place = placeOf(this.data, selected);
    const series = place && this.data.series[place.series];
    const view = series && this.viewOf(series);
    if (view && series) {
      if (view.series !== series) await view.open(series, place.slice);
      await view.goTo(place.slice);
      if (this.selected !== selected) return; // another was asked for while the slice was on its way
      this.activate(view);
    }
    const point = finding?.evidence?.point_lps_mm ?? this.centerOf(site.level);
    if (point) await this.goToPoint(point, view);
    if (this.selected !== selected) return;
    this.redraw();
    window.clearTimeout(this.spoken);
    this.say(finding ? describe(this.data, finding) : `${site.level}: not assessed`);
    this.changed();
  }

  /** Shows what is said of the study by now, in place of what was said when it was opened. */
  renew(now: StudyData): void {
    this.data.findings = now.findings;
    this.data.places = now.places;
    this.redraw();
    const finding = this.selected && findingAt(this.data, this.selected);
    if (finding) this.say(describe(this.data, finding));
  }

  private viewOf(series: Series): View | undefined {
    const role = series.role ?? "";
    return this.views.find((view) => view.series === series) ?? this.views.find((view) => view.role === role);
  }

  private centerOf(level: string): Point | undefined {
    return levelsOf(this.data).find((row) => row.level === level)?.disc_center_lps_mm;
  }

  /** The other views go to the slice nearest to a point. */
  async goToPoint(point: Point, but?: View): Promise<void> {
    for (const view of this.views) {
      const index = view === but ? null : nearestSlice(view.series, point);
      if (index !== null) await view.goTo(index);
    }
  }

  /** The level above or below the selected one. */
  stepLevel(by: number): void {
    const levels = levelsOf(this.data);
    const from = levels.findIndex((level) => level.level === this.nearLevel());
    const next = levels[from + by];
    if (next) this.pickLevel(next.level);
  }

  nearLevel(): string | undefined {
    const plane = this.activeView.plane;
    if (this.selected) return this.selected.level;
    return plane ? nearestLevel(levelsOf(this.data), plane.position)?.level : undefined;
  }

  /** Goes to a level, and keeps the condition in view if it is graded there. */
  pickLevel(level: string): void {
    const like = this.selected && { ...this.selected, level };
    const site = like && findingAt(this.data, like) ? like : this.worstAt(level);
    if (site) void this.show(site);
    else {
      const center = this.centerOf(level);
      if (center) void this.goToPoint(center);
      this.say(level);
    }
    this.emit("lumbago:level", { level });
  }

  private worstAt(level: string): Site | undefined {
    const here = this.data.findings?.findings.filter((finding) => finding.level === level && finding.evidence) ?? [];
    return here.find((finding) => isAbnormal(this.data, finding)) ?? here[0];
  }

  /** The next click, or Enter, places a lesion. */
  place(): void {
    this.edits.startPlacing();
    this.say("Click where the lesion is, or move the cross with Alt and the arrows and press Enter.");
  }

  private clicked(view: View, point: Point): void {
    if (this.edits.clicked(view, point)) return;
    if (this.drag === "length" || this.drag === "angle") return;
    void this.goToPoint(point, view);
  }

  private sliced(view: View): void {
    this.redraw();
    this.sliceListeners.forEach((tell) => tell(view));
    window.clearTimeout(this.spoken);
    this.spoken = window.setTimeout(() => this.say(this.inWords(view)), 400);
  }

  /** What a view shows, for those who do not see it. */
  inWords(view: View): string {
    const seen = this.options.blind ? [] : findingsOn(view, this.data).filter((row) => isAbnormal(this.data, row.finding));
    const words = seen.map((row) => describe(this.data, row.finding)).join("; ");
    const outlined = [...view.legend.children].map((row) => row.textContent).join(", ");
    const place = `${view.caption.textContent}${view.corner.textContent ? `, ${view.corner.textContent}` : ""}`;
    return `${place}${words ? `. ${words}` : ""}${outlined ? `. Outlined: ${outlined}` : ""}`;
  }

  say(words: string): void {
    this.status.textContent = words;
  }

  redraw(): void {
    this.views.forEach((view) => this.draw(view));
  }

  private draw(view: View): void {
    const hidden = { outlines: false, points: false, boxes: false, heat: false };
    const shown: Shown = {
      data: this.data,
      layers: this.options.blind ? { ...this.layers, ...hidden } : this.layers,
      selected: this.options.blind ? null : this.selected,
      moved: this.edits.moved,
      editable: this.edits.on,
      others: this.views,
      pickLevel: (level) => this.pickLevel(level),
    };
    draw(view, shown);
    if (view.opened) this.edits.drawCross(view);
  }

  changed(): void {
    this.listeners.forEach((tell) => tell());
  }

  /** Where the active slice passes the spine: what a viewer beside this one goes to. */
  get whereabouts(): Point | null {
    const plane = this.activeView.plane;
    const levels = levelsOf(this.data);
    if (!plane || !levels.length) return null;
    const lumbar = levels.find((level) => level.level === "L3/L4") ?? levels[Math.floor(levels.length / 2)];
    const along = plane.slice.position_lps_mm && Math.abs(plane.normal[2]) > 0.7;
    const off = (point: Point) => dot(minus(plane.position, point), plane.normal);
    const nearest = levels.reduce((a, b) => (Math.abs(off(b.disc_center_lps_mm)) < Math.abs(off(a.disc_center_lps_mm)) ? b : a));
    const center = (along ? nearest : lumbar).disc_center_lps_mm;
    return add(center, times(plane.normal, off(center)));
  }

  /** Follows another study to the same place of the spine. */
  async follow(other: StudyViewer): Promise<void> {
    const view = this.views.find((one) => one.role === other.activeView.role);
    const point = other.whereabouts;
    const target = point && carryOver(point, levelsOf(other.data), levelsOf(this.data));
    const index = view && target && nearestSlice(view.series, target);
    if (view && this.activeView !== view) this.activate(view);
    if (view && index !== null && index !== undefined) await view.goTo(index);
  }
}
