// Keeps the states of the worklist's rows as they are now.
const rows = new Map([...document.querySelectorAll("tr[data-study]")].map((row) => [row.dataset.study, row]));
const events = new EventSource("/api/v1/events");

events.addEventListener("job", (event) => {
  const job = JSON.parse(event.data);
  const row = rows.get(job.study_id);
  if (!row) return;
  const running = job.state === "running";
  row.querySelector('[data-part="message"]').textContent = running ? ` ${Math.round(100 * job.progress)} % ${job.message}` : "";
  if (["done", "failed"].includes(job.state) && job.kind === "analyze") location.reload();
});
addEventListener("pagehide", () => events.close());
