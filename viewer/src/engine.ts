// Starts cornerstone once a page: drawing on the graphics card, or by the processor where there is none.

import { init, RenderingEngine, setUseCPURendering, Settings } from "@cornerstonejs/core";
import {
  addTool,
  AngleTool,
  Enums,
  init as initTools,
  LengthTool,
  PanTool,
  StackScrollTool,
  ToolGroupManager,
  WindowLevelTool,
  ZoomTool,
} from "@cornerstonejs/tools";
import { registerFrames } from "./frames";
import type { Pixels } from "./pixels";

const { Primary, Secondary, Auxiliary, Wheel } = Enums.MouseBindings;
const TOOLS = [WindowLevelTool, PanTool, ZoomTool, StackScrollTool, LengthTool, AngleTool];

/** What a drag with the main button, or one finger, does. */
export const DRAGS = {
  scroll: { tool: StackScrollTool.toolName, title: "Scroll", key: "c" },
  window: { tool: WindowLevelTool.toolName, title: "Window", key: "w" },
  zoom: { tool: ZoomTool.toolName, title: "Zoom", key: "z" },
  pan: { tool: PanTool.toolName, title: "Move", key: "m" },
  length: { tool: LengthTool.toolName, title: "Length", key: "d" },
  angle: { tool: AngleTool.toolName, title: "Angle", key: "g" },
} as const;
export type Drag = keyof typeof DRAGS;

let engine: RenderingEngine | null = null;

/** Software that imitates a graphics card is slower than the processor's own way of drawing. */
function drawsInSoftware(): boolean {
  const context = document.createElement("canvas").getContext("webgl2");
  if (!context) return true;
  const info = context.getExtension("WEBGL_debug_renderer_info");
  const name = String(context.getParameter(info ? info.UNMASKED_RENDERER_WEBGL : context.RENDERER));
  context.getExtension("WEBGL_lose_context")?.loseContext();
  return /swiftshader|llvmpipe|software|basic render/i.test(name);
}

/** `forced` chooses the way of drawing whatever the machine has. */
export function startEngine(forced: "cpu" | "gpu" | null, fetched: Map<string, Promise<Pixels>>): RenderingEngine {
  if (engine) return engine;
  init({ debug: {}, rendering: { webGlContextCount: 1 } } as never);
  if (forced === "cpu" || (forced !== "gpu" && drawsInSoftware())) setUseCPURendering(true);
  initTools();
  TOOLS.forEach(addTool);
  registerFrames(fetched);
  // Cursors would be pictures from memory, which the page's content policy forbids.
  Settings.getRuntimeSettings().set("useCursors", false);
  engine = new RenderingEngine("lumbago");
  return engine;
}

type Group = NonNullable<ReturnType<typeof ToolGroupManager.createToolGroup>>;

/** A tool group of one viewer; wheel scrolls, the right button zooms, the middle one or two fingers move. */
export function makeTools(id: string): Group {
  const group = ToolGroupManager.createToolGroup(id)!;
  TOOLS.forEach((tool) => group.addTool(tool.toolName));
  return group;
}

export function setDrag(group: Group, drag: Drag): void {
  for (const { tool } of Object.values(DRAGS)) group.setToolPassive(tool, { removeAllBindings: true } as never);
  const bindings: Record<string, object[]> = {
    [StackScrollTool.toolName]: [{ mouseButton: Wheel }],
    [ZoomTool.toolName]: [{ mouseButton: Secondary }],
    [PanTool.toolName]: [{ mouseButton: Auxiliary }, { numTouchPoints: 2 }],
  };
  const main = DRAGS[drag].tool;
  (bindings[main] ??= []).push({ mouseButton: Primary }, { numTouchPoints: 1 });
  for (const [tool, list] of Object.entries(bindings)) group.setToolActive(tool, { bindings: list as never });
}

export type { Group };
