import type {
  OPERATIONS,
  OperationBody,
  OperationName,
  OperationPath,
  OperationResponse,
} from "../contract/operations.ts";

/* What a caller writes: the parameters of a call in one flat object, all derived from the operations table. */

/** The calls that answer with a stream. They have methods of their own. */
export type StreamOperationName = {
  [Name in OperationName]: (typeof OPERATIONS)[Name] extends { readonly stream: true } ? Name : never;
}[OperationName];

/** The calls that have one answer. */
export type CallOperationName = Exclude<OperationName, StreamOperationName>;

type Operation<Name extends OperationName> = (typeof OPERATIONS)[Name];
type Parsed<Name extends OperationName, Key extends "query" | "headers"> =
  Operation<Name> extends { readonly [K in Key]: { readonly _zod: { readonly output: infer Output } } }
    ? Output
    : object;

type SnakeCase<Text> = Text extends `${infer Head}-${infer Tail}` ? `${Head}_${SnakeCase<Tail>}` : Text;

/** The schemas describe what the server makes of a text; a caller writes the value that it stands for. */
type Written<Value> = Value extends string | number | boolean
  ? Value
  : Value extends readonly string[]
    ? readonly string[]
    : string;
type QueryInput<Name extends OperationName> = {
  readonly [Key in keyof Parsed<Name, "query">]: Written<NonNullable<Parsed<Name, "query">[Key]>> | undefined;
};
/** `Accept` is the client's own: it decides what the client has to read. */
type HeaderInput<Name extends OperationName> = {
  readonly [Key in keyof Parsed<Name, "headers"> as Key extends "accept" ? never : SnakeCase<Key>]:
    | (true extends Parsed<Name, "headers">[Key] ? number : string)
    | undefined;
};

/** Path, query, header and body parameters under their wire names; dashes of header names become underscores. */
export type OperationInput<Name extends OperationName> = Readonly<Record<OperationPath<Name>, string>> &
  QueryInput<Name> &
  HeaderInput<Name> &
  (unknown extends OperationBody<Name> ? object : OperationBody<Name>);

/** Operations that can be called without any input may leave it out. */
export type CallArguments<Name extends OperationName, Options> =
  object extends OperationInput<Name>
    ? [input?: OperationInput<Name>, options?: Options]
    : [input: OperationInput<Name>, options?: Options];

/** The calls that answer one page of a list. */
export type ListOperationName = {
  [Name in CallOperationName]: OperationResponse<Name> extends { next_page: string | null } ? Name : never;
}[CallOperationName];

export type ListedRecord<Name extends ListOperationName> =
  OperationResponse<Name> extends { data: (infer Item)[] } ? Item : never;
