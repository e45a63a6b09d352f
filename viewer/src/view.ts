// One view: a stack of slices, and above it the layers that marks are drawn on.

import { Enums, getShouldUseCPURendering, type RenderingEngine, type Types } from "@cornerstonejs/core";
import { imageIdOf, prefetch } from "./frames";
import { fromPixel, letterOf, planeOf, toPixel, type Plane } from "./geometry";
import { ROLES, type Point, type Series, type Slice } from "./study";

type Matrix = { a: number; b: number; c: number; d: number; e: number; f: number };

export interface ViewEvents {
  /** Another slice is shown. */
  sliced(view: View): void;
  /** The picture was drawn anew: marks must follow. */
  drawn(view: View): void;
  /** A click without a drag, at a point of the patient. */
  clicked(view: View, point: Point): void;
}

function element<K extends keyof HTMLElementTagNameMap>(tag: K, className: string, parent: HTMLElement) {
  const made = document.createElement(tag);
  made.className = className;
  parent.append(made);
  return made;
}

export class View {
  readonly box: HTMLElement;
  readonly heat: HTMLCanvasElement;
  readonly marks: SVGSVGElement;
  readonly caption: HTMLElement;
  readonly corner: HTMLElement;
  /** What is outlined, each in its colour. */
  readonly legend: HTMLElement;
  index = 0;
  private readonly stage: HTMLDivElement;
  private readonly letters: HTMLElement[];
  private readonly viewport: Types.IStackViewport;
  private pressed: [number, number] | null = null;
  /** There is a picture. */
  opened = false;
  private wanted = 0;
  private going: Promise<void> | null = null;

  constructor(
    readonly name: string,
    readonly role: string,
    public series: Series,
    private readonly engine: RenderingEngine,
    parent: HTMLElement,
    private readonly events: ViewEvents,
  ) {
    this.box = element("div", "lv-view", parent);
    this.box.tabIndex = 0;
    this.box.setAttribute("role", "group");
    this.stage = element("div", "lv-stage", this.box);
    this.heat = element("canvas", "lv-heat", this.box);
    this.marks = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    this.marks.setAttribute("class", "lv-marks");
    this.marks.setAttribute("aria-hidden", "true");
    this.box.append(this.marks);
    this.caption = element("div", "lv-caption", this.box);
    const upper = element("div", "lv-upper", this.box);
    this.corner = element("div", "lv-corner", upper);
    this.legend = element("div", "lv-legend", upper);
    this.letters = ["left", "right", "top", "bottom"].map((edge) => element("span", `lv-letter lv-${edge}`, this.box));
    this.letters.forEach((letter) => letter.setAttribute("aria-hidden", "true"));
    engine.enableElement({ viewportId: name, type: Enums.ViewportType.STACK, element: this.stage });
    this.viewport = engine.getViewport(name) as Types.IStackViewport;
    this.stage.addEventListener(Enums.Events.STACK_NEW_IMAGE, () => this.noticeSlice());
    this.stage.addEventListener(Enums.Events.IMAGE_RENDERED, () => this.events.drawn(this));
    this.listenForClicks();
    this.listenForNames();
  }

  get slice(): Slice {
    return this.series.slices[this.index];
  }

  /** Where the shown slice lies; null when its files do not say. */
  get plane(): Plane | null {
    return planeOf(this.slice);
  }

  get title(): string {
    return ROLES[this.series.role ?? ""] ?? (this.series.description || this.series.plane);
  }

  /** Shows a stack, at a slice of it. */
  async open(series: Series, index: number): Promise<void> {
    this.series = series;
    this.index = this.wanted = index;
    await this.viewport.setStack(series.slices.map(imageIdOf), index);
    const [center, width] = this.slice.window;
    this.viewport.setProperties({ voiRange: { lower: center - width / 2, upper: center + width / 2 } });
    this.opened = true;
    this.viewport.render();
    this.describe();
  }

  /** Loads the other slices, nearest first. */
  prefetch(): void {
    void prefetch(this.series, this.index);
  }

  /** Goes to a slice, and waits for it; of several wishes that come while one is loaded, only the last is fulfilled. */
  async goTo(index: number): Promise<void> {
    if (!this.opened) return;
    this.wanted = Math.max(0, Math.min(this.series.slices.length - 1, index));
    if (this.going) return this.going;
    if (this.wanted !== this.index) await (this.going = this.catchUp());
    this.noticeSlice();
  }

  private async catchUp(): Promise<void> {
    try {
      while (this.wanted !== this.index) await this.viewport.setImageIdIndex((this.index = this.wanted));
    } finally {
      this.going = null;
    }
  }

  scroll(by: number): Promise<void> {
    return this.goTo(this.wanted + by);
  }

  private noticeSlice(): void {
    if (!this.going) this.index = this.wanted = this.viewport.getCurrentImageIdIndex();
    this.describe();
    this.events.sliced(this);
  }

