import { acceptConfig, acceptPage } from "../../contract/accept.ts";
import { type EnvironmentConfigBody, environmentConfig } from "../../contract/bodies.ts";
import { presentEnvironment, presentPage } from "../../contract/present.ts";
import { done, type Outcome, refuse } from "../../core/faults.ts";
import type { EnvironmentRecord } from "../../core/records.ts";
import type { Store } from "../../storage/store.ts";
import { invalid } from "../requests.ts";
import { answer, type Handler } from "./handler.ts";

const createEnvironment: Handler<"createEnvironment"> = async ({ body, services: { store } }) => {
  const outcome = await store.execute("createEnvironment", {
    name: body.name,
    description: body.description ?? "",
    metadata: body.metadata ?? {},
    ...acceptConfig(body.config ?? { type: "cloud" }),
  });
  return answer(outcome, presentEnvironment);
};

const listEnvironments: Handler<"listEnvironments"> = async ({ query, services: { store } }) => {
  const filter = { includeArchived: query.include_archived ?? false };
  return done(presentPage(await store.listEnvironments(acceptPage(query, "descending"), filter), presentEnvironment));
};

const getEnvironment: Handler<"getEnvironment"> = async ({ path, services: { store } }) =>
  answer(await find(store, path.environment_id), presentEnvironment);

const updateEnvironment: Handler<"updateEnvironment"> = async ({ path, body, services: { store } }) => {
  const found = await find(store, path.environment_id);
  if (found.refused) return found;
  const config = body.config === undefined ? undefined : replacement(found.value, body.config);
  if (config?.refused) return config;
  const outcome = await store.execute("updateEnvironment", {
    environmentId: path.environment_id,
    name: body.name,
    description: body.description === null ? "" : body.description,
    config: config === undefined ? undefined : acceptConfig(config.value),
    metadata: body.metadata,
  });
  return answer(outcome, presentEnvironment);
};

/** A config without a type is one of the type that the environment has. */
function replacement(current: EnvironmentRecord, config: object): Outcome<EnvironmentConfigBody> {
  const typed = { type: current.selfHosted ? "self_hosted" : "cloud", ...config };
  const parsed = environmentConfig.safeParse(typed);
  return parsed.success ? done(parsed.data) : invalid(parsed.error.issues, typed, "config");
}

const archiveEnvironment: Handler<"archiveEnvironment"> = async ({ path, services: { store } }) =>
  answer(await store.execute("archiveEnvironment", { environmentId: path.environment_id }), presentEnvironment);

const deleteEnvironment: Handler<"deleteEnvironment"> = async ({ path, services: { store } }) => {
  const outcome = await store.execute("deleteEnvironment", { environmentId: path.environment_id });
  return answer(outcome, (id) => ({ id, type: "environment_deleted" as const }));
};

async function find(store: Store, id: string): Promise<Outcome<EnvironmentRecord>> {
  const environment = await store.getEnvironment(id);
  return environment === undefined ? refuse("not_found", `Environment ${id} does not exist.`) : done(environment);
}

export const environmentHandlers = {
  createEnvironment,
  listEnvironments,
  getEnvironment,
  updateEnvironment,
  archiveEnvironment,
  deleteEnvironment,
};
