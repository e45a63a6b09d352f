// The buttons above the views, and the help that lists the keys.

import { DRAGS, type Drag } from "./engine";
import { KEYS } from "./keys";
import { LAYERS, type Layer } from "./overlay";
import { levelsOf } from "./study";
import type { StudyViewer } from "./viewer";

function button(parent: HTMLElement, title: string, hint: string, press: () => void): HTMLButtonElement {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = title;
  made.title = hint;
  made.addEventListener("click", press);
  parent.append(made);
  return made;
}

function group(bar: HTMLElement, title: string): HTMLElement {
  const made = document.createElement("div");
  made.className = "lv-group";
  made.setAttribute("role", "group");
  made.setAttribute("aria-label", title);
  bar.append(made);
  return made;
}

/** Builds the bar for one viewer, or for several that move together. */
export function buildToolbar(bar: HTMLElement, viewers: StudyViewer[]): void {
  const [main] = viewers;
  const { blind, review } = main.options;
  const all = (act: (viewer: StudyViewer) => void) => () => viewers.forEach(act);
  const follow: (() => void)[] = [];

  const drags = group(bar, "What dragging does");
  for (const [name, { title, key }] of Object.entries(DRAGS)) {
    const made = button(drags, title, `Dragging: ${title.toLowerCase()} (${key.toUpperCase()})`, all((v) => v.useDrag(name as Drag)));
    follow.push(() => made.setAttribute("aria-pressed", String(main.drag === name)));
  }

  const layers = group(bar, "What is drawn");
  for (const [name, { title, key }] of Object.entries(LAYERS)) {
    if (blind && name !== "labels" && name !== "lines") continue;
    const made = button(layers, title, `${title} on or off (${key.toUpperCase()})`, all((v) => v.toggle(name as Layer)));
    follow.push(() => made.setAttribute("aria-pressed", String(main.layers[name as Layer])));
  }

  const views = group(bar, "Views");
  addLevels(views, viewers, follow);
  if (main.views.length > 1) {
    const one = button(views, "One view", "One view or all (X)", all((v) => v.maximise()));
    follow.push(() => one.setAttribute("aria-pressed", String(main.grid.classList.contains("lv-one"))));
    addRoles(views, viewers, follow);
  }
  button(views, "Reset", "Size, place and brightness as at first (0)", all((v) => v.views.forEach((view) => view.reset())));
  if (review) {
    const made = button(views, "Move mark", "Move the point or box of the selected finding (E)", all((v) => v.edits.toggle()));
    follow.push(() => made.setAttribute("aria-pressed", String(main.edits.on)));
  }
  const help = buildHelp(bar);
  button(views, "Keys", "What the keys do (?)", () => help.showModal());
  main.listeners.push(() => follow.forEach((tell) => tell()));
}

function select(parent: HTMLElement, title: string, options: [string, string][], pick: (value: string) => void): HTMLSelectElement {
  const made = document.createElement("select");
  made.setAttribute("aria-label", title);
  for (const [value, text] of options) made.append(new Option(text, value));
  made.addEventListener("change", () => pick(made.value));
  parent.append(made);
  return made;
}

function addLevels(parent: HTMLElement, viewers: StudyViewer[], follow: (() => void)[]): void {
  const levels = levelsOf(viewers[0].data);
  if (!levels.length) return;
  const rows: [string, string][] = [["", "Level"], ...levels.map(({ level }): [string, string] => [level, level])];
  const made = select(parent, "Go to level", rows, (level) => level && viewers.forEach((v) => v.pickLevel(level)));
  follow.push(() => (made.value = viewers[0].selected?.level ?? ""));
}

function addRoles(parent: HTMLElement, viewers: StudyViewer[], follow: (() => void)[]): void {
  const [main] = viewers;
  const rows = main.views.map((view): [string, string] => [view.role, view.title]);
  const made = select(parent, "Active view", rows, (role) => {
    for (const viewer of viewers) {
      const view = viewer.views.find((one) => one.role === role);
      if (view) viewer.activate(view);
    }
  });
  follow.push(() => (made.value = main.activeView.role));
}

function buildHelp(bar: HTMLElement): HTMLDialogElement {
  const dialog = document.createElement("dialog");
  dialog.className = "lv-help";
  dialog.setAttribute("aria-label", "What the keys do");
  const title = document.createElement("h2");
  title.textContent = "What the keys do";
  const list = document.createElement("dl");
  const rows: [string, string][] = [...KEYS.map((key): [string, string] => [key.shown, key.does]), ["?", "this list"]];
  for (const [shown, does] of rows) {
    const pair = document.createElement("div");
    const key = document.createElement("dt");
    const text = document.createElement("dd");
    [key.textContent, text.textContent] = [shown, does];
    pair.append(key, text);
    list.append(pair);
  }
  const mouse = document.createElement("p");
  mouse.textContent =
    "Mouse: the wheel scrolls, the left button does what is pressed above, the right one changes the size, the middle one moves. Touch: one finger as the left button, two fingers move and change the size. A click leads the other views to the same place.";
  dialog.append(title, list, mouse);
  button(dialog, "Close", "Close (Escape)", () => dialog.close());
  bar.append(dialog);
  return dialog;
}
