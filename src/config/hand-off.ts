import { bearerToken, someText } from "./schemas.ts";
import type { Setting } from "./setting.ts";

const setting = <const T extends Setting>(definition: T) => definition;

/** What a process finds in its environment that a worker has handed a session to. */
export const HAND_OFF_SETTINGS = {
  workToken: setting({
    variable: "CAPSTAN_WORK_TOKEN",
    placeholder: "<token>",
    schema: bearerToken,
    summary: "Token of the hand-out that is taken over; the worker that hands it off sets it.",
    groups: ["attach"],
    secret: true,
  }),
  workId: setting({
    flag: "--work-id",
    variable: "CAPSTAN_WORK_ID",
    placeholder: "<id>",
    schema: someText("the id of a work item"),
    summary: "Work item that is taken over; the worker that hands it off sets the variable.",
    groups: ["attach"],
  }),
  lastHeartbeat: setting({
    flag: "--last-heartbeat",
    variable: "CAPSTAN_LAST_HEARTBEAT",
    placeholder: "<time>",
    schema: someText("the time of a heartbeat as the server answered it"),
    summary:
      "Last heartbeat of the worker that hands the item off, which sets the variable; left out, it is looked up.",
    groups: ["attach"],
  }),
} as const;
