/** The variables of a process. Nothing outside of this folder asks for them. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** The one place that reads `process.env`. */
export const processEnvironment = (): Environment => process.env;

/** Whether output may be coloured where it goes to a terminal (https://no-color.org). */
export const allowsColour = (environment: Environment): boolean =>
  (environment.NO_COLOR ?? "") === "" && environment.TERM !== "dumb";

const RUNS_CAPSTAN = /^(?:'?capstan'?|node dist\/cli\/main\.js)(?:\s[^&|;]*)?$/;

/**
 * Whether npm started this process (`npx capstan …`, `npm start`) and stays until it ends. Takes the sign of it away, since
 * it does not hold for what this process starts in turn.
 */
export function takeNpmLaunch(): boolean {
  const script = process.env.npm_lifecycle_script ?? "";
  delete process.env.npm_lifecycle_script;
  return RUNS_CAPSTAN.test(script);
}
