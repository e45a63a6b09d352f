// Makes the page's `<div id="viewer" data-study="ID">` a viewer. `data-beside` adds a second study, `data-blind` hides
// all findings, `data-review` lets marks be moved, `data-drawing` ("cpu" or "gpu") overrides how pictures are drawn.
// This file is small: it shows the first image while the rest, with cornerstone, is still being read.

import { fetchPixels, paint, type Pixels } from "./pixels";
import { startOf, stacksOf } from "./stacks";
import type { Site, Slice, StudyData } from "./study";
import type { mount as Mount } from "./stage";

const REST = new URL(`viewer-stage.js${new URL(import.meta.url).search}`, import.meta.url).href;

async function fetchStudy(id: string, blind: boolean): Promise<StudyData> {
  const response = await fetch(`/api/v1/studies/${id}/viewer${blind ? "?blind=true" : ""}`, { credentials: "same-origin" });
  if (!response.ok) throw new Error(`The images cannot be shown: the server answers ${response.status}.`);
  return response.json();
}

function firstSlice(data: StudyData): Slice {
  const [first] = stacksOf(data);
  if (!first) throw new Error("This study holds no images that can be shown.");
  return first[1].slices[startOf(data, first[1])];
}

/** Has the rest fetched, but not run, while the first image is on its way. */
function preload(): void {
  const link = document.createElement("link");
  [link.rel, link.href] = ["modulepreload", REST];
  document.head.append(link);
}

async function mount(root: HTMLElement): ReturnType<typeof Mount> {
  const { study, beside, blind } = root.dataset;
  const loading = [study!, beside].flatMap((id) => (id ? [fetchStudy(id, blind !== undefined)] : []));
  preload();
  root.classList.add("lv");
  const slice = firstSlice(await loading[0]);
  const pixels = fetchPixels(slice);
  const poster = document.createElement("canvas");
  poster.className = "lv-poster";
  paint(poster, slice, await pixels);
  root.replaceChildren(poster);
  performance.mark("lumbago:first-image");
  await new Promise((painted) => requestAnimationFrame(() => setTimeout(painted)));
  const { mount: mountRest } = (await import(REST)) as { mount: typeof Mount };
  const fetched = new Map<string, Promise<Pixels>>([[slice.url, pixels]]);
  return mountRest(root, await Promise.all(loading), fetched);
}

function start(root: HTMLElement): void {
  root.setAttribute("aria-busy", "true");
  const ready = mount(root);
  ready
    .catch((error: Error) => {
      root.replaceChildren();
      const message = document.createElement("p");
      message.setAttribute("role", "alert");
      message.className = "lv-problem";
      message.textContent = error.message;
      root.append(message);
      console.error(error);
    })
    .finally(() => root.removeAttribute("aria-busy"));
  const api = {
    ready,
    show: async (site: Site) => void (await Promise.all((await ready).map((viewer) => viewer.show(site)))),
    place: async () => (await ready)[0].place(),
    renew: async () => (await ready)[0].renew(await fetchStudy(root.dataset.study!, root.dataset.blind !== undefined)),
  };
  (globalThis as { viewer?: unknown }).viewer = api;
}

const root = document.getElementById("viewer");
if (root?.dataset.study) start(root);
