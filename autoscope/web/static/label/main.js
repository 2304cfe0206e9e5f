// The labelling page: takes a request, lets an expert correct the prediction, sends the mask, takes the next.

import { Refused, say } from "../api.js";
import { Evidence, KINDS } from "./evidence.js";
import { bindKeys } from "./keys.js";
import { buildKeyList, buildTools, markTool, showClasses, showEffects, showGuidelines, showProgress, showRequest } from "./panels.js";
import { Tools } from "./tools.js";
import { Unsure } from "./unsure.js";
import { View } from "./view.js";
import { Work } from "./work.js";

const LOOK_AGAIN_MS = 4000;
const NAME = "autoscope-expert";

const byId = (name) => document.getElementById(name);
const view = new View(byId("canvas"));
const tools = new Tools(view, { changed, scribbled });
const evidence = new Evidence(() => { view.invalidate(); status(); });
let work = null;
let mask = null;
let unsure = null;
let looking = 0;
let busy = false;

const actions = {
  idle: () => !work?.request || busy,
  chooseTool(tool) { tools.choose(tool); markTool(tool); status(); },
  chooseClass(value) { if (value < work.request.class_names.length) { tools.value = value; evidence.explain(value); changed(); } },
  resize(factor) { setSize(tools.size * factor + Math.sign(factor - 1)); },
  pan(x, y) { view.crosshair = true; view.pan(x * byId("canvas").clientWidth, y * byId("canvas").clientHeight); status(); },
  zoom(factor) { view.zoom(factor); status(); },
  fit() { view.fit(); status(); },
  unsure(move) { goToUnsure(move); },
  useTool() { view.crosshair = true; tools.pointer = null; tools.atCentre(); },
  enter() { if (!tools.closePolygon()) submit(); },
  escape() { tools.giveUp(); },
  undo() { if (mask.undo()) changed(); },
  redo() { if (mask.redo()) changed(); },
  toggleHeat() { byId("heat-on").click(); },
  why() { evidence.next(); },
  toggleMask() { byId("mask-on").click(); },
  forgetScribbles() { tools.clearScribbles(); layers(); },
  skip() { byId("reason").value = ""; byId("ask-reason").showModal(); },
  help() { byId("keys").showModal(); },
};

function setSize(size) {
  tools.size = Math.max(1, Math.min(200, Math.round(size)));
  byId("size").value = tools.size;
  byId("size-said").textContent = `${tools.size} px`;
  view.invalidate();
}

function layers() {
  view.layers = [
    { canvas: mask.canvas, shown: () => byId("mask-on").checked, alpha: () => Number(byId("mask-alpha").value) },
    { get canvas() { return unsure.layer; }, shown: () => unsure && byId("heat-on").checked, alpha: () => Number(byId("heat-alpha").value) },
    { get canvas() { return evidence.canvas; }, shown: () => evidence.shown, alpha: () => Number(byId("why-alpha").value) },
    { canvas: tools.strokes, shown: () => byId("mask-on").checked, alpha: () => 1 },
  ];
  view.invalidate();
}

function changed() {
  showClasses(work.request, tools.value, mask.shares(work.request.class_names.length), actions.chooseClass);
  view.invalidate();
  status();
}

function status(text = "") {
  const zoom = `${Math.round((100 * view.scale) / view.ratio)} %`;
  const seen = evidence.name ? `, ${evidence.name}` : "";
  byId("status").textContent = text || `${tools.tool}, ${work.request?.class_names[tools.value] ?? ""}, zoom ${zoom}${seen}`;
}

function goToUnsure(move) {
  const spot = unsure?.step(move);
  if (!unsure) return say("the uncertainty is still on its way");
  if (!spot) return say("the model is sure everywhere");
  view.crosshair = true;
  tools.pointer = null;
  view.goTo(spot.x, spot.y, Math.max(view.fitting, Math.min(4, 6 * view.fitting)));
  status(`uncertain spot ${unsure.at + 1} of ${unsure.spots.length}: ${Math.round(100 * spot.doubt)} % unsure`);
  return spot;
}

