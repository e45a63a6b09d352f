// The findings table leads the viewer; what the reader does becomes reviews.
import { send, say, fail } from "./api.js";

const study = document.getElementById("study");
const id = study.dataset.study;
const panel = document.getElementById("place");
const viewer = document.getElementById("viewer");
const cells = [...document.querySelectorAll("button.place")];
const known = new Map();
let chosen = null;
let adding = null;

const part = (which) => panel.querySelector(`[data-part="${which}"]`);
const placeOf = (cell) => ({ condition: cell.dataset.condition, level: cell.dataset.level, side: cell.dataset.side || null });
const keyOf = (place) => [place.condition, place.level, place.side ?? ""].join("|");

async function load() {
  if (!panel) return;
  const detail = await send("GET", `/api/v1/studies/${id}/places`);
  for (const one of detail.places) known.set(keyOf(one), one);
  fillGrades();
  const asked = new URLSearchParams(location.hash.slice(1)).get("place");
  const cell = cells.find((one) => keyOf(placeOf(one)) === asked);
  if (cell) choose(cell);
}

function choose(cell) {
  chosen = cell;
  for (const one of cells) one.setAttribute("aria-pressed", String(one === cell));
  const place = placeOf(cell);
  history.replaceState(null, "", `#${new URLSearchParams({ place: keyOf(place) })}`);
  globalThis.viewer?.show?.(place);
  const about = known.get(keyOf(place));
  panel.hidden = false;
  part("title").textContent = cell.getAttribute("aria-label").split(":")[0];
  part("about").textContent = about?.about ?? cell.getAttribute("aria-label");
  bars(about?.probabilities ?? []);
  grades("grades", about?.grades ?? [], (grade) => act({ kind: "grade", ...place, payload: { grade } }));
  grades("decide", about?.grades ?? [], (grade) => act({ kind: "adjudicate", ...place, payload: { grade } }));
}

function bars(rows) {
  const box = part("probabilities");
  box.replaceChildren();
  for (const row of rows) {
    const name = document.createElement("span");
    name.textContent = row.title;
    const number = document.createElement("span");
    number.className = "number";
    number.textContent = row.percent;
    box.append(name, bar(row), number);
  }
}

function bar(row) {
  const make = (name, attributes) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    return element;
  };
  const svg = make("svg", { viewBox: "0 0 100 8", preserveAspectRatio: "none", "aria-hidden": "true", class: row.class_name });
  svg.append(make("rect", { class: "track", width: 100, height: 8 }), make("rect", { class: "filled", width: 100 * row.probability, height: 8 }));
  return svg;
}

function grades(which, rows, does) {
  const box = panel.querySelector(`[data-part="${which}"]`);
  if (!box) return;
  box.replaceChildren();
  for (const [number, row] of rows.entries()) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = which === "grades" ? `${row.title} (${number + 1})` : row.title;
    button.setAttribute("aria-pressed", String(row.grade === chosen.dataset.grade));
    button.addEventListener("click", () => does(row.grade));
    box.append(button);
  }
}

// What changes one place alone is shown without loading the page anew.
const LOCAL = new Set(["accept", "grade", "adjudicate", "comment"]);

async function act(review) {
  try {
    const seen = { findings_id: study.dataset.findings, numbering_shift: Number(study.dataset.shift) };
    await send("POST", `/api/v1/studies/${id}/reviews`, { ...seen, condition: "", level: "", payload: {}, ...review, side: review.side ?? "" });
    if (LOCAL.has(review.kind) && review.condition && chosen) await showAnew(review.kind);
    else {
      if (review.kind === "comment") document.getElementById("comment").value = "";
      say("Kept.");
      location.reload();
    }
  } catch (error) {
    fail(error.message);
  }
}

