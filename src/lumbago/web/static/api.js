// Speaks to the API: the token against forged requests goes along; what goes wrong becomes one sentence.
const token = () => document.querySelector('meta[name="csrf-token"]').content;

export async function send(method, url, body) {
  const options = { method, headers: { "X-CSRF-Token": token(), Accept: "application/json" } };
  if (body instanceof Blob) options.body = body;
  else if (body !== undefined) {
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  const answer = await fetch(url, options);
  if (answer.status === 401) location.assign(`/sign-in?next=${encodeURIComponent(location.pathname)}`);
  const text = await answer.text();
  let data = null;
  try { data = text ? JSON.parse(text) : null; } catch { data = null; }
  if (!answer.ok) {
    const problem = new Error(sentence(data) ?? `The server answered ${answer.status}.`);
    problem.status = answer.status;
    throw problem;
  }
  return data;
}

function sentence(data) {
  if (typeof data?.detail === "string") return data.detail;
  if (Array.isArray(data?.detail)) return data.detail.map((one) => `${one.loc?.at(-1) ?? ""}: ${one.msg}`).join("; ");
  return null;
}

export function say(text) { put("said", text); put("failed", ""); }
export function fail(text) { put("failed", text); put("said", ""); }

function put(id, text) {
  const place = document.getElementById(id);
  if (place) place.textContent = text;
  if (place && text) place.scrollIntoView({ block: "nearest" });
}
