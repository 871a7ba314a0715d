export * from "../rows/index.ts";
