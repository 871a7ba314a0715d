import { grouped, type IdsOf, isIds, type Place, type Value } from "./table.ts";

/** A script that teaches bash the command line. */
export function bashCompletion(places: readonly Place[]): string {
  return `# Completion of capstan for bash. To use it, put this line into ~/.bashrc:
#   source <(capstan completion bash)

_capstan() {
  local current="\${COMP_WORDS[COMP_CWORD]}" before="\${COMP_WORDS[COMP_CWORD - 1]}" path="" words=""
  local index
  for ((index = 1; index < COMP_CWORD && index <= ${deepest(places)}; index++)); do
    case "$path\${path:+ }\${COMP_WORDS[index]}" in
      ${places
        .filter(({ path }) => path.length > 0)
        .map(({ path }) => quoted(path.join(" ")))
        .join(" | ")}) path="$path\${path:+ }\${COMP_WORDS[index]}" ;;
      *) break ;;
    esac
  done
  case "$path" in
${places.map(branch).join("\n")}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}

complete -o default -F _capstan capstan
`;
}

const deepest = (places: readonly Place[]): number => Math.max(...places.map(({ path }) => path.length));

function branch({ path, words, ids, options }: Place): string {
  const next = [...words.map(({ word }) => word), ...options.map(({ flag }) => flag)].join(" ");
  const values = grouped(options).map(([value, flags]) => `        ${flags.join(" | ")}) ${offered(value)} ;;`);
  const all = `words=${quoted(next)}${ids === undefined ? "" : `\n          ${unlessGiven(ids)} words+=" ${asked(ids)}"`}`;
  const body =
    values.length === 0
      ? `      ${all}`
      : `      case "$before" in\n${values.join("\n")}\n        *) ${all} ;;\n      esac`;
  return `    ${quoted(path.join(" "))})\n${body}\n      ;;`;
}

function offered(value: Value): string {
  if (value === "folder") return `COMPREPLY=($(compgen -d -- "$current")); return`;
  // Nothing to offer: bash goes on with the names of files.
  if (value === "file") return "COMPREPLY=(); return";
  // A word that only its author knows is not the name of a file.
  if (value === "text") return "COMPREPLY=(); compopt +o default 2> /dev/null; return";
  if (isIds(value)) return `words="${asked(value)}"`;
  return `words=${quoted(value.join(" "))}`;
}

/** An id is an argument, and is given once. */
const unlessGiven = ({ prefix }: IdsOf): string =>
  `[[ $current == -* || " \${COMP_WORDS[*]:1:COMP_CWORD-1}" == *" ${prefix}"* ]] ||`;

/** The program that is being completed says which ids there are; nothing, when it cannot. */
const asked = ({ idsOf }: IdsOf): string => `$("\${COMP_WORDS[0]}" ids ${idsOf} 2> /dev/null | cut -f 1)`;

/** For bash, literally. */
const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;
