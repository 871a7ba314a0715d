/** Says how the program's text is to be read; Node refuses it for a thread, whose program is a file. */
const OF_A_TEXT = "--input-type";
/** What is loaded before every program, such as instrumentation, and before a thread's, too. */
const PRELOADS = ["--import", "--require", "-r"];

/**
 * The Node options that a thread of ours has to be started with; `undefined` to inherit those of the process.
 *
 * Options are inherited wherever that works, because most of them are refused when they are named for a thread. It does
 * not work in a process whose program was given as text (`node --input-type=module --eval …`, or from a pipe): there
 * the thread is given the preloads only.
 *
 * @param own `process.execArgv`
 */
export function threadArguments(own: readonly string[]): string[] | undefined {
  if (!own.some((argument) => argument.split("=", 1)[0] === OF_A_TEXT)) return undefined;
  return own.flatMap((argument, index) => {
    if (PRELOADS.includes(argument)) return [argument, own[index + 1] ?? ""];
    return PRELOADS.some((name) => argument.startsWith(`${name}=`)) ? [argument] : [];
  });
}
