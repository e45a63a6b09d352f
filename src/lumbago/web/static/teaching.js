// Sends what was graded blind.
import { send, fail } from "./api.js";

const form = document.getElementById("blind");
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const grades = [...form.querySelectorAll("select")]
    .filter((one) => one.value)
    .map((one) => ({ condition: one.dataset.condition, level: one.dataset.level, side: one.dataset.side, grade: one.value }));
  try {
    await send("POST", `/api/v1/studies/${form.dataset.study}/teaching`, { grades });
    location.assign(`/teaching/${form.dataset.study}?compare=1`);
  } catch (error) {
    fail(error.message);
  }
});
