import { type CompletedWord, grouped, type Place, type Value } from "./table.ts";

/** A script that teaches zsh the command line. */
export function zshCompletion(places: readonly Place[]): string {
  return `#compdef capstan
# Completion of capstan for zsh. To use it, put this line into ~/.zshrc, behind compinit:
#   source <(capstan completion zsh)

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

function branch({ path, words, options }: Place): string {
  const values = grouped(options).map(([value, flags]) => `        ${flags.join(" | ")}) ${offered(value)}; return ;;`);
  const cases = values.length === 0 ? "" : `      case "$before" in\n${values.join("\n")}\n      esac\n`;
  return `    ${quoted(path.join(" "))})
${cases}      next=(${words.map(described).join(" ")})
      options=(${options.map(({ flag, summary }) => described({ word: flag, summary })).join(" ")})
      ;;`;
}

function offered(value: Value): string {
  if (value === "folder") return "_files -/";
  if (value === "file") return "_files";
  return value === "text" ? "_message value" : `compadd -- ${value.map(quoted).join(" ")}`;
}

/** zsh separates a word from what it means by a colon. */
const described = ({ word, summary }: CompletedWord): string =>
  quoted(`${word.replaceAll(":", "\\:")}:${summary.replaceAll("\n", " ")}`);

/** For zsh, literally. */
const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;
