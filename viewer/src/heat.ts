// Heat maps as tinted pictures: what the grade rests on shines through, the anatomy stays readable below.

const TINT = [255, 196, 0];
const STRONGEST = 0.45;
const kept = new Map<string, HTMLCanvasElement | "loading">();

/** The tinted picture when it is there; else it is loaded, and `ready` is called. */
export function heatOf(url: string, ready: () => void): HTMLCanvasElement | null {
  const known = kept.get(url);
  if (known === undefined) {
    kept.set(url, "loading");
    void load(url).then((picture) => {
      kept.set(url, picture);
      ready();
    });
  }
  return known === undefined || known === "loading" ? null : known;
}

async function load(url: string): Promise<HTMLCanvasElement> {
  const image = new Image();
  image.src = url;
  await image.decode();
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
  const pen = canvas.getContext("2d")!;
  pen.drawImage(image, 0, 0);
  const pixels = pen.getImageData(0, 0, canvas.width, canvas.height);
  for (let at = 0; at < pixels.data.length; at += 4) {
    const heat = pixels.data[at];
    pixels.data.set([...TINT, heat * STRONGEST], at);
  }
  pen.putImageData(pixels, 0, 0);
  return canvas;
}
