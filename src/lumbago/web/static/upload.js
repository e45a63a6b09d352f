// Uploads: one stream of bytes for each choice (a file, or all files of a folder).
import { send } from "./api.js";
import { sendFiles } from "./chunks.js";

const drop = document.getElementById("drop");
const list = document.getElementById("uploads");
const chunkBytes = Number(drop.dataset.chunk);
const limitBytes = Number(drop.dataset.limit);

document.getElementById("files").addEventListener("change", (event) => {
  for (const file of event.target.files) start(file.name, [{ name: file.name, file }]);
  event.target.value = "";
});
document.getElementById("folder").addEventListener("change", (event) => {
  const files = [...event.target.files].map((file) => ({ name: file.webkitRelativePath || file.name, file }));
  if (files.length) start(files[0].name.split("/")[0], files);
  event.target.value = "";
});
for (const kind of ["dragenter", "dragover"]) {
  drop.addEventListener(kind, (event) => { event.preventDefault(); drop.classList.add("over"); });
}
for (const kind of ["dragleave", "drop"]) drop.addEventListener(kind, () => drop.classList.remove("over"));
drop.addEventListener("drop", async (event) => {
  event.preventDefault();
  const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry()).filter(Boolean);
  for (const entry of entries) {
    const files = await filesOf(entry);
    if (files.length) start(entry.name, files);
  }
});

async function filesOf(entry, prefix = "") {
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
    return [{ name: prefix + entry.name, file }];
  }
  const reader = entry.createReader();
  const found = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return found;
    for (const one of some) found.push(...(await filesOf(one, `${prefix}${entry.name}/`)));
  }
}

function start(name, files) {
  document.getElementById("none").hidden = true;
  const row = document.getElementById("upload").content.cloneNode(true).firstElementChild;
  const part = (which) => row.querySelector(`[data-part="${which}"]`);
  const total = files.reduce((sum, one) => sum + one.file.size, 0);
  part("name").textContent = name;
  part("size").textContent = `${files.length} file${files.length === 1 ? "" : "s"}, ${(total / 1e6).toFixed(1)} MB`;
  list.prepend(row);
  const show = (share, text) => { row.querySelector("progress").value = share; part("message").textContent = text; };
  const go = async () => {
    part("again").hidden = true;
    try {
      if (total > limitBytes) throw new Error(`Larger than the ${Math.round(limitBytes / 1e9)} GB that one upload may have.`);
      const job = await upload(name, files, total, show);
      follow(job, part, show);
    } catch (error) {
      show(0, error.message);
      part("message").classList.add("error");
      part("again").hidden = false;
    }
  };
  part("again").addEventListener("click", go);
  go();
}

async function upload(name, files, total, show) {
  const session = await sendFiles(name, files, chunkBytes, (at) => show(at / total, `${Math.round((100 * at) / total)} % sent`));
  return send("POST", `/api/v1/uploads/${session}/finish`, {});
}

function follow(job, part, show) {
  show(0, "Received. Waiting to be read.");
  const events = new EventSource(`/api/v1/jobs/${job.id}/events`);
  events.addEventListener("job", (event) => {
    const now = JSON.parse(event.data);
    const isDone = now.state === "done";
    show(isDone ? 1 : now.progress, now.error || (isDone ? "Read. Its analysis goes on by itself." : now.message || now.state));
    if (isDone) {
      links(now, part);
      skipped(now.skipped ?? [], part("skipped"));
    }
    if (now.state === "failed") part("message").classList.add("error");
    if (["done", "failed"].includes(now.state)) events.close();
  });
}

function links(job, part) {
  for (const study of job.studies ?? []) {
    const link = document.createElement("a");
    link.href = `/studies/${study}`;
    link.textContent = "Open the study";
    link.className = "button";
    part("links").append(link, " ");
  }
}

const MOST_NAMED = 200; // the server names no more

function skipped(files, box) {
  box.hidden = !files.length;
  const many = `${files.length} file${files.length === 1 ? "" : "s"}${files.length < MOST_NAMED ? "" : " or more"}`;
  box.querySelector("summary").textContent = `${many} left out`;
  box.querySelector("ul").replaceChildren(...files.map(({ name, reason }) => {
    const row = document.createElement("li");
    const called = document.createElement("bdi");
    called.textContent = name;
    row.append(called, `: ${reason}`);
    return row;
  }));
}
