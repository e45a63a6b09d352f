#!/bin/sh
# From the data of RSNA 2024 to submission.csv; README.md beside this file says how. What is done is not done again:
# after an interruption the same command goes on. To do a stage again, remove its mark in OUT/done.
set -eu

DATA=${DATA:?the folder that holds rsna/}
OUT=${OUT:-runs/rsna}
RECIPE=${RECIPE:-experiments/rsna/alone}
FOLDS=${FOLDS:-0 1 2 3 4}
LOCATOR=${LOCATOR:-src/lumbago/models/spine-locator}
DEVICE=${DEVICE:-auto}
THREADS=${THREADS:-2}
LUMBAGO=${LUMBAGO:-lumbago}
PARTS="canal foramen recess"

mkdir -p "$OUT/done"

# stage NAME COMMAND...: runs a command once; 5 (parts are missing, labels are suspicious) is no reason to stop.
stage() {
  name=$1
  shift
  if [ -e "$OUT/done/$name" ]; then
    return
  fi
  echo "== $name"
  code=0
  "$@" || code=$?
  if [ "$code" -ne 0 ] && [ "$code" -ne 5 ]; then
    echo "run.sh: $name ended with $code; the same command goes on from here" >&2
    exit "$code"
  fi
  touch "$OUT/done/$name"
}

train() {
  stage "train-$1-$2" $LUMBAGO train "$RECIPE/$1-grader.toml" --data "$DATA" --locators "$LOCATOR" \
    --out "$OUT/$1-$2" --fold "$3" --device "$DEVICE" --threads "$THREADS" --resume
}

# of_parts BEFORE AFTER: BEFORE, the part's name, AFTER, for every part, commas between.
of_parts() {
  for PART in $PARTS; do echo "$1$PART$2"; done | paste -sd, -
}

stage check $LUMBAGO labels check rsna "$DATA/rsna" --json "$OUT/labels.json"
for PART in $PARTS; do
  for FOLD in $FOLDS; do train "$PART" "$FOLD" "$FOLD"; done
  stage "evaluate-$PART" $LUMBAGO evaluate "$RECIPE/$PART-grader.toml" --data "$DATA" --locators "$LOCATOR" \
    --runs "$OUT/$PART-{fold}" --out "$OUT/scores-$PART"
done
stage evaluate $LUMBAGO evaluate --cases "$(of_parts "$OUT/scores-" /predictions.csv)" --out "$OUT/scores"
stage submission-folds $LUMBAGO submission "$DATA/rsna" --locators "$LOCATOR" --runs "$(of_parts "$OUT/" "-{fold}")" \
  --out "$OUT/submission-folds.csv"
for PART in $PARTS; do train "$PART" final -1; done
stage submission $LUMBAGO submission "$DATA/rsna" --locators "$LOCATOR" --runs "$(of_parts "$OUT/" -final)" \
  --out "$OUT/submission.csv"
echo "Out of fold: $OUT/scores/report.html. Submissions: $OUT/submission.csv, $OUT/submission-folds.csv."
