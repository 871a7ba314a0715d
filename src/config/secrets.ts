import type { Environment } from "./environment.ts";
import { SETTING_NAMES, SETTINGS } from "./settings.ts";

/** The variables without those of secret settings: what a program may be given that is not to act in our name. */
export function withoutSecrets(environment: Environment): Environment {
  const secrets = new Set<string>(
    SETTING_NAMES.filter((name) => "secret" in SETTINGS[name]).map((name) => SETTINGS[name].variable),
  );
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !secrets.has(name)));
}
