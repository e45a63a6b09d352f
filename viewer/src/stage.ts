// The viewer itself, once cornerstone is there: main.ts has shown the first image before.

import type { RenderingEngine } from "@cornerstonejs/core";
import { startEngine } from "./engine";
import { announce } from "./frames";
import { press } from "./keys";
import type { Pixels } from "./pixels";
import type { StudyData } from "./study";
import { buildToolbar } from "./toolbar";
import { StudyViewer, type Options } from "./viewer";

function make(className: string, parent: HTMLElement): HTMLElement {
  const made = document.createElement("div");
  made.className = className;
  parent.append(made);
  return made;
}

function listen(root: HTMLElement, viewers: StudyViewer[]): void {
  root.addEventListener("keydown", (event) => {
    const target = event.target as HTMLElement;
    if (target.closest("select, dialog")) return;
    if (event.key === "?") root.querySelector<HTMLDialogElement>(".lv-help")?.showModal();
    else if (target.closest("button") && (event.key === "Enter" || event.key === " ")) return;
    else {
      const viewer = viewers.find((one) => one.grid.contains(target)) ?? viewers[0];
      if (!press(viewer, event)) return;
    }
    event.preventDefault();
    event.stopPropagation();
  });
}

/** Two studies side by side: what one does, the other follows, by the levels of the spine. */
function link(viewers: StudyViewer[]): void {
  let leading = true;
  for (const viewer of viewers) {
    viewer.maximise(true);
    viewer.sliceListeners.push(async (view) => {
      if (!leading || view !== viewer.activeView) return;
      leading = false;
      try {
        await Promise.all(viewers.filter((other) => other !== viewer).map((other) => other.follow(viewer)));
      } finally {
        leading = true;
      }
    });
  }
}

/** Views that show their whole picture go on doing so; what was enlarged stays as it is. */
function resize(engine: RenderingEngine, viewers: StudyViewer[]): void {
  const fitted = viewers.flatMap((viewer) => viewer.views.filter((view) => view.isFitted));
  engine.resize(true, true);
  fitted.forEach((view) => view.fit());
}

/** Builds the viewer in the page's element, in place of what is there. */
export async function mount(
  root: HTMLElement, studies: StudyData[], fetched: Map<string, Promise<Pixels>>,
): Promise<StudyViewer[]> {
  const { blind, review, drawing } = root.dataset;
  const options: Options = { blind: blind !== undefined, review: review !== undefined && review !== "false" };
  const engine = startEngine((drawing as "cpu" | "gpu") ?? null, fetched);
  const emit = (name: string, detail: object) => void root.dispatchEvent(new CustomEvent(name, { detail, bubbles: true }));
  studies.forEach(announce);
  root.replaceChildren();
  const bar = make("lv-bar", root);
  const frame = make("lv-frame", root);
  const viewers = studies.map((data) => {
    const column = make("lv-column", frame);
    return new StudyViewer(data, make("lv-grid", column), engine, options, emit);
  });
  buildToolbar(bar, viewers);
  listen(root, viewers);
  if (viewers.length > 1) link(viewers);
  let waiting = 0;
  const sizes = new ResizeObserver(() => {
    window.clearTimeout(waiting);
    waiting = window.setTimeout(() => resize(engine, viewers), 60);
  });
  viewers.forEach((viewer) => viewer.views.forEach((view) => sizes.observe(view.box)));
  for (const viewer of viewers) {
    viewer.activate(viewer.views[0]);
    await viewer.open();
  }
  root.dataset.ready = "true";
  return viewers;
}

