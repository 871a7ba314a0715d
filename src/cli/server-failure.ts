import { StoreRefused } from "../storage/store.ts";
import { CommandError } from "./exit-codes.ts";

/** Why a server did not start, as one sentence where the cause is one that a person can remove. */
export function serverFailure(
  error: unknown,
  { host, port }: { readonly host: string; readonly port: number },
): unknown {
  if (error instanceof StoreRefused) return new CommandError("failed", error.message);
  const portHint = "Choose another one with --port (CAPSTAN_PORT); 0 takes a free one.";
  const hostHint = "Name an address of this machine with --host (CAPSTAN_HOST), such as 127.0.0.1 or 0.0.0.0.";
  switch ((error as NodeJS.ErrnoException).code) {
    case "EADDRINUSE":
      return new CommandError("failed", `Port ${port} of ${host} is in use by another program.`, portHint);
    case "EACCES":
      return new CommandError("failed", `Port ${port} may be opened by privileged users only.`, portHint);
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
    case "EAI_AGAIN":
    case "EINVAL":
      return new CommandError("failed", `${host} is not an address of this machine.`, hostHint);
    default:
      return error;
  }
}
