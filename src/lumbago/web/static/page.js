// What every page does: the switch of light and dark, and forms that speak to the API.
import { send, say, fail } from "./api.js";

const root = document.documentElement;

document.getElementById("theme")?.addEventListener("click", () => {
  const isDark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = isDark ? "light" : "dark";
  document.cookie = `theme=${root.dataset.theme}; path=/; max-age=31536000; samesite=lax`;
});

// <form data-api="POST /api/v1/..."> sends its fields as JSON; data-then names the page that follows, or "stay".
for (const form of document.querySelectorAll("form[data-api]")) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (form.dataset.confirm && !window.confirm(form.dataset.confirm)) return;
    const [method, url] = form.dataset.api.split(" ");
    const body = {};
    for (const [name, value] of new FormData(form)) {
      const field = form.elements.namedItem(name);
      body[name] = field.dataset?.kind === "number" ? Number(value) : value;
    }
    try {
      const answer = await send(method, url, body);
      const shown = form.dataset.show && answer?.[form.dataset.show];
      if (shown) say(`${form.dataset.showAs ?? ""} ${shown}`);
      else if (form.dataset.then === "stay") say(form.dataset.done ?? "Done.");
      else if (form.dataset.then) location.assign(form.dataset.then);
      else location.reload();
    } catch (error) {
      fail(error.message);
    }
  });
}

for (const control of document.querySelectorAll("[data-submits]")) {
  control.addEventListener("change", () => control.form.requestSubmit());
}

// A table that is wider than the page, with nothing in it to go to, is scrolled by the keyboard once it can have the focus.
const widths = new ResizeObserver((seen) => {
  for (const { target: box } of seen) {
    const scrolls = box.scrollWidth > box.clientWidth && !box.querySelector("a, button, input, select");
    if (scrolls) Object.assign(box, { tabIndex: 0, role: "group", ariaLabel: "Table, wider than the page" });
    else ["tabindex", "role", "aria-label"].forEach((name) => box.removeAttribute(name));
  }
});
document.querySelectorAll(".scroll").forEach((box) => widths.observe(box));
