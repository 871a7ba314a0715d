import { chmodSync, writeFileSync } from "node:fs";

// tsc does not keep the executable bit that a `bin` file needs.
chmodSync(new URL("../dist/cli/main.js", import.meta.url), 0o755);
// What looks whether a build is fresh compares the sources with this.
writeFileSync(new URL("../dist/.built", import.meta.url), "");
