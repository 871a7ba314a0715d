import { count, short, spread, table } from "./markdown.mjs";

export const startTable = ({ ready_ms, idle_rss_mb, install }) =>
  table(
    ["What", "Figure"],
    [
      ["Start to ready, new database", `${spread(ready_ms.new_database, count)} ms`],
      ["Start to ready, existing database", `${spread(ready_ms.existing_database, count)} ms`],
      ["Resident memory, idle", `${spread(idle_rss_mb, count)} MB`],
      ["Package, unpacked", `${short(install.package_mb)} MB`],
      [`With its ${install.dependencies} dependencies`, `${short(install.total_mb)} MB`],
    ],
  );
