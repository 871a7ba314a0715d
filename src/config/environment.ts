/** The variables of a process. Nothing outside of this folder asks for them. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** The one place that reads `process.env`. */
export const processEnvironment = (): Environment => process.env;

/** Whether output may be coloured where it goes to a terminal (https://no-color.org). */
export const allowsColour = (environment: Environment): boolean =>
  (environment.NO_COLOR ?? "") === "" && environment.TERM !== "dumb";
