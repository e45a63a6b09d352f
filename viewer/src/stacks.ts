// Which stacks of a study are shown, and where they start.

import { ROLES, type Series, type StudyData } from "./study";

/** The stacks to show, by role; a study without roles shows its largest stack. */
export function stacksOf(data: StudyData): [string, Series][] {
  const found = Object.keys(ROLES).flatMap((role): [string, Series][] => {
    const playing = data.series.filter((series) => series.role === role);
    const used = playing.find((series) => data.places.some((place) => data.series[place.series] === series));
    return playing.length ? [[role, used ?? playing[0]]] : [];
  });
  if (found.length) return found;
  const largest = [...data.series].sort((a, b) => b.slices.length - a.slices.length)[0];
  return largest ? [["other", largest]] : [];
}

/** The slice that most findings point to, else the middle one. */
export function startOf(data: StudyData, series: Series): number {
  const number = data.series.indexOf(series);
  const counts = new Map<number, number>();
  for (const place of data.places) if (place.series === number) counts.set(place.slice, (counts.get(place.slice) ?? 0) + 1);
  const most = [...counts].sort((a, b) => b[1] - a[1])[0];
  return most ? most[0] : Math.floor(series.slices.length / 2);
}
