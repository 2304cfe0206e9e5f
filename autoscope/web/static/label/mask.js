// The mask that is being corrected: class numbers, what they look like, and every step back and forth.

import { classColour } from "../palette.js";

const MOST_STEPS = 200;
const MOST_BYTES = 256 * 1024 * 1024;

export class Mask {
  constructor(prediction, width, height) {
    Object.assign(this, { width, height, prediction, before: null, dirty: null });
    this.values = prediction.slice();
    this.byHand = new Uint8Array(prediction.length); // 1 where the expert decided: suggestions keep off
    this.canvas = new OffscreenCanvas(width, height);
    this.pen = this.canvas.getContext("2d");
    this.done = [];
    this.undone = [];
    this.table = new Uint32Array(256);
    for (let i = 1; i < 256; i++) {
      const [r, g, b] = classColour(i);
      this.table[i] = ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
    }
    this.paint({ x0: 0, y0: 0, x1: width, y1: height });
  }

  get changed() {
    return this.done.length > 0;
  }

  // Begins a step; everything until `commit` is undone at once.
  begin() {
    this.before = { values: this.values.slice(), byHand: this.byHand.slice() };
    this.dirty = null;
  }

  touch(x0, y0, x1, y1) {
    const box = {
      x0: Math.max(0, Math.floor(x0)), y0: Math.max(0, Math.floor(y0)),
      x1: Math.min(this.width, Math.ceil(x1)), y1: Math.min(this.height, Math.ceil(y1)),
    };
    if (box.x0 >= box.x1 || box.y0 >= box.y1) return null;
    const d = this.dirty;
    this.dirty = d ? { x0: Math.min(d.x0, box.x0), y0: Math.min(d.y0, box.y0), x1: Math.max(d.x1, box.x1), y1: Math.max(d.y1, box.y1) } : box;
    return box;
  }

  commit(tool) {
    const { before, dirty } = this;
    this.before = null;
    if (!dirty) return;
    this.done.push({
      tool, box: dirty,
      old: cut(before.values, this.width, dirty), oldHand: cut(before.byHand, this.width, dirty),
      new: cut(this.values, this.width, dirty), newHand: cut(this.byHand, this.width, dirty),
    });
    this.undone = [];
    let bytes = 0;
    let kept = 0;
    for (const step of [...this.done].reverse()) {
      bytes += 4 * step.old.length;
      if (bytes > MOST_BYTES || kept >= MOST_STEPS) break;
      kept++;
    }
    this.done.splice(0, this.done.length - Math.max(kept, 1));
  }

  undo() {
    const step = this.done.pop();
    if (!step) return false;
    this.#put(step, step.old, step.oldHand);
    this.undone.push(step);
    return true;
  }

  redo() {
    const step = this.undone.pop();
    if (!step) return false;
    this.#put(step, step.new, step.newHand);
    this.done.push(step);
    return true;
  }

  #put({ box }, values, byHand) {
    paste(this.values, this.width, box, values);
    paste(this.byHand, this.width, box, byHand);
    this.paint(box);
  }

  // What the server suggests, wherever the expert has not decided.
  suggest(values) {
    this.begin();
    for (let i = 0; i < values.length; i++) if (!this.byHand[i]) this.values[i] = values[i];
    this.paint(this.touch(0, 0, this.width, this.height));
    this.commit("scribbles");
  }

  paint(box) {
    if (!box) return;
    const [w, h] = [box.x1 - box.x0, box.y1 - box.y0];
    const image = this.pen.createImageData(w, h);
    const pixels = new Uint32Array(image.data.buffer);
    for (let y = 0; y < h; y++) {
      const row = (y + box.y0) * this.width + box.x0;
      for (let x = 0; x < w; x++) pixels[y * w + x] = this.table[this.values[row + x]];
    }
    this.pen.putImageData(image, box.x0, box.y0);
  }

  // The tools that made this answer, the one that was used most first.
  get tools() {
    const counts = new Map();
    for (const { tool } of this.done) counts.set(tool, (counts.get(tool) ?? 0) + 1);
    return [...counts].sort((a, b) => b[1] - a[1]).map(([tool]) => tool).join("+") || "review";
  }

  shares(classes) {
    const counts = new Uint32Array(256);
    for (const value of this.values) counts[value]++;
    return Array.from({ length: classes }, (_, i) => counts[i] / this.values.length);
  }
}

function cut(values, width, { x0, y0, x1, y1 }) {
  const part = new Uint8Array((x1 - x0) * (y1 - y0));
  for (let y = y0; y < y1; y++) part.set(values.subarray(y * width + x0, y * width + x1), (y - y0) * (x1 - x0));
  return part;
}

function paste(values, width, { x0, y0, x1, y1 }, part) {
  for (let y = y0; y < y1; y++) values.set(part.subarray((y - y0) * (x1 - x0), (y - y0 + 1) * (x1 - x0)), y * width + x0);
}
