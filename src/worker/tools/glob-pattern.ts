/** One character of a pattern, or any number of them. */
type Token = "star" | ((char: string) => boolean);
/** The pattern of one folder's or file's name, or any number of folders. */
type Segment = "globstar" | readonly Token[];

const MAX_ALTERNATIVES = 64;

/**
 * A pattern of paths: `*` and `?` within one folder, `**` for any number of folders, `[abc]` and `[!a-z]`, and `{a,b}`.
 * No regular expression: those try every way to divide a path among the stars, which some patterns make endless.
 *
 * @throws RangeError for a pattern that is not closed, or has too many alternatives
 */
export function globMatcher(pattern: string): (path: string) => boolean {
  const alternatives = expand(pattern).map((one) => one.split("/").map(segment));
  return (path) => {
    const names = path.split("/");
    return alternatives.some((segments) =>
      matchesAll(
        segments,
        names,
        (one) => one === "globstar",
        (one, name) => matchesName(one, name),
      ),
    );
  };
}

const matchesName = (one: Segment, name: string): boolean =>
  one !== "globstar" &&
  matchesAll(
    one,
    [...name],
    (token) => token === "star",
    (token, char) => token !== "star" && token(char),
  );

/**
 * Whether a sequence matches a pattern with wildcards that stand for any number of items. Only the last wildcard is ever
 * given one more item, so the time is at most the product of both lengths.
 */
function matchesAll<Part, Item>(
  parts: readonly Part[],
  items: readonly Item[],
  isWildcard: (part: Part) => boolean,
  matches: (part: Part, item: Item) => boolean,
): boolean {
  let part = 0;
  let wildcard: { readonly part: number; taken: number } | undefined;
  for (let item = 0; item < items.length; ) {
    const current = parts[part];
    if (current !== undefined && isWildcard(current)) {
      wildcard = { part, taken: item };
      part += 1;
    } else if (current !== undefined && matches(current, items[item] as Item)) {
      part += 1;
      item += 1;
    } else if (wildcard !== undefined) {
      wildcard.taken += 1;
      item = wildcard.taken;
      part = wildcard.part + 1;
    } else return false;
  }
  return parts.slice(part).every(isWildcard);
}

function segment(text: string): Segment {
  if (text === "**") return "globstar";
  const tokens: Token[] = [];
  for (let rest = text; rest !== ""; ) {
    const set = /^\[(!?)(.[^\]]*)\]/u.exec(rest);
    const [taken] = set ?? /^\*+/.exec(rest) ?? /^./su.exec(rest) ?? [rest];
    if (set !== null) tokens.push(oneOf(set[2] as string, set[1] === "!"));
    else if (taken.startsWith("*")) tokens.push("star");
    else tokens.push(taken === "?" ? () => true : (char) => char === taken);
    rest = rest.slice(taken.length);
  }
  return tokens;
}

function oneOf(members: string, negated: boolean): (char: string) => boolean {
  const ranges = [...members.matchAll(/(.)-(.)|(.)/gsu)].map(
    ([, from, to, single]) => [from ?? single, to ?? single] as [string, string],
  );
  return (char) => ranges.some(([from, to]) => from <= char && char <= to) !== negated;
}

/** Every pattern that the braces stand for. */
function expand(pattern: string): readonly string[] {
  const open = pattern.indexOf("{");
  if (open < 0) return [pattern];
  const { parts, end } = braces(pattern, open);
  const tails = expand(pattern.slice(end));
  const all = parts.flatMap(expand).flatMap((part) => tails.map((tail) => pattern.slice(0, open) + part + tail));
  if (all.length > MAX_ALTERNATIVES) throw new RangeError(`it stands for more than ${MAX_ALTERNATIVES} patterns`);
  return all;
}

function braces(pattern: string, open: number): { parts: readonly string[]; end: number } {
  const parts: string[] = [];
  let depth = 0;
  let start = open + 1;
  for (let at = open; at < pattern.length; at += 1) {
    const char = pattern[at];
    if (char === "{") depth += 1;
    else if (char === "}") depth -= 1;
    if (depth > 1 || (depth === 1 && char !== ",")) continue;
    parts.push(pattern.slice(start, at));
    start = at + 1;
    if (depth === 0) return { parts, end: start };
  }
  throw new RangeError("a { is not closed");
}
