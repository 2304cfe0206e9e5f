// Where the model's evidence for a class lies: computed when somebody asks, laid over the frame, never in the mask.

import { getBitmap, getJson } from "../api.js";
import { number } from "../format.js";
import { indicesOf, viridis } from "../palette.js";

export const KINDS = ["none", "grad-cam", "occlusion"];
const NAMES = { "grad-cam": "Grad-CAM", occlusion: "Occlusion map" };
const NEUTRAL = 128; // level of an occlusion map where hiding changes nothing
const FALLS = [178, 24, 43];
const RISES = [33, 102, 172];

const byId = (name) => document.getElementById(name);

export class Evidence {
  // `changed` is called whenever the layer is another one, or gone.
  constructor(changed) {
    Object.assign(this, { changed, request: null, kind: "none", value: 0, canvas: null, turn: 0 });
  }

  get shown() {
    return this.canvas !== null;
  }

  // What the line below the frame says of it.
  get name() {
    return this.shown ? `${NAMES[this.kind]} for ${this.#className}` : "";
  }

  // A new frame: nothing is asked of it yet.
  load(request, value) {
    this.request = request;
    this.choose("none", value);
  }

  // The next of: nothing, Grad-CAM, occlusion map.
  next() {
    this.choose(KINDS[(KINDS.indexOf(this.kind) + 1) % KINDS.length]);
  }

  choose(kind, value = this.value) {
    Object.assign(this, { kind, value });
    byId(`why-${kind}`).checked = true;
    this.#ask();
  }

  // Another class was chosen: what is looked at follows it.
  explain(value) {
    if (value !== this.value) this.choose(this.kind, value);
  }

  get #className() {
    return this.request.class_names[this.value];
  }

  // The latest wish counts: what comes of older ones is dropped, and the server gives the work up.
  async #ask() {
    const turn = ++this.turn;
    const stale = () => turn !== this.turn;
    this.canvas = null;
    for (const part of ["why-key", "why-more"]) byId(part).hidden = true;
    this.changed();
    if (this.kind === "none") return say("");
    try {
      const found = await this.#found(stale);
      if (stale()) return;
      const levels = indicesOf(await getBitmap(found.picture));
      if (stale()) return;
      this.#lay(found, levels);
    } catch (error) {
      if (!stale()) say(`${NAMES[this.kind]} cannot be had: ${error.message}`, { bad: true });
    }
  }

  async #found(stale) {
    const query = new URLSearchParams({ value: this.value, kind: this.kind });
    say(`computing for ${this.#className} …`, { busy: true });
    for (;;) {
      const found = await getJson(`/api/requests/${this.request.id}/explanation?${query}`);
      if (found.state === "ready" || stale()) return found;
      say(`computing for ${this.#className}: ${progress(found)} …`, { busy: true });
    }
  }

  #lay(found, levels) {
    const { width, height } = this.request;
    const table = colours(this.kind);
    const canvas = new OffscreenCanvas(width, height);
    const image = new ImageData(width, height);
    const pixels = new Uint32Array(image.data.buffer);
    for (let i = 0; i < levels.length; i++) pixels[i] = table[levels[i]];
    canvas.getContext("2d").putImageData(image, 0, 0);
    this.canvas = canvas;
    showKey(this.kind, table, found.most);
    say(words(found, this.#className));
    byId("why").scrollIntoView({ block: "nearest" });
    this.changed();
  }
}

// Colour and opacity by level: clear where nothing is said, so that the frame stays in sight.
function colours(kind) {
  return new Uint32Array(256).map((_, level) => {
    const share = kind === "grad-cam" ? level / 255 : Math.min(1, Math.abs(level - NEUTRAL) / 127);
    const [r, g, b] = kind === "grad-cam" ? viridis(share) : level > NEUTRAL ? FALLS : RISES;
    const opacity = kind === "grad-cam" ? Math.min(1, 1.6 * share) : share;
    return ((Math.round(255 * opacity) << 24) | (b << 16) | (g << 8) | r) >>> 0;
  });
}

function progress({ ahead, done, of }) {
  if (ahead) return `${ahead} ${ahead === 1 ? "other is" : "others are"} before it`;
  return of ? `${done} of ${of} passes` : "the first time takes longer";
}

function showKey(kind, table, most) {
  const bar = byId("why-bar");
  const first = kind === "grad-cam" ? 0 : 1; // a level for each fall there is a rise for
  bar.width = 256 - first;
  const image = new ImageData(bar.width, 1);
  new Uint32Array(image.data.buffer).set(table.subarray(first));
  bar.getContext("2d").putImageData(image, 0, 0);
  const ends = kind === "grad-cam" ? ["nothing", "the strongest place"] : [`rises by ${number(most, 2)}`, `falls by ${number(most, 2)}`];
  [byId("why-low").textContent, byId("why-high").textContent] = ends;
  for (const part of ["why-key", "why-more"]) byId(part).hidden = false;
}

function words({ kind, share, probability, most }, name) {
  const how = share > 0
    ? `The model gives ${name} ${number(100 * share, 1)} % of the frame, with probability ${number(probability, 2)} there.`
    : `The model finds no ${name} in this frame; over all of it, ${name} has probability ${number(probability, 2)}.`;
  if (kind === "occlusion") return `${how} By how much that probability changes when a place is hidden under the mean grey level.`;
  if (most === 0) return `${how} Nothing in its deepest features speaks for ${name}.`;
  return `${how} Where its deepest features speak for ${name}, relative to the strongest place.`;
}

function say(text, { busy = false, bad = false } = {}) {
  const place = byId("why-said");
  place.setAttribute("aria-busy", String(busy));
  place.className = bad ? "problem" : "";
  place.textContent = text;
}
