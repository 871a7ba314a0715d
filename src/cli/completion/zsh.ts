import { type CompletedWord, grouped, type IdsOf, isIds, type Place, type Value } from "./table.ts";

/** A script that teaches zsh the command line. */
export function zshCompletion(places: readonly Place[]): string {
  return `#compdef capstan
# Completion of capstan for zsh. To use it, put this line into ~/.zshrc, behind compinit:
#   source <(capstan completion zsh)

# Offers the ids that the program itself says there are; none, when it cannot.
_capstan_ids() {
  local -a found
  found=("\${(@f)$("\${words[1]}" ids "$1" 2> /dev/null)}")
  found=("\${(@)found[@]/$'\\t'/:}")
  [[ -n "$found" ]] && _describe -t ids "$1" found
}

_capstan() {
  local at='' before="\${words[CURRENT - 1]}" index
  local -a next options
  for ((index = 2; index < CURRENT && index <= ${deepest(places) + 1}; index++)); do
    case "\${at}\${at:+ }\${words[index]}" in
      ${places
        .filter(({ path }) => path.length > 0)
        .map(({ path }) => quoted(path.join(" ")))
        .join(" | ")}) at="\${at}\${at:+ }\${words[index]}" ;;
      *) break ;;
    esac
  done
  case "$at" in
${places.map(branch).join("\n")}
  esac
  (( \${#next} )) && _describe -t commands command next
  _describe -o option options
}

if [[ "\${funcstack[1]}" == _capstan ]]; then
  _capstan "$@"
else
  compdef _capstan capstan
fi
`;
}

const deepest = (places: readonly Place[]): number => Math.max(...places.map(({ path }) => path.length));

function branch({ path, words, ids, options }: Place): string {
  const values = grouped(options).map(([value, flags]) => `        ${flags.join(" | ")}) ${offered(value)}; return ;;`);
  const cases = values.length === 0 ? "" : `      case "$before" in\n${values.join("\n")}\n      esac\n`;
  return `    ${quoted(path.join(" "))})
${cases}      next=(${words.map(described).join(" ")})
${ids === undefined ? "" : `      ${unlessGiven(ids)} ${asked(ids)}\n`}      options=(${options.map(({ flag, summary }) => described({ word: flag, summary })).join(" ")})
      ;;`;
}

function offered(value: Value): string {
  if (value === "folder") return "_files -/";
  if (value === "file") return "_files";
  if (isIds(value)) return asked(value);
  return value === "text" ? "_message value" : `compadd -- ${value.map(quoted).join(" ")}`;
}

/** An id is an argument, and is given once. */
const unlessGiven = ({ prefix }: IdsOf): string =>
  `[[ "\${words[CURRENT]}" == -* || " \${words[1,CURRENT - 1]}" == *" ${prefix}"* ]] ||`;

const asked = ({ idsOf }: IdsOf): string => `_capstan_ids ${idsOf}`;

/** zsh separates a word from what it means by a colon. */
const described = ({ word, summary }: CompletedWord): string =>
  quoted(`${word.replaceAll(":", "\\:")}:${summary.replaceAll("\n", " ")}`);

/** For zsh, literally. */
const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;
