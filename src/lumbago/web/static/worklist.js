// Keeps the worklist as it is now.
const events = new EventSource("/api/v1/events");
let asked = 0;

events.addEventListener("job", (event) => {
  const job = JSON.parse(event.data);
  const row = [...document.querySelectorAll("tr[data-study]")].find((one) => one.dataset.study === job.study_id);
  if (!row) return;
  const running = job.state === "running";
  row.querySelector('[data-part="message"]').textContent = running ? ` ${Math.round(100 * job.progress)} % ${job.message}` : "";
  if (["done", "failed"].includes(job.state) && job.kind === "analyze") renew();
});
addEventListener("pagehide", () => events.close());

// Nobody asked for this: it does not keep a reader signed in who has left, and then leads to the sign-in.
async function renew() {
  const turn = ++asked;
  const answer = await fetch(location.href, { headers: { "X-Unasked": "1" } }).catch(() => null);
  if (answer?.redirected) location.reload();
  if (!answer?.ok || answer.redirected) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  if (turn !== asked) return;
  for (const part of ["#worklist", "nav.pager"]) document.querySelector(part).replaceWith(page.querySelector(part));
}
