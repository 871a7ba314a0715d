import { setTimeout as sleep } from "node:timers/promises";
import { CommandError } from "../exit-codes.ts";
import { killGroup } from "./children.ts";
import type { Display } from "./display.ts";
import type { Job, Role } from "./plan.ts";
import type { Stage } from "./stage.ts";
import { follow, newTrack, type Track } from "./track.ts";

const LOOK_EVERY_MS = 200;
/** The whole demo ends before this, one way or another. */
const AT_MOST_MS = 55_000;
/** So many files in, a session counts as being in the middle. */
const MIDDLE_FILES = 3;

interface Play {
  readonly stage: Stage;
  readonly display: Display;
  readonly tracks: Track[];
  readonly signal: AbortSignal;
}

/**
 * The course of the demo: a worker that is killed while it works, two that work on everything else and take over, and a
 * session that is asked to stop in the middle.
 */
export async function play(
  stage: Stage,
  display: Display,
  jobs: readonly Job[],
  signal: AbortSignal,
): Promise<Track[]> {
  const scene: Play = { stage, display, tracks: [], signal };
  const victim = stage.startWorker("alpha");
  const [taken] = await start(scene, jobs, "killed");
  await until(scene, () => inTheMiddle(taken));
  victim.kill("SIGKILL");
  // Its command has a process group of its own, and would go on for a while; a machine that fails takes both along.
  killGroup(taken?.pid, "SIGKILL");
  display.tell(`worker alpha is killed in the middle of ${taken?.job.name}; its lease runs on for up to 10 s`);

  stage.startWorker("beta");
  stage.startWorker("gamma");
  await start(scene, jobs, "plain");
  const [stopped] = await start(scene, jobs, "stopped");
  await until(scene, () => inTheMiddle(stopped));
  await requestStop(scene, stopped);
  await until(scene, () => scene.tracks.every(({ ended }) => ended !== undefined));
  return scene.tracks;
}

const inTheMiddle = (track: Track | undefined): boolean => (track?.filesDone ?? 0) >= MIDDLE_FILES;

async function start({ stage, display, tracks }: Play, jobs: readonly Job[], role: Role): Promise<Track[]> {
  const started: Track[] = [];
  for (const job of jobs.filter((candidate) => candidate.role === role)) {
    const track = newTrack(job, await stage.startSession(job));
    display.tell(`${job.name}: queued, ${job.files.length} files`);
    tracks.push(track);
    started.push(track);
  }
  return started;
}

async function requestStop({ stage, display }: Play, track: Track | undefined): Promise<void> {
  if (track === undefined) return;
  const { client, environmentId } = stage;
  const { data } = await client.listWork({ environment_id: environmentId, state: "active" });
  const item = data.find((work) => work.data.id === track.sessionId);
  if (item === undefined) throw new CommandError("failed", `There is no active work item for ${track.job.name}.`);
  await client.stopWork({ environment_id: environmentId, work_id: item.id });
  display.tell(`${track.job.name}: asked to stop in the middle`);
}

/** Follows all sessions until the condition holds. */
async function until({ stage, display, tracks, signal }: Play, holds: () => boolean): Promise<void> {
  for (;;) {
    signal.throwIfAborted();
    await Promise.all(tracks.map((track) => follow(stage.client, track, (text) => display.tell(text))));
    display.draw(tracks);
    if (holds()) return;
    if (display.seconds * 1_000 > AT_MOST_MS) {
      const waiting = tracks.filter(({ ended }) => ended === undefined).map(({ job }) => job.name);
      throw new CommandError(
        "failed",
        `After ${AT_MOST_MS / 1_000} s these sessions have not ended: ${waiting.join(", ")}.`,
      );
    }
    await sleep(LOOK_EVERY_MS, undefined, { signal });
  }
}
