// Labels out, as a job, and in.
import { send, say, fail } from "./api.js";

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
  try {
    const form = event.target.elements.form.value;
    const done = await send("POST", `/api/v1/labels/import?form=${form}`, document.getElementById("archive").files[0]);
    const words = Object.entries(done).map(([kind, count]) => `${count} ${kind}`);
    say(words.length ? `Brought in: ${words.join(", ")}.` : "Nothing differs from what is here.");
  } catch (error) {
    fail(error.message);
  }
});
