/** Readers for what a person types: text in, value out. The description of a schema completes the sentence "… must be …". */
import { z } from "zod";
import { LIMITS } from "../contract/limits.ts";
import { BASE_PATH } from "../contract/operations.ts";

const WHOLE_NUMBER = /^(0|[1-9]\d{0,15})$/;

export const wholeNumber = (min: number, max: number) =>
  z
    .string()
    .regex(WHOLE_NUMBER)
    .transform(Number)
    .pipe(z.int().min(min).max(max))
    .meta({ description: `a whole number from ${min} to ${max}` });

export const choice = <const T extends string>(choices: readonly T[]) =>
  z
    .string()
    .transform((text, context): T => {
      const found = choices.find((candidate) => candidate === text);
      if (found !== undefined) return found;
      context.addIssue({ code: "custom", message: "is none of the choices" });
      return z.NEVER;
    })
    .meta({ description: `${choices.slice(0, -1).join(", ")} or ${choices.at(-1)}`, choices });

export const onOrOff = choice(["on", "off"])
  .transform((text) => text === "on")
  .meta({ description: "on or off", choices: ["on", "off"] });

export const someText = (what: string) => z.string().min(1).meta({ description: what });

/** A Node host name or address to listen on. Blanks and slashes mean that someone pasted a URL. */
export const hostName = z
  .string()
  .regex(/^[^\s/]+$/)
  .meta({ description: "a host name or address, such as 127.0.0.1 or 0.0.0.0" });

/** What comes before the path of the API, which many will paste along. */
const baseOf = ({ href }: URL): string => {
  const base = href.replace(/\/+$/, "");
  return base.endsWith(BASE_PATH) ? base.slice(0, -BASE_PATH.length) : base;
};

/** The base of a server. Credentials in it are refused, because URLs end up in logs and shell histories. */
export const serverUrl = z
  .string()
  .transform((text, context): string => {
    const url = URL.canParse(text) ? new URL(text) : undefined;
    const plain = url !== undefined && url.username === "" && url.password === "" && url.search === "";
    if (plain && (url.protocol === "http:" || url.protocol === "https:")) return baseOf(url);
    context.addIssue({ code: "custom", message: "is not a server's URL" });
    return z.NEVER;
  })
  .meta({ description: "an http:// or https:// URL without user, password or query, such as http://127.0.0.1:8787" });

export const postgresUrl = z
  .string()
  .refine((text) => URL.canParse(text) && /^postgres(ql)?:$/.test(new URL(text).protocol))
  .meta({ description: "a PostgreSQL URL, such as postgres://user@host:5432/capstan" });

export const listenUrl = z
  .union([z.literal("none"), postgresUrl])
  .meta({ description: "a PostgreSQL URL, or none to listen nowhere" });

/** What PostgreSQL takes without quotes; room is left for what is put before it in the name of a channel. */
export const schemaName = z
  .string()
  .regex(/^[a-z_][a-z0-9_]{0,49}$/)
  .meta({ description: "a name of at most 50 lower-case letters, digits and underscores" });

const { adminTokenCharacters: ADMIN_TOKEN } = LIMITS;
const HEADER_SAFE = /^[\x21-\x7e]+$/;

export const adminToken = z
  .string()
  .min(ADMIN_TOKEN.min)
  .max(ADMIN_TOKEN.max)
  .regex(HEADER_SAFE)
  .meta({
    description: `at least ${ADMIN_TOKEN.min} characters (at most ${ADMIN_TOKEN.max}) of printable ASCII without blanks, such as the output of openssl rand -hex 32`,
  });

export const bearerToken = z
  .string()
  .regex(HEADER_SAFE)
  .meta({ description: "a token as it was shown when it was made, without blanks" });

/** The rule for `Worker-ID`. */
export const workerName = z
  .string()
  .max(LIMITS.workerIdCharacters)
  .regex(HEADER_SAFE)
  .meta({ description: `a name of at most ${LIMITS.workerIdCharacters} printable ASCII characters without blanks` });
