// Files sent in chunks, as one stream of bytes, resumed where it broke off.
import { send } from "./api.js";

export async function sendFiles(name, files, chunkBytes, tell) {
  const listed = files.map((one) => ({ name: one.name, bytes: one.file.size, modified: one.file.lastModified }));
  const session = await send("POST", "/api/v1/uploads", { name, files: listed });
  const whole = new Blob(files.map((one) => one.file));
  let at = session.received;
  while (at < whole.size) {
    at = (await sendChunk(session.id, at, whole.slice(at, at + chunkBytes))).received;
    tell(at);
  }
  return session.id;
}

async function sendChunk(id, at, chunk) {
  const digest = globalThis.crypto?.subtle ? `&sha256=${await sha256(chunk)}` : "";
  for (let attempt = 0; ; attempt++) {
    try {
      return await send("PUT", `/api/v1/uploads/${id}?offset=${at}${digest}`, chunk);
    } catch (error) {
      if (error.status || attempt === 4) throw error;
      await new Promise((resolve) => setTimeout(resolve, 1000 * 2 ** attempt));
    }
  }
}

async function sha256(blob) {
  const hash = await crypto.subtle.digest("SHA-256", await blob.arrayBuffer());
  return [...new Uint8Array(hash)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
