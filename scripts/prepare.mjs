// Builds after an install, and not again while nothing has changed: `npx capstan` in a checkout prepares it each time.
import { spawnSync } from "node:child_process";
import { readdirSync, statSync } from "node:fs";

const root = new URL("../", import.meta.url);
const changedAt = (path) => statSync(new URL(path, root), { throwIfNoEntry: false })?.mtimeMs ?? 0;
const sources = readdirSync(new URL("src/", root), { recursive: true }).map((name) => `src/${name}`);
const newest = Math.max(...["package.json", "tsconfig.json", "tsconfig.build.json", ...sources].map(changedAt));

if (changedAt("dist/.built") < newest) {
  const { status } = spawnSync("npm", ["run", "build"], { cwd: root, stdio: "inherit" });
  process.exit(status ?? 1);
}