// The latest strokes count: an answer to older ones is dropped.
let asked = 0;
async function scribbled(scribbles) {
  const turn = ++asked;
  const current = mask;
  const begun = performance.now();
  try {
    const values = await work.suggestion(scribbles, mask.width, mask.height);
    if (turn !== asked || mask !== current) return;
    mask.suggest(values);
    changed();
    status(`suggestion after ${Math.round(performance.now() - begun)} ms`);
  } catch (error) {
    say(error.message, true);
  }
}

async function take() {
  clearTimeout(looking);
  busy = true;
  try {
    const begun = performance.now();
    const request = await work.next();
    byId("desk").hidden = !request;
    byId("nothing").hidden = Boolean(request);
    if (!request) {
      evidence.choose("none");
      showProgress(work.expert).catch(() => {});
      looking = setTimeout(take, LOOK_AGAIN_MS);
      return;
    }
    await show(request);
    await new Promise(requestAnimationFrame); // drawn
    document.body.dataset.visibleMs = Math.round(performance.now() - begun);
    besides(request);
  } catch (error) {
    say(error.message, true);
    looking = setTimeout(take, LOOK_AGAIN_MS);
  } finally {
    busy = false;
  }
}

async function show(request) {
  showRequest(request);
  const pictures = await work.pictures();
  const { frame, doubt } = pictures;
  mask = pictures.mask;
  unsure = null;
  unsureOf(request, doubt).catch((error) => say(error.message, true));
  tools.value = Math.min(tools.value, request.class_names.length - 1);
  tools.load(mask);
  evidence.load(request, tools.value);
  view.load(frame, request.pixel_nm);
  layers();
  changed();
  byId("canvas").focus({ preventScroll: true });
}

// What is read while the frame is looked at already.
function besides(request) {
  showProgress(work.expert).catch(() => {});
  showGuidelines(request).catch((error) => say(error.message, true));
  showEffects(request.session).catch(() => {});
  work.prepare().catch(() => {}); // then it is read when its turn comes
}

async function unsureOf(request, doubt) {
  const levels = await doubt;
  await new Promise((done) => setTimeout(done)); // the frame is drawn first
  if (work.request !== request) return;
  unsure = new Unsure(levels, request.width, request.height);
  view.invalidate();
}

// Sends something that ends the lease, then takes the next request.
async function finish(what, done) {
  if (busy) return;
  busy = true;
  try {
    await what();
    say(done);
  } catch (error) {
    say(error.message, true);
    busy = false;
    if (!(error instanceof Refused && error.status === 409)) return; // it can be sent again
    work.lost();
  }
  busy = false;
  await take();
}

const submit = () => finish(() => work.answer(mask), "Stored. Thank you.");

function begin() {
  const name = localStorage.getItem(NAME);
  if (!name) return byId("ask-name").showModal();
  work = new Work(name);
  byId("who").textContent = name;
  byId("change-name").hidden = false;
  return take();
}

byId("ask-name").addEventListener("close", () => {
  const name = byId("name").value.trim();
  if (name) localStorage.setItem(NAME, name);
  begin();
});
byId("change-name").addEventListener("click", () => byId("ask-name").showModal());
byId("ask-reason").addEventListener("close", () => {
  const reason = byId("reason").value.trim();
  if (byId("ask-reason").returnValue !== "skip") return;
  if (reason) finish(() => work.skip(reason), "Skipped.");
  else say("say in a few words why", true);
});
for (const [name, act] of [["submit", submit], ["skip", actions.skip], ["help", actions.help], ["look", take], ["next-unsure", () => goToUnsure(1)]]) byId(name).addEventListener("click", act);
byId("release").addEventListener("click", () => finish(() => work.release(), "Given back."));
for (const name of ["mask-on", "mask-alpha", "heat-on", "heat-alpha", "why-alpha"]) byId(name).addEventListener("input", () => view.invalidate());
for (const kind of KINDS) byId(`why-${kind}`).addEventListener("change", () => evidence.choose(kind));
byId("size").addEventListener("input", () => setSize(Number(byId("size").value)));
window.addEventListener("beforeunload", (event) => { if (work?.request && mask?.changed) event.preventDefault(); });

buildTools(actions);
buildKeyList();
markTool(tools.tool);
bindKeys(actions);
begin();
