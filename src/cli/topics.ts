/** What the first word of a two-word command is about. */
export const TOPICS: Readonly<Record<string, string>> = {
  session: "Sessions: conversations that workers work on",
  agent: "Agents: a model with instructions and tools, in versions",
  env: "Environments: each is a queue with workers of its own",
  work: "Work items: what is queued, and who works on it",
  token: "Tokens: who may do what",
};