  private describe(): void {
    const text = `${this.title}, slice ${this.index + 1} of ${this.series.slices.length}`;
    this.caption.textContent = text;
    this.box.setAttribute("aria-label", text);
    const plane = this.plane;
    const negative = (p: Point): Point => [-p[0], -p[1], -p[2]];
    const directions = plane ? [negative(plane.right), plane.right, negative(plane.down), plane.down] : [];
    this.letters.forEach((letter, at) => (letter.textContent = plane ? letterOf(directions[at]) : ""));
    if (!plane) this.caption.textContent += " (position unknown: no sides)";
  }

  reset(): void {
    this.viewport.resetCamera();
    const [center, width] = this.slice.window;
    this.viewport.setProperties({ voiRange: { lower: center - width / 2, upper: center + width / 2 } });
    this.viewport.render();
  }

  /** Nobody has changed its size or place. */
  get isFitted(): boolean {
    const [x, y] = this.viewport.getPan();
    return this.opened && Math.abs(this.viewport.getZoom() - 1) < 0.01 && Math.hypot(x, y) < 1;
  }

  /** The whole picture again, brightness as it is. */
  fit(): void {
    this.viewport.resetCamera();
    this.viewport.render();
  }

  zoom(factor: number): void {
    this.viewport.setZoom(this.viewport.getZoom() * factor);
    this.viewport.render();
  }

  pan(right: number, down: number): void {
    const [x, y] = this.viewport.getPan();
    this.viewport.setPan([x + right, y + down]);
    this.viewport.render();
  }

  /** Makes the picture brighter (positive) or darker, and harder or softer, in shares of the window's width. */
  window(brighter: number, harder: number): void {
    const { lower, upper } = this.viewport.getProperties().voiRange!;
    const width = upper - lower;
    const center = (lower + upper) / 2 - brighter * width;
    const half = Math.max(1, (width * (1 - harder)) / 2);
    this.viewport.setProperties({ voiRange: { lower: center - half, upper: center + half } });
    this.viewport.render();
  }

  render(): void {
    this.viewport.render();
  }

  /** From pixels (column, row; whole numbers are centres) to the view's own CSS pixels. */
  get matrix(): Matrix {
    const slice = this.slice;
    const plane = this.plane ?? planeOf({ ...slice, position_lps_mm: [0, 0, slice.index], row_cosine: [1, 0, 0], column_cosine: [0, 1, 0] })!;
    // Drawing by the processor, cornerstone takes the corner of a pixel for its middle.
    const half = getShouldUseCPURendering() ? 0.5 : 0;
    const [origin, right, down] = [
      [0, 0],
      [slice.columns, 0],
      [0, slice.rows],
    ].map(([column, row]) => this.viewport.worldToCanvas(fromPixel(plane, column + half, row + half) as Types.Point3));
    return {
      a: (right[0] - origin[0]) / slice.columns,
      b: (right[1] - origin[1]) / slice.columns,
      c: (down[0] - origin[0]) / slice.rows,
      d: (down[1] - origin[1]) / slice.rows,
      e: origin[0],
      f: origin[1],
    };
  }

  /** Where points of the patient, dropped onto the slice, fall in the view. */
  toView(points: Point[]): [number, number][] {
    const plane = this.plane;
    if (!plane) return [];
    const { a, b, c, d, e, f } = this.matrix;
    return points.map((point) => {
      const [column, row] = toPixel(plane, point);
      return [a * column + c * row + e, b * column + d * row + f];
    });
  }

  /** The point of the patient under a place in the view. */
  toPatient(x: number, y: number): Point | null {
    const plane = this.plane;
    if (!plane) return null;
    const { a, b, c, d, e, f } = this.matrix;
    const determinant = a * d - b * c;
    const column = (d * (x - e) - c * (y - f)) / determinant;
    const row = (a * (y - f) - b * (x - e)) / determinant;
    return fromPixel(plane, column, row);
  }

  get size(): [number, number] {
    return [this.box.clientWidth, this.box.clientHeight];
  }

  private listenForClicks(): void {
    this.stage.addEventListener("pointerdown", (event) => (this.pressed = [event.offsetX, event.offsetY]));
    this.stage.addEventListener("pointerup", (event) => {
      const from = this.pressed;
      this.pressed = null;
      if (!from || event.button !== 0 || Math.hypot(event.offsetX - from[0], event.offsetY - from[1]) > 3) return;
      const point = this.toPatient(event.offsetX, event.offsetY);
      if (point) this.events.clicked(this, point);
    });
  }

  /** A tooltip says which lines the pointer is on. */
  private listenForNames(): void {
    this.stage.addEventListener("pointermove", (event) => {
      const at = new DOMPoint(event.offsetX, event.offsetY);
      const lines = [...this.marks.querySelectorAll<SVGPolygonElement>("[data-name]")];
      this.stage.title = lines.filter((line) => line.isPointInStroke(at)).map((line) => line.dataset.name).join(", ");
    });
  }

  close(): void {
    this.engine.disableElement(this.name);
    this.box.remove();
  }
}
