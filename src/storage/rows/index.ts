export { AGENT, AGENT_VERSION } from "./agent.ts";
export { ENVIRONMENT } from "./environment.ts";
export { EVENT } from "./event.ts";
export { SESSION } from "./session.ts";
export { type ColumnType, jsonColumns, type Row, type Table, type Value } from "./table.ts";
export { TOKEN } from "./token.ts";
export { WORK } from "./work.ts";
