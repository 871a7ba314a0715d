import pg from "pg";

export type Parser = (text: string) => null | number | string;

/** Rows as the tables expect them: numbers for 64-bit integers (microseconds fit until 2255), 0 and 1, JSON as its text. */
const PARSERS: Readonly<Record<number, Parser>> = {
  [pg.types.builtins.INT8]: Number,
  [pg.types.builtins.INT4]: Number,
  [pg.types.builtins.BOOL]: (text) => (text === "t" ? 1 : 0),
};
const asText: Parser = (text) => text;

/** @param oid the type of a column, as the database numbers it */
export const parserOf = (oid: number): Parser => PARSERS[oid] ?? asText;
