// The keyboard: every action of the page has a key.

import { TOOLS } from "./tools.js";

export const KEYS = [
  ["1 … 9", "choose a class"], ["B E P F S M", "brush, eraser, polygon, fill, scribble, move"],
  ["[ ]", "smaller or larger brush"], ["arrows", "move the view (with Shift: far)"], ["+ −", "zoom; 0 shows the whole frame"],
  ["N, Shift+N", "next, previous uncertain spot"], ["Space", "use the tool in the middle of the view"],
  ["Enter", "close the polygon, or submit"], ["Escape", "give up the polygon"], ["Z, Y", "undo, redo"],
  ["U", "uncertainty on or off"], ["W", "why the chosen class: Grad-CAM, occlusion map, neither"], ["O", "mask on or off"], ["C", "forget the scribbles"], ["X", "skip with a reason"], ["?", "this list"],
];

const ARROWS = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

// Binds keys to the actions of the page; they rest while somebody types or a dialog is open.
export function bindKeys(actions) {
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input:not([type=range]):not([type=checkbox]):not([type=radio]), textarea, select, dialog");
    if (typing || event.altKey || actions.idle()) return;
    if (event.target.closest("button, a") && (event.key === " " || event.key === "Enter")) return;
    if (event.target.matches("input") && event.key === " ") return; // Enter does nothing there: it submits
    if (event.target.matches("input[type=range], input[type=radio]") && event.key in ARROWS) return;
    if (handle(event, actions)) event.preventDefault();
  });
}

function handle(event, actions) {
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (event.ctrlKey || event.metaKey) {
    if (key === "z") return act(event.shiftKey ? actions.redo : actions.undo);
    return key === "y" ? act(actions.redo) : false;
  }
  if (key in ARROWS) {
    const far = event.shiftKey ? 0.5 : 0.1;
    return act(() => actions.pan(ARROWS[key][0] * far, ARROWS[key][1] * far));
  }
  if (/^[1-9]$/.test(key)) return act(() => actions.chooseClass(Number(key) - 1));
  const tool = Object.keys(TOOLS).find((name) => TOOLS[name].key === key);
  if (tool) return act(() => actions.chooseTool(tool));
  const single = {
    "[": () => actions.resize(1 / 1.25), "]": () => actions.resize(1.25),
    "+": () => actions.zoom(1.4), "=": () => actions.zoom(1.4), "-": () => actions.zoom(1 / 1.4), "0": actions.fit,
    n: () => actions.unsure(event.shiftKey ? -1 : 1), " ": actions.useTool, Enter: actions.enter, Escape: actions.escape,
    z: actions.undo, y: actions.redo, u: actions.toggleHeat, w: actions.why, o: actions.toggleMask, c: actions.forgetScribbles,
    x: actions.skip, "?": actions.help,
  }[key];
  return single ? act(single) : false;
}

function act(action) {
  action();
  return true;
}
