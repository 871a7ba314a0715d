import { SETTING_NAMES, SETTINGS } from "./settings.ts";

/** The variables of a process. Nothing outside of this folder asks for them. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** The one place that reads `process.env`. */
export const processEnvironment = (): Environment => process.env;

/** Whether output may be coloured where it goes to a terminal (https://no-color.org). */
export const allowsColour = (environment: Environment): boolean =>
  (environment.NO_COLOR ?? "") === "" && environment.TERM !== "dumb";

/** The variables without those of secret settings: what a program may be given that is not to act in our name. */
export function withoutSecrets(environment: Environment): Environment {
  const secrets = new Set<string>(
    SETTING_NAMES.filter((name) => "secret" in SETTINGS[name]).map((name) => SETTINGS[name].variable),
  );
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !secrets.has(name)));
}