async function showAnew(kind) {
  const detail = await send("GET", `/api/v1/studies/${id}/places`);
  for (const one of detail.places) known.set(keyOf(one), one);
  for (const cell of cells) fill(cell, known.get(keyOf(placeOf(cell)))?.cell);
  showAbnormal(detail);
  choose(chosen);
  if (kind === "comment") document.getElementById("remark").value = "";
  else {
    showReviewed();
    globalThis.viewer?.renew?.().catch(() => {}); // a study whose images cannot be shown says so itself
  }
  say(kind === "comment" ? "The comment is kept." : "Kept.");
}

function showAbnormal({ headline, abnormal }) {
  document.getElementById("headline").textContent = `${headline}.`;
  const box = document.getElementById("abnormal");
  box.hidden = !abnormal.shown.length;
  box.replaceChildren(...abnormal.shown.map((one) => {
    const chip = document.createElement("button");
    chip.type = "button";
    chip.className = `chip ${one.class_name}`;
    chip.dataset.goto = one.place;
    chip.textContent = one.text;
    return chip;
  }));
  if (abnormal.more) box.append(line("small", `and ${abnormal.more} more`));
}

// A change also takes a signature back: the PDF is then the machine's.
function showReviewed() {
  const pdf = document.getElementById("pdf");
  pdf.textContent = Number(study.dataset.shift) ? "PDF, not signed nor renumbered" : "PDF, not signed";
  pdf.hidden = false;
  document.getElementById("making")?.remove();
  const badge = document.querySelector(".head .badge");
  badge.textContent = "reviewed";
  badge.className = "badge";
  document.getElementById("readings").textContent = "What you said is kept, and not signed.";
}

function fill(cell, shown) {
  if (!shown) return;
  const pressed = cell.getAttribute("aria-pressed");
  cell.className = ["place", shown.class_name, shown.abnormal && "abnormal", !shown.title && "withheld", shown.state === "disputed" && "disputed"].filter(Boolean).join(" ");
  cell.setAttribute("aria-label", shown.label);
  cell.title = shown.label;
  cell.setAttribute("aria-pressed", pressed);
  cell.dataset.grade = known.get(keyOf(placeOf(cell)))?.grade ?? "";
  cell.querySelector(".grade").textContent = shown.brief || "–";
  for (const old of cell.querySelectorAll(".said, .own")) old.remove();
  if (shown.machine_title) cell.querySelector(".grade").after(line("about own", `was ${shown.machine_brief}`));
  if (shown.said) cell.append(line("said", shown.said_brief));
}

function line(name, text) {
  const span = document.createElement("span");
  span.className = name;
  span.textContent = text;
  return span;
}

const acts = {
  accept: () => chosen && act({ kind: "accept", ...placeOf(chosen), payload: { grade: chosen.dataset.grade || null } }),
  comment: () => chosen && act({ kind: "comment", ...placeOf(chosen), payload: { text: document.getElementById("remark").value } }),
  "comment-study": () => act({ kind: "comment", payload: { text: document.getElementById("comment").value } }),
  sign: () => act({ kind: "sign" }),
  numbering: (button) => act({ kind: "numbering", payload: { shift: Number(study.dataset.shift) + Number(button.dataset.step) } }),
  place: () => { adding = lesion(); globalThis.viewer?.place?.(adding); say("Click the lesion in the viewer."); },
  next: () => {
    const from = cells.indexOf(chosen);
    const unseen = (cell) => !cell.querySelector(".said");
    const cell = cells.slice(from + 1).find(unseen) ?? cells.find(unseen);
    if (cell) { choose(cell); cell.focus(); } else say("Every place has been reviewed.");
  },
};

const form = document.getElementById("add");
const lesion = () => {
  const fields = Object.fromEntries(new FormData(form));
  return { condition: fields.condition, level: fields.level, side: fields.side, payload: { grade: fields.grade } };
};
let scales = null;
async function fillGrades() {
  if (!form) return;
  scales ??= await send("GET", "/api/v1/conditions");
  const condition = scales.find((one) => one.name === form.elements.condition.value);
  form.elements.grade.replaceChildren(...condition.grades.map((one) => new Option(one.title, one.grade)));
  if (condition.grades.length) form.elements.grade.value = condition.grades.at(-1).grade;
  form.elements.side.disabled = !condition.sided;
}
form?.elements.condition.addEventListener("change", fillGrades);
form?.addEventListener("submit", (event) => { event.preventDefault(); act({ kind: "add", ...lesion() }); });

