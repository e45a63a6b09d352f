// Frames come decoded from our server: the loader hands them to cornerstone as they are, with their place.

import { imageLoader, metaData, utilities, cache, Enums, type Types } from "@cornerstonejs/core";
import { fetchPixels, type Pixels } from "./pixels";
import type { Series, Slice, StudyData } from "./study";

const SCHEME = "lumbago";
const slices = new Map<string, { series: Series; slice: Slice }>();
let early = new Map<string, Promise<Pixels>>();

export const imageIdOf = (slice: Slice): string => `${SCHEME}:${slice.url}`;

/** Makes the frames of a study known. */
export function announce(data: StudyData): void {
  for (const series of data.series) for (const slice of series.slices) slices.set(imageIdOf(slice), { series, slice });
}

function extremes(pixels: ArrayLike<number>): [number, number] {
  let [low, high] = [pixels[0], pixels[0]];
  for (let at = 1; at < pixels.length; at++) {
    if (pixels[at] < low) low = pixels[at];
    else if (pixels[at] > high) high = pixels[at];
  }
  return [low, high];
}

async function load(imageId: string): Promise<Types.IImage> {
  const { slice } = slices.get(imageId)!;
  const pixels = await (early.get(slice.url) ?? fetchPixels(slice));
  early.delete(slice.url);
  const [low, high] = extremes(pixels);
  const { rows, columns } = slice;
  const voxelManager = utilities.VoxelManager.createImageVoxelManager({
    width: columns,
    height: rows,
    scalarData: pixels,
    numberOfComponents: 1,
  });
  return {
    imageId,
    minPixelValue: low,
    maxPixelValue: high,
    slope: 1,
    intercept: 0,
    windowCenter: slice.window[0],
    windowWidth: slice.window[1],
    voiLUTFunction: Enums.VOILUTFunctionType.LINEAR_EXACT,
    getPixelData: () => pixels,
    rows,
    columns,
    height: rows,
    width: columns,
    color: false,
    rgba: false,
    numberOfComponents: 1,
    rowPixelSpacing: slice.spacing_mm[0],
    columnPixelSpacing: slice.spacing_mm[1],
    invert: false,
    photometricInterpretation: "MONOCHROME2",
    sizeInBytes: pixels.byteLength,
    dataType: pixels.constructor.name as Types.PixelDataTypedArrayString,
    voxelManager,
  } as unknown as Types.IImage;
}

type Describe = (series: Series, slice: Slice) => Record<string, unknown>;

const MODULES: Record<string, Describe> = {
  imagePlaneModule: (series, slice) => {
    const row = slice.row_cosine ?? [1, 0, 0];
    const column = slice.column_cosine ?? [0, 1, 0];
    return {
      frameOfReferenceUID: series.frame_of_reference_uid || series.uid,
      rows: slice.rows,
      columns: slice.columns,
      imageOrientationPatient: [...row, ...column],
      rowCosines: row,
      columnCosines: column,
      imagePositionPatient: slice.position_lps_mm ?? [0, 0, slice.index],
      pixelSpacing: slice.spacing_mm,
      rowPixelSpacing: slice.spacing_mm[0],
      columnPixelSpacing: slice.spacing_mm[1],
      usingDefaultValues: slice.position_lps_mm === null,
    };
  },
  imagePixelModule: () => ({
    bitsAllocated: 16,
    bitsStored: 16,
    highBit: 15,
    samplesPerPixel: 1,
    pixelRepresentation: 0,
    photometricInterpretation: "MONOCHROME2",
  }),
  voiLutModule: (_, slice) => ({
    windowCenter: [slice.window[0]],
    windowWidth: [slice.window[1]],
    voiLUTFunction: Enums.VOILUTFunctionType.LINEAR_EXACT,
  }),
  modalityLutModule: () => ({ rescaleSlope: 1, rescaleIntercept: 0 }),
  generalSeriesModule: (series) => ({ modality: "MR", seriesInstanceUID: series.uid }),
  sopCommonModule: (_, slice) => ({ sopInstanceUID: slice.sop_instance_uid }),
};

/** Once a page: teaches cornerstone our scheme, and bounds what it keeps. `fetched` is what was asked for before. */
export function registerFrames(fetched: Map<string, Promise<Pixels>>): void {
  early = fetched;
  cache.setMaxCacheSize(512 * 1024 * 1024);
  imageLoader.registerImageLoader(SCHEME, (imageId: string) => ({ promise: load(imageId) as Promise<any> }));
  metaData.addProvider((kind: string, imageId: string) => {
    const known = slices.get(imageId);
    return known && MODULES[kind]?.(known.series, known.slice);
  });
}

/** Loads the rest of a stack from the shown slice outwards, a few at a time. */
export async function prefetch(series: Series, from: number): Promise<void> {
  const order = [...series.slices].sort((a, b) => Math.abs(a.index - from) - Math.abs(b.index - from));
  for (let at = 0; at < order.length; at += 2) {
    const pair = order.slice(at, at + 2).map((slice) => imageLoader.loadAndCacheImage(imageIdOf(slice)));
    await Promise.allSettled(pair);
  }
}
