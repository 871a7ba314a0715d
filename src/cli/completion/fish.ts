import { type CompletedOption, type IdsOf, isIds, type Place } from "./table.ts";

/** A script that teaches fish the command line. */
export function fishCompletion(places: readonly Place[]): string {
  return `# Completion of capstan for fish. To use it, write it where fish looks for it:
#   capstan completion fish > ~/.config/fish/completions/capstan.fish

# Whether the command line has named exactly these words, options and arguments apart.
function __capstan_at
    set -l given (commandline -opc)
    set -e given[1]
    set -l named
    for word in $given
        set -l longer (string join -- ' ' $named $word)
        contains -- "$longer" ${places
          .filter(({ path }) => path.length > 0)
          .map(({ path }) => quoted(path.join(" ")))
          .join(" ")}
        or break
        set -a named $word
    end
    test "$named" = "$argv"
end

# Ids and what they name, from the program itself; nothing, when it cannot say.
function __capstan_ids
    set -l given (commandline -opc)
    command $given[1] ids $argv 2>/dev/null
end

complete -c capstan -f
${places.map(lines).join("\n")}
`;
}

function lines({ path, words, ids, options }: Place): string {
  const at = `-n ${quoted(["__capstan_at", ...path].join(" "))}`;
  return [
    ...words.map(({ word, summary }) => `complete -c capstan ${at} -a ${quoted(word)} -d ${quoted(summary)}`),
    ...(ids === undefined ? [] : [`complete -c capstan ${unlessGiven(path, ids)} -a ${asked(ids)}`]),
    ...options.map(
      (option) => `complete -c capstan ${at} -l ${option.flag.slice(2)}${value(option)} -d ${quoted(option.summary)}`,
    ),
  ].join("\n");
}

function value({ value: behind }: CompletedOption): string {
  if (behind === undefined) return "";
  if (behind === "file") return " -r -F";
  if (behind === "folder") return " -x -a '(__fish_complete_directories)'";
  if (isIds(behind)) return ` -x -a ${asked(behind)}`;
  return behind === "text" ? " -x" : ` -x -a ${quoted(behind.join(" "))}`;
}

/** An id is an argument, and is given once. */
const unlessGiven = (path: readonly string[], { prefix }: IdsOf): string =>
  `-n ${quoted(`${["__capstan_at", ...path].join(" ")}; and not string match -q -- '${prefix}*' (commandline -opc)`)}`;

const asked = ({ idsOf }: IdsOf): string => quoted(`(__capstan_ids ${idsOf})`);

/** For fish, literally. */
const quoted = (text: string): string =>
  `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'").replaceAll("\n", " ")}'`;
