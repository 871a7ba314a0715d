import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { ROOT } from "../support/build.ts";

const pages = [
  ...readdirSync(ROOT).filter((name) => name.endsWith(".md")),
  ...readdirSync(join(ROOT, "docs"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".md"))
    .map((name) => join("docs", name)),
];

const textOf = (page: string): string => readFileSync(join(ROOT, page), "utf8");
const withoutCode = (text: string): string =>
  text.replaceAll(/^```[\s\S]*?^```/gm, "").replaceAll(/`[^`\n]*`/g, "code");

/** What a heading's link is called on the usual hosts. */
const anchor = (heading: string): string =>
  heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}_ -]/gu, "")
    .replaceAll(" ", "-");

const anchorsOf = (page: string): string[] =>
  [
    ...textOf(page)
      .replaceAll(/^```[\s\S]*?^```/gm, "")
      .matchAll(/^#{1,6} (.+)$/gm),
  ].map((match) => anchor(match[1] ?? ""));

describe("links of the documentation", () => {
  test.each(pages)("%s leads nowhere in vain", (page) => {
    const dead: string[] = [];
    for (const [, link = ""] of withoutCode(textOf(page)).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^(https?|mailto):/.test(link)) continue;
      const [path = "", fragment] = link.split("#");
      const target = path === "" ? page : relative(ROOT, resolve(ROOT, dirname(page), path));
      const found = existsSync(join(ROOT, target)) && !target.startsWith("..");
      if (!found || (fragment !== undefined && !anchorsOf(target).includes(fragment))) dead.push(link);
    }
    expect(dead).toEqual([]);
  });
});
