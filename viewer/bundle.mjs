// Bundles the viewer: `node bundle.mjs [OUT]` writes viewer.js (small: it shows the first image), viewer-stage.js (the
// rest, with cornerstone), viewer.css and viewer.licences.txt, the same bytes from the same source and lock file on
// every machine.

import { build } from "esbuild";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const out = resolve(process.argv[2] ?? join(here, "../src/lumbago/web/static"));
process.chdir(here);
mkdirSync(out, { recursive: true });

/** SHA-256 of what the bundle is made of; a test without Node compares it. */
function digest() {
  const files = ["bundle.mjs", "package-lock.json", ...readdirSync("src").map((name) => `src/${name}`)].sort();
  const hash = createHash("sha256");
  for (const name of files) hash.update(`${name}\n`).update(readFileSync(name)).update("\n");
  return hash.digest("hex");
}

const banner = { js: `/* Lumbago's viewer, built by \`make bundle\`; licences: viewer.licences.txt; source ${digest()} */` };
const shared = { bundle: true, minify: true, legalComments: "none", logLevel: "warning", metafile: true, charset: "utf8" };
const { metafile } = await build({
  ...shared,
  entryPoints: { viewer: "src/main.ts", "viewer-stage": "src/stage.ts" },
  outdir: out,
  format: "esm",
  target: "es2022",
  banner,
  define: { "process.env.NODE_ENV": '"production"' },
});
await build({ ...shared, entryPoints: ["src/viewer.css"], outfile: join(out, "viewer.css") });

const packages = new Set();
for (const [path, input] of Object.entries(metafile.inputs)) {
  const found = path.match(/^node_modules\/((?:.*\/node_modules\/)?(?:@[^/]+\/)?[^/]+)\//);
  if (found && input.bytes) packages.add(found[1]);
}
const texts = [...packages].sort().map((name) => {
  const folder = join("node_modules", name);
  const { version, license, author } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const file = readdirSync(folder).find((one) => /^(licen[cs]e|copying)/i.test(one));
  const by = typeof author === "string" ? author : (author?.name ?? "");
  const text = file && existsSync(join(folder, file)) ? readFileSync(join(folder, file), "utf8").trim() : `Its package holds no licence text. ${by}`;
  return `${name} ${version}: ${typeof license === "string" ? license : "see below"}\n\n${text}\n`;
});
writeFileSync(join(out, "viewer.licences.txt"), `What viewer-stage.js is made of besides Lumbago's own source, and under which licences.\n\n${texts.join(`\n${"-".repeat(80)}\n\n`)}`);
