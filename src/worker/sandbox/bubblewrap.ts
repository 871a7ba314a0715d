import { dirname, join } from "node:path";

export const BUBBLEWRAP = "bwrap";

export interface BubblewrapOptions {
  /** The only folder that the command may write to, besides its own /tmp. Absolute. */
  readonly workspace: string;
  /** Whether the command shares the network of the machine; otherwise it has not even the loopback of that. */
  readonly network: boolean;
  /** Further folders that the command may read. Absolute. */
  readonly readable: readonly string[];
}

/** The system, as far as programs need it to run. Home folders, /var, /srv and the like do not exist inside. */
const SYSTEM = ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/opt"];

/** What of /etc programs read to run: linking, users' names, time zone, certificates. Nothing that holds a secret. */
const CONFIGURATION = [
  "/etc/alternatives",
  "/etc/ca-certificates",
  "/etc/group",
  "/etc/ld.so.cache",
  "/etc/ld.so.conf",
  "/etc/ld.so.conf.d",
  "/etc/localtime",
  "/etc/mime.types",
  "/etc/passwd",
  "/etc/pki/tls/certs",
  "/etc/ssl/certs",
  "/etc/ssl/openssl.cnf",
  "/etc/terminfo",
];
/**
 * Node may live outside of /usr (nvm, asdf): agents written for it must still find it. Not its whole prefix, which for
 * ~/bin/node is a home folder.
 */
const NODE = [process.execPath, join(dirname(dirname(process.execPath)), "lib", "node_modules")];
const NAME_RESOLUTION = ["/etc/hosts", "/etc/nsswitch.conf", "/etc/resolv.conf", "/etc/services"];

/**
 * What goes in front of a command so that bubblewrap runs it in namespaces of its own. Variables come from the
 * environment of the process and never stand in the arguments, which every user of the machine can read.
 */
export function bubblewrapPrefix({ workspace, network, readable }: BubblewrapOptions): readonly string[] {
  const visible = [...SYSTEM, ...CONFIGURATION, ...(network ? NAME_RESOLUTION : []), ...NODE, ...readable];
  return [
    ...DEAF,
    BUBBLEWRAP,
    "--unshare-all",
    ...(network ? ["--share-net"] : []),
    // The namespace's first process ends with us, and everything in the namespace with it, daemons included.
    "--die-with-parent",
    "--tmpfs",
    "/tmp",
    "--proc",
    "/proc",
    "--dev",
    "/dev",
    ...visible.flatMap((path) => ["--ro-bind-try", path, path]),
    // Last, so that no folder above it hides it.
    "--bind",
    workspace,
    workspace,
    "--chdir",
    workspace,
    "--",
    ...HEARING,
  ];
}

/**
 * A request to end goes to the whole process group. Bubblewrap would die of it, and take the command with it before that
 * could finish; so it ignores the signal, which is inherited, and the command hears it again.
 */
const DEAF = ["sh", "-c", `trap "" TERM; exec "$@"`, "sh"];
const HEARING = ["env", "--default-signal=TERM"];

/** Whether a command in the sandbox sees what is at this absolute path, besides its workspace. */
export const isVisible = (path: string, readable: BubblewrapOptions["readable"]): boolean =>
  [...SYSTEM, ...NODE, ...readable].some((folder) => `${path}/`.startsWith(`${folder}/`));

/** The variables that a sandboxed command keeps: those that say how to run, none that say who or where we are. */
export function sandboxVariables(
  variables: Readonly<Record<string, string | undefined>>,
  workspace: string,
): Record<string, string | undefined> {
  const kept = Object.entries(variables).filter(([name]) => KEPT.test(name));
  return { ...Object.fromEntries(kept), HOME: workspace, TMPDIR: "/tmp" };
}

const KEPT = /^(PATH|LANG|LC_[A-Z]+|TZ|TERM|NO_COLOR|NODE_EXTRA_CA_CERTS|SSL_CERT_FILE|CAPSTAN_[A-Z_]+)$/;
