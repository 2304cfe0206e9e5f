// The list of sessions.

import { getJson, say } from "./api.js";
import { answer, clock } from "./format.js";

const body = document.getElementById("sessions");

function cell(row, content, kind = "td") {
  const made = document.createElement(kind);
  made.append(content);
  row.append(made);
  return made;
}

function row(session) {
  const made = document.createElement("tr");
  const link = document.createElement("a");
  link.href = `/sessions/${encodeURIComponent(session.id)}`;
  link.textContent = session.sample ? `${session.sample} (${session.id})` : session.id;
  cell(made, link, "th").scope = "row";
  const state = document.createElement("span");
  state.className = `pill${session.running ? (session.state === "paused" ? " held" : " on") : ""}`;
  state.textContent = (session.finish_reason ?? session.state).replaceAll("_", " ");
  cell(made, state);
  cell(made, session.unreadable || `${session.microscope}${session.simulated ? " (simulated)" : ""}`);
  cell(made, `${session.fields_measured} of ${session.fields_in_region}`);
  cell(made, session.quantities.map((q) => `${q.class}: ${answer(q)}`).join("; ") || "–");
  cell(made, clock(session.updated));
  return made;
}

async function refresh() {
  try {
    const sessions = await getJson("/api/sessions");
    if (sessions.length) body.replaceChildren(...sessions.map(row));
    else body.firstElementChild.firstElementChild.textContent = "No session yet: autoscope run makes one.";
  } catch (error) {
    say(error.message, true);
  }
}

await refresh();
setInterval(() => { if (!document.hidden) refresh(); }, 3000);
