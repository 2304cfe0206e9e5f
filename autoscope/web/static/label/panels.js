// The words beside the frame: classes, guidelines, progress, and what the answers changed.

import { getJson } from "../api.js";
import { answer, number, scaleOf } from "../format.js";
import { classColour, css } from "../palette.js";
import { KEYS } from "./keys.js";
import { TOOLS } from "./tools.js";

const byId = (name) => document.getElementById(name);

function element(kind, text = "", name = "") {
  const made = document.createElement(kind);
  made.textContent = text;
  if (name) made.className = name;
  return made;
}

const ICONS = {
  brush: "M4 20c3 0 4-1 4-3l9-11 3 3-11 9c0 3-2 4-5 2z", eraser: "M7 20h12M5 15l8-9 6 6-8 8H8z",
  polygon: "M5 8l8-4 7 7-5 9H6z", fill: "M5 12l7-7 7 7-7 7zM20 15c2 3 1 5 0 5s-2-2 0-5z",
  scribble: "M3 17c4-9 6-9 6-4s4 4 6-2 4-4 6-4", hand: "M12 3v18M3 12h18M9 6l3-3 3 3M9 18l3 3 3-3M6 9l-3 3 3 3M18 9l3 3-3 3",
  undo: "M9 7L4 12l5 5M4 12h10a6 6 0 0 1 6 6", redo: "M15 7l5 5-5 5M20 12H10a6 6 0 0 0-6 6",
};

export function buildTools(actions) {
  const button = (name, label, key, act) => {
    const made = element("button");
    made.type = "button";
    made.id = `tool-${name}`;
    made.title = `${label} (${key.toUpperCase()})${TOOLS[name]?.hint ? `: ${TOOLS[name].hint}` : ""}`;
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
    svg.setAttribute("viewBox", "0 0 24 24");
    svg.setAttribute("aria-hidden", "true");
    path.setAttribute("d", ICONS[name]);
    svg.append(path);
    made.append(svg, element("span", label));
    made.addEventListener("click", act);
    return made;
  };
  const tools = Object.entries(TOOLS).map(([name, { name: label, key }]) => button(name, label, key, () => actions.chooseTool(name)));
  byId("tools").replaceChildren(...tools, element("hr"), button("undo", "Undo", "z", actions.undo), button("redo", "Redo", "y", actions.redo));
}

export function markTool(tool) {
  for (const name of Object.keys(TOOLS)) byId(`tool-${name}`).setAttribute("aria-pressed", String(name === tool));
}

export function showRequest(request) {
  const [name, begun] = sessionOf(request);
  byId("title").textContent = request.field === null ? name : `${name}, field ${request.field}`;
  const place = request.x_um === null ? "" : `, at (${number(request.x_um, 1)}, ${number(request.y_um, 1)}) µm`;
  const sampled = request.sampled ? "; drawn by chance: it corrects the estimate" : "";
  byId("facts").textContent = `${request.width} × ${request.height} pixels of ${number(request.pixel_nm, 1)} nm${place}${sampled}${begun}`;
  byId("second").hidden = !request.second_opinion;
}

// A session's name in the queue ends with when it began, which nobody reads as part of a name.
function sessionOf({ session }) {
  const [, name, time] = /^(.+)@(\d{4}-\d\d-\d\dT[^@]+)$/.exec(session) ?? [];
  const begun = new Date(time);
  return Number.isNaN(begun.getTime()) ? [session, ""] : [name, `; session begun ${begun.toLocaleString()}`];
}

export function showClasses(request, chosen, shares, choose) {
  const made = request.class_names.map((name, value) => {
    const button = element("button", "", "class");
    button.type = "button";
    button.setAttribute("role", "radio");
    button.setAttribute("aria-checked", String(value === chosen));
    const swatch = element("span", "", "swatch");
    swatch.style.setProperty("background", css(classColour(value)));
    button.append(swatch, element("span", name), element("small", `${number(100 * shares[value], 1)} %`));
    if (value < 9) button.append(element("kbd", value + 1));
    button.addEventListener("click", () => choose(value));
    return button;
  });
  byId("classes").replaceChildren(...made);
}

export async function showGuidelines(request) {
  const classes = await getJson(`/api/requests/${request.id}/guidelines`);
  const made = classes.map(({ name, text, examples }) => {
    const box = element("div", "", "guide");
    const pictures = examples.map((link, i) => {
      const image = element("img");
      Object.assign(image, { src: link, alt: `Example ${i + 1} of ${name}, outlined`, loading: "lazy" });
      return image;
    });
    box.append(element("strong", name), element("p", text || "No text: start the server with --guidelines.", text ? "" : "soft"), ...pictures);
    return box;
  });
  byId("guidelines").replaceChildren(...made);
}

export async function showProgress(expert) {
  const progress = await getJson("/api/progress");
  const mine = progress.experts.find((one) => one.name === expert);
  byId("progress").textContent = `you: ${mine?.answered ?? 0} answered · all: ${progress.answered} answered, ${progress.open} open`;
}

export async function showEffects(session) {
  const effects = await getJson(`/api/effects?session=${encodeURIComponent(session)}`);
  if (!effects.length) return;
  const said = ([estimate, low, high], effect) => answer({ ...effect, estimate, ci_low: low, ci_high: high });
  const list = element("ul");
  for (const effect of effects.slice(-4).reverse()) {
    const change = `${scaleOf(effect).title}: ${said(effect.before, effect)} → ${said(effect.after, effect)}`;
    list.append(element("li", `${change} (${effect.answers} answers${effect.note ? `; ${effect.note}` : ""})`));
  }
  byId("effects").replaceChildren(list);
}

export function buildKeyList() {
  byId("key-list").replaceChildren(...KEYS.flatMap(([keys, what]) => {
    const term = element("dt");
    term.append(element("kbd", keys));
    return [term, element("dd", what)];
  }));
}
