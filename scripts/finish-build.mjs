// tsc does not keep the executable bit that a `bin` file needs.
import { chmodSync } from "node:fs";

chmodSync(new URL("../dist/cli/main.js", import.meta.url), 0o755);
