// Labels out, as a job, and in.
import { send, say, fail } from "./api.js";
import { sendFiles } from "./chunks.js";

const WORDS = { grade: ["grade", "grades"], move: ["moved place", "moved places"], add: ["new lesion", "new lesions"] };

document.getElementById("export").addEventListener("submit", async (event) => {
  event.preventDefault();
  const shown = document.getElementById("exported");
  try {
    const job = await send("POST", "/api/v1/labels/export", { form: event.target.elements.form.value });
    shown.textContent = "The archive is being made.";
    const events = new EventSource(`/api/v1/jobs/${job.id}/events`);
    events.addEventListener("job", (message) => {
      const now = JSON.parse(message.data);
      if (now.state === "failed") { shown.textContent = now.error; events.close(); }
      if (now.state !== "done") return;
      events.close();
      const link = document.createElement("a");
      link.href = `/api/v1/labels/exports/${now.file}`;
      link.textContent = "Download the archive";
      shown.replaceChildren(link);
    });
  } catch (error) {
    fail(error.message);
  }
});

document.getElementById("import").addEventListener("submit", async (event) => {
  event.preventDefault();
  const file = document.getElementById("archive").files[0];
  const button = event.target.querySelector("button");
  button.disabled = true;
  try {
    const form = event.target.elements.form.value;
    const chunk = Number(event.target.dataset.chunk);
    const upload = await sendFiles(file.name, [{ name: file.name, file }], chunk, (at) => say(`${Math.round((100 * at) / file.size)} % sent`));
    const done = await send("POST", `/api/v1/labels/import?form=${form}&upload=${upload}`);
    const said = (rows) => rows.map(([kind, count]) => `${count} ${WORDS[kind]?.[Number(count !== 1)] ?? kind}`).join(", ");
    const words = said(Object.entries(done).filter(([kind]) => kind in WORDS));
    const left = said(Object.entries(done).filter(([kind]) => !(kind in WORDS)));
    const told = [words && `Brought in: ${words}.`, left && `Left out: ${left}.`].filter(Boolean);
    say(told.join(" ") || "Nothing differs from what is here.");
  } catch (error) {
    fail(error.message);
  } finally {
    button.disabled = false;
  }
});