for (const cell of cells) cell.addEventListener("click", () => choose(cell));
document.getElementById("abnormal")?.addEventListener("click", (event) => {
  const place = event.target.closest("[data-goto]")?.dataset.goto;
  const cell = cells.find((one) => keyOf(placeOf(one)) === place);
  if (!cell) return;
  choose(cell);
  cell.scrollIntoView({ block: "nearest", inline: "center" });
});
for (const button of document.querySelectorAll("[data-act]")) {
  button.addEventListener("click", () => acts[button.dataset.act](button));
}

// The viewer's own events: something was moved, placed, or a level was clicked.
viewer.addEventListener("lumbago:moved", (event) => {
  const { condition, level, side, point_lps_mm, box_lps_mm, box_down_lps } = event.detail;
  act({ kind: "move", condition, level, side: side ?? "", payload: { point_lps_mm, box_lps_mm, box_down_lps } });
});
viewer.addEventListener("lumbago:placed", (event) => {
  const what = adding ?? lesion();
  act({ kind: "add", ...what, payload: { ...what.payload, point_lps_mm: event.detail.point_lps_mm } });
});
viewer.addEventListener("lumbago:level", (event) => {
  const cell = cells.find((one) => one.dataset.level === event.detail.level);
  if (cell) { choose(cell); cell.focus(); }
});

addEventListener("keydown", (event) => {
  if (event.target.closest("input, textarea, select, #viewer") || event.ctrlKey || event.metaKey || event.altKey) return;
  const row = chosen?.closest("tr");
  const key = event.key.toLowerCase();
  if (key === "a" && panel && part("acts")) acts.accept();
  else if (key === "n" && panel) acts.next();
  else if (key === "s" && document.querySelector('[data-act="sign"]')) acts.sign();
  else if (/^[1-9]$/.test(key) && chosen) part("grades")?.children[Number(key) - 1]?.click();
  else if (key.startsWith("arrow") && document.activeElement === chosen && row) step(key, row);
  else return;
  event.preventDefault();
});

function step(key, row) {
  const column = chosen.closest("td").cellIndex;
  const next = {
    arrowleft: () => row.cells[column - 1],
    arrowright: () => row.cells[column + 1],
    arrowup: () => row.previousElementSibling?.cells[column],
    arrowdown: () => row.nextElementSibling?.cells[column],
  }[key]();
  const cell = next?.querySelector("button.place");
  if (cell) { choose(cell); cell.focus(); }
}

function follow(id, tell) {
  const events = new EventSource(`/api/v1/jobs/${id}/events`);
  events.addEventListener("job", (event) => {
    const job = JSON.parse(event.data);
    if (["done", "failed"].includes(job.state)) events.close();
    tell(job);
  });
  addEventListener("pagehide", () => events.close());
}

const progress = document.getElementById("progress");
if (progress?.dataset.job) {
  follow(progress.dataset.job, (job) => {
    const bar = progress.querySelector("progress");
    if (bar) bar.value = job.progress;
    const message = progress.querySelector('[data-part="message"]');
    if (message) message.textContent = job.message;
    if (["done", "failed"].includes(job.state)) location.reload();
  });
}

const making = document.getElementById("making");
if (making?.dataset.job) {
  follow(making.dataset.job, (job) => {
    if (job.state === "failed") making.textContent = job.error;
    if (job.state !== "done") return;
    making.remove();
    document.getElementById("pdf").hidden = false;
  });
}

// Words that are not sent yet: the browser asks before they are lost, also when the session is over.
addEventListener("beforeunload", (event) => {
  if ([...document.querySelectorAll("textarea")].some((one) => one.value.trim())) event.preventDefault();
});

load().catch((error) => fail(error.message));
