// What the server says of a study: the JSON of GET /api/v1/studies/{id}/viewer (src/lumbago/web/viewer_data.py).

export type Point = [number, number, number];
export type Side = "left" | "right" | null;

export interface Slice {
  index: number;
  sop_instance_uid: string;
  frame: number | null;
  url: string;
  rows: number;
  columns: number;
  position_lps_mm: Point | null;
  row_cosine: Point | null;
  column_cosine: Point | null;
  spacing_mm: [number, number];
  window: [number, number];
}

export interface Series {
  uid: string;
  description: string;
  role: string | null;
  plane: string;
  frame_of_reference_uid: string;
  slices: Slice[];
}

export interface Evidence {
  series_instance_uid: string;
  sop_instance_uid: string;
  frame: number | null;
  role: string;
  point_lps_mm: Point;
  box_lps_mm: [Point, Point] | null;
  outline: Point[];
  heat_map: string | null;
}

export interface Finding {
  condition: string;
  level: string;
  side: Side;
  grade: string | null;
  probabilities: Record<string, number>;
  abstained: boolean;
  reason: string | null;
  evidence: Evidence | null;
  trained_on: string | null;
}

/** A structure as it was drawn on a slice. */
export interface Outline {
  level: string;
  structure: string;
  points_lps_mm: Point[];
}

/** Where it was drawn: the numbers of the outline, of the series and of the slice. */
export interface Drawn {
  outline: number;
  series: number;
  slice: number;
}

export interface Level {
  level: string;
  disc_center_lps_mm: Point;
  name_is_sure: boolean;
}

export interface Condition {
  title: string;
  short: string;
  source: string;
  grades: string[];
  titles: string[];
  colours: string[];
  abnormal_from: number;
}

export interface Place {
  condition: string;
  level: string;
  side: Side;
  series: number;
  slice: number;
  corners_lps_mm: Point[] | null;
}

export interface StudyData {
  study: { name: string; study_instance_uid: string };
  findings: { levels: Level[]; findings: Finding[]; outlines: Outline[]; study: { study_date: string } } | null;
  conditions: Record<string, Condition>;
  structures: Record<string, { colour: string }>;
  series: Series[];
  places: Place[];
  drawn: Drawn[];
  heat_maps: Record<string, { url: string }>;
}

/** Where a finding is looked for: a cell of the findings table. */
export interface Site {
  condition: string;
  level: string;
  side: Side;
}

export const ROLES: Record<string, string> = {
  sagittal_t2: "Sagittal T2",
  sagittal_t1: "Sagittal T1",
  axial_t2: "Axial T2",
};

export function isAt(site: Site, other: Site): boolean {
  return site.condition === other.condition && site.level === other.level && (site.side ?? null) === (other.side ?? null);
}

export function findingAt(data: StudyData, site: Site): Finding | undefined {
  return data.findings?.findings.find((finding) => isAt(finding, site));
}

export function placeOf(data: StudyData, site: Site): Place | undefined {
  return data.places.find((place) => isAt(place, site));
}

export function levelsOf(data: StudyData): Level[] {
  return data.findings?.levels ?? [];
}

/** What was drawn on a slice of a series. */
export function outlinesOn(data: StudyData, series: Series, slice: number): Outline[] {
  const number = data.series.indexOf(series);
  return data.drawn.filter((one) => one.series === number && one.slice === slice).map((one) => data.findings!.outlines[one.outline]);
}

/** How bad a grade is, from 0 (best) to 1; -1 without a grade. */
export function badness(data: StudyData, finding: Finding): number {
  const grades = data.conditions[finding.condition].grades;
  return finding.grade === null ? -1 : grades.indexOf(finding.grade) / (grades.length - 1);
}

export function isAbnormal(data: StudyData, finding: Finding): boolean {
  const condition = data.conditions[finding.condition];
  return finding.grade !== null && condition.grades.indexOf(finding.grade) >= condition.abnormal_from;
}

/** The grade's colour, lightened to show on the dark of an image; grey without a grade. */
export function colourOf(data: StudyData, finding: Finding | undefined): string {
  if (!finding || finding.grade === null) return "#c0c0c0";
  const condition = data.conditions[finding.condition];
  const colour = condition.colours[condition.grades.indexOf(finding.grade)];
  const lighter = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16)).map((v) => Math.round(v + 0.25 * (255 - v)));
  return `rgb(${lighter.join(",")})`;
}

/** As the report has it: never certain, and halves go to the even number. */
function percent(share: number): string {
  const shown = 100 * share, down = Math.floor(shown);
  const whole = shown - down === 0.5 ? down + (down % 2) : Math.round(shown);
  return whole >= 100 ? ">99%" : whole ? `${whole}%` : "<1%";
}

/** `L4/L5? left foramen: severe†, 82%`, with the report's marks of unsure names and of models that saw phantoms only. */
export function describe(data: StudyData, finding: Finding): string {
  const condition = data.conditions[finding.condition];
  const isSure = levelsOf(data).every((one) => one.level !== finding.level || one.name_is_sure);
  const where = [finding.level + (isSure ? "" : "?"), finding.side, condition.short].filter(Boolean).join(" ");
  if (finding.grade === null) return `${where}: no grade`;
  const title = condition.titles[condition.grades.indexOf(finding.grade)] + (finding.trained_on === "phantoms" ? "†" : "");
  const share = finding.probabilities[finding.grade];
  return `${where}: ${title}${share === undefined ? "" : `, ${percent(share)}`}`;
}
