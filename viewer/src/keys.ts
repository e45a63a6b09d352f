// The keyboard: one table, for what keys do and for the help that lists them.

import { DRAGS, type Drag } from "./engine";
import { LAYERS, type Layer } from "./overlay";
import type { StudyViewer } from "./viewer";

export interface Key {
  keys: string[];
  /** As the help writes them. */
  shown: string;
  does: string;
  act(viewer: StudyViewer, key: string): void;
}

const view = (viewer: StudyViewer) => viewer.activeView;
const far = 1e6;
const ARROWS: Record<string, [number, number]> = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const arrowOf = (key: string) => ARROWS[key.split("+").pop()!];
const withArrows = (prefix: string) => Object.keys(ARROWS).map((arrow) => prefix + arrow);

export const KEYS: Key[] = [
  { keys: ["ArrowUp", "ArrowLeft"], shown: "↑ ←", does: "slice before", act: (v) => void view(v).scroll(-1) },
  { keys: ["ArrowDown", "ArrowRight"], shown: "↓ →", does: "slice after", act: (v) => void view(v).scroll(1) },
  { keys: ["PageUp"], shown: "Page up", does: "five slices back", act: (v) => void view(v).scroll(-5) },
  { keys: ["PageDown"], shown: "Page down", does: "five slices on", act: (v) => void view(v).scroll(5) },
  { keys: ["Home"], shown: "Home", does: "first slice", act: (v) => void view(v).scroll(-far) },
  { keys: ["End"], shown: "End", does: "last slice", act: (v) => void view(v).scroll(far) },
  { keys: ["v"], shown: "V", does: "next view", act: (v) => v.views[(v.views.indexOf(view(v)) + 1) % v.views.length].box.focus() },
  { keys: ["x"], shown: "X", does: "one view or all", act: (v) => v.maximise() },
  { keys: ["["], shown: "[", does: "level above", act: (v) => v.stepLevel(-1) },
  { keys: ["]"], shown: "]", does: "level below", act: (v) => v.stepLevel(1) },
  { keys: ["+", "="], shown: "+", does: "larger", act: (v) => view(v).zoom(1.25) },
  { keys: ["-"], shown: "-", does: "smaller", act: (v) => view(v).zoom(0.8) },
  {
    keys: withArrows("Shift+"), shown: "Shift ↑ ↓ ← →", does: "brighter, darker, softer, harder",
    act: (v, key) => { const [x, y] = arrowOf(key); view(v).window(-0.08 * y, 0.12 * x); },
  },
  {
    keys: withArrows("Alt+"), shown: "Alt ↑ ↓ ← →", does: "move the picture; in review, the point",
    act: (v, key) => { const [x, y] = arrowOf(key); if (!v.edits.nudge(x, y)) view(v).pan(-30 * x, -30 * y); },
  },
  { keys: ["0"], shown: "0", does: "size, place and brightness as at first", act: (v) => view(v).reset() },
  ...Object.entries(LAYERS).map(([name, { title, key }]): Key => ({
    keys: [key], shown: key.toUpperCase(), does: `${title.toLowerCase()} on or off`, act: (v) => v.toggle(name as Layer),
  })),
  ...Object.entries(DRAGS).map(([name, { title, key }]): Key => ({
    keys: [key], shown: key.toUpperCase(), does: `dragging: ${title.toLowerCase()}`, act: (v) => v.useDrag(name as Drag),
  })),
  { keys: ["e"], shown: "E", does: "review: move the point or box of the selected finding", act: (v) => v.edits.toggle() },
  { keys: ["Enter"], shown: "Enter", does: "review: keep what was moved or placed", act: (v) => void v.edits.commit() },
  { keys: ["Escape"], shown: "Escape", does: "review: take it back", act: (v) => void v.edits.cancel() },
];

function nameOf(event: KeyboardEvent): string {
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const prefix = (event.altKey ? "Alt+" : "") + (event.shiftKey && key.length > 1 ? "Shift+" : "");
  return prefix + key;
}

/** Whether the key meant something to the viewer. */
export function press(viewer: StudyViewer, event: KeyboardEvent): boolean {
  if (event.ctrlKey || event.metaKey) return false;
  const name = nameOf(event);
  const row = KEYS.find((one) => one.keys.includes(name));
  row?.act(viewer, name);
  return row !== undefined;
}
