// The parts of the live page that are words and tables.

import { clock, decimals, duration, number, scaleOf } from "../format.js";

const BUDGETS = [
  ["beam_time_s", "Beam time", "beam_time_s", duration],
  ["dose_e_per_nm2", "Highest dose", "dose_e_per_nm2_max", (v) => `${v.toPrecision(3)} e/nm²`],
  ["eds_live_s", "EDS live time", "eds_live_s", duration],
  ["frames", "Frames", "frames", String],
];

function element(kind, text = "", name = "") {
  const made = document.createElement(kind);
  made.textContent = text;
  if (name) made.className = name;
  return made;
}

export function showHeadline(session) {
  document.getElementById("title").textContent = session.sample || session.id;
  document.getElementById("simulated").hidden = !session.simulated;
  const facts = [
    session.microscope, session.operator && `operator ${session.operator}`, `policy ${session.policy}`,
    `model ${session.model}`, `${session.fields_measured} of ${session.fields_in_region} fields`,
  ];
  document.getElementById("facts").textContent = facts.filter(Boolean).join(" · ");
}

export function showBudgets(place, session) {
  const left = element("p");
  if (session.left) {
    left.append(element("span", `${duration(session.left.p50_s)} left`, "left"));
    left.append(` by even chance, ${duration(session.left.p90_s)} with nine in ten`);
  } else {
    left.textContent = session.running ? "The time left is not known yet." : "No time left: the session is over.";
  }
  const rows = BUDGETS.map(([key, name, spent, text]) => {
    const row = element("div", "", "budget");
    const value = session.spent[spent];
    const limit = session.budget[key];
    row.append(element("span", name));
    if (limit === undefined) {
      row.append(element("span", "no limit", "soft"), element("span", text(value)));
    } else {
      const bar = element("progress");
      Object.assign(bar, { max: limit, value: Math.min(value, limit) });
      bar.setAttribute("aria-label", name);
      row.append(bar, element("span", `${text(value)} of ${text(limit)}`));
    }
    return row;
  });
  place.replaceChildren(left, ...rows);
}

export function showDecisions(body, session) {
  const measured = new Map(session.visits.map((visit) => [visit.step, visit]));
  const target = session.quantities[0] ?? session.targets[0];
  const factor = target ? scaleOf(target).factor : 1;
  const places = decimals(0.01 * factor);
  const shown = (value) => (value === null || value === undefined ? "–" : number(value * factor, places));
  const rows = [...session.decisions].reverse().map((decision) => {
    const visit = measured.get(decision.step);
    const row = element("tr", "", visit || !session.running ? "" : "now");
    const found = visit ? (visit.note ? visit.note : visit.values.map(shown).join(", ")) : "under way";
    row.append(
      element("td", decision.step), element("td", decision.field), element("td", decision.reason),
      element("td", decision.predicted.map(shown).join(", ")), element("td", found),
      element("td", `${decision.propensity.toPrecision(2)} of ${decision.candidates}`),
    );
    return row;
  });
  body.replaceChildren(...rows);
}

export function showEvents(list, session) {
  const items = [...session.events].reverse().map((event) => {
    const item = element("li", "", event.kind);
    item.append(element("time", clock(event.time)), element("span", event.text));
    return item;
  });
  list.replaceChildren(...items);
}
