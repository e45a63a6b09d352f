// Frames as the server sends them.

import type { Slice } from "./study";

export type Pixels = Int16Array | Uint16Array | Float32Array;

const ARRAYS = { int16: Int16Array, uint16: Uint16Array };

/** The intensities of a slice, row by row. */
export async function fetchPixels(slice: Slice): Promise<Pixels> {
  const response = await fetch(slice.url, { credentials: "same-origin" });
  if (!response.ok) throw new Error(`Slice ${slice.index + 1} cannot be shown: the server answers ${response.status}.`);
  const stored = new ARRAYS[response.headers.get("X-Type") as "int16" | "uint16"](await response.arrayBuffer());
  const [slope, intercept] = ["X-Slope", "X-Intercept"].map((name) => Number(response.headers.get(name)));
  return slope === 1 && intercept === 0 ? stored : Float32Array.from(stored, (value) => value * slope + intercept);
}

/** Paints a slice in its window on a plain canvas. */
export function paint(canvas: HTMLCanvasElement, slice: Slice, pixels: Pixels): void {
  [canvas.width, canvas.height] = [slice.columns, slice.rows];
  const pen = canvas.getContext("2d")!;
  const picture = pen.createImageData(slice.columns, slice.rows);
  const grey = new Uint32Array(picture.data.buffer);
  const [center, width] = slice.window;
  const [low, scale] = [center - width / 2, 255 / width];
  for (let at = 0; at < pixels.length; at++) {
    const value = Math.max(0, Math.min(255, Math.round((pixels[at] - low) * scale)));
    grey[at] = 0xff000000 | (value * 0x010101);
  }
  pen.putImageData(picture, 0, 0);
}
