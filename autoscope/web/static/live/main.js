// The live page of one session: events say that something is new, one request brings what.

import { getJson, say, send } from "../api.js";
import { FrameView } from "./frame.js";
import { SpecimenMap } from "./map.js";
import { showAnswers } from "./answers.js";
import { showBudgets, showDecisions, showEvents, showHeadline } from "./lists.js";

const NEWS_MS = 600; // at most one request in this time, however fast the session is

const id = document.getElementById("session").dataset.session;
const path = `/api/sessions/${encodeURIComponent(id)}`;
const byId = (name) => document.getElementById(name);
const frame = new FrameView(byId("frame"), path);
const map = new SpecimenMap(byId("map"), path, (visit) => frame.choose(visit));
let session = null;
let asked = null;
let due = false;

async function refresh() {
  if (asked) {
    due = true;
    return;
  }
  due = false;
  asked = getJson(`${path}?after=${session?.last_seq ?? -1}`).then(take).catch((error) => say(error.message, true));
  await asked;
  setTimeout(() => {
    asked = null;
    if (due) refresh();
  }, NEWS_MS);
}

function take(news) {
  const visits = [...(session?.visits ?? []), ...news.visits]; // a field that was measured again comes again
  news.visits = [...new Map(visits.map((visit) => [visit.step, visit])).values()];
  news.estimates = [...(session?.estimates ?? []), ...news.estimates];
  session = news;
  showHeadline(session);
  showAnswers(byId("answers"), session);
  showBudgets(byId("budgets"), session);
  showDecisions(byId("decisions"), session);
  showEvents(byId("events"), session);
  map.show(session);
  frame.show(session);
  showControls();
}

function showControls() {
  const { running, state, pending } = session;
  const waits = new Set(pending.map((command) => command.command));
  const held = state === "paused" || (waits.has("pause") && !waits.has("resume"));
  byId("pause").hidden = held;
  byId("resume").hidden = !held;
  for (const command of ["pause", "resume", "skip", "stop"]) {
    byId(command).disabled = !running || waits.has(command) || state === "stopping";
  }
  const asks = [...waits].map((name) => `${name} asked for`).join(", ");
  const label = session.finish_reason ?? state;
  byId("state").textContent = label.replaceAll("_", " ") + (asks && running ? ` (${asks})` : "");
  byId("state").className = `pill${running ? (state === "paused" ? " held" : " on") : ""}`;
}

async function command(name) {
  byId(name).disabled = true;
  try {
    await send("POST", `${path}/${name}`);
    say(`${name}: the session does so before its next action`);
  } catch (error) {
    say(error.message, true);
  }
  refresh();
}

for (const name of ["pause", "resume", "skip"]) byId(name).addEventListener("click", () => command(name));
byId("stop").addEventListener("click", () => byId("ask-stop").showModal());
byId("ask-stop").addEventListener("close", () => {
  if (byId("ask-stop").returnValue === "yes") command("stop");
});
byId("overlay").addEventListener("change", () => frame.draw());
byId("follow").addEventListener("click", () => frame.follow());

await refresh();
const events = new EventSource(`${path}/events?after=${session?.last_seq ?? -1}`);
events.onmessage = refresh;
events.addEventListener("end", () => {
  events.close();
  refresh();
});
events.onerror = () => { if (events.readyState !== EventSource.CLOSED) say("the server cannot be reached; trying again"); };
