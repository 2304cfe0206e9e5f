// The tools: what pointer and keyboard do with the mask.

import { css, classColour } from "../palette.js";
import { fill, polygon, stroke } from "./shapes.js";

const NO_SCRIBBLE = 255;

export const TOOLS = {
  brush: { key: "b", name: "Brush" },
  eraser: { key: "e", name: "Eraser", hint: "back to what the model said" },
  polygon: { key: "p", name: "Polygon", hint: "click corners, Enter closes, Escape gives up" },
  fill: { key: "f", name: "Fill", hint: "a connected region" },
  scribble: { key: "s", name: "Scribble", hint: "strokes give a new suggestion" },
  hand: { key: "m", name: "Move" },
};

export class Tools {
  constructor(view, { changed, scribbled }) {
    Object.assign(this, { view, changed, scribbled, tool: "brush", value: 1, size: 24, mask: null });
    Object.assign(this, { corners: [], last: null, pointer: null, panning: null, scribbles: null, strokes: null });
    this.#listen(view.canvas);
    view.marks = (pen, scale) => this.#marks(pen, scale);
  }

  load(mask) {
    this.mask = mask;
    this.corners = [];
    this.clearScribbles();
  }

  clearScribbles() {
    const { width, height } = this.mask;
    this.scribbles = new Uint8Array(width * height).fill(NO_SCRIBBLE);
    this.strokes = new OffscreenCanvas(width, height);
    this.strokePen = this.strokes.getContext("2d");
    this.view.invalidate();
  }

  choose(tool) {
    this.tool = tool;
    this.corners = [];
    this.view.canvas.style.cursor = tool === "hand" ? "grab" : "crosshair";
    this.view.invalidate();
  }

  // The tool where the crosshair is, for whoever works without a mouse.
  atCentre() {
    const here = this.view.centre;
    if (this.tool === "polygon") this.#corner(here);
    else if (this.tool !== "hand") {
      this.#begin(here);
      this.#end();
    }
  }

  closePolygon() {
    if (this.corners.length < 3) return false;
    this.mask.begin();
    this.mask.paint(polygon(this.mask, this.corners, this.#setter()));
    this.corners = [];
    this.mask.commit("polygon");
    this.changed();
    return true;
  }

  giveUp() {
    const had = this.corners.length > 0;
    this.corners = [];
    this.view.invalidate();
    return had;
  }

  #setter() {
    const { mask, value } = this;
    return (i) => {
      mask.values[i] = value;
      mask.byHand[i] = 1;
    };
  }

  #listen(canvas) {
    canvas.addEventListener("pointerdown", (event) => this.#down(event));
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, () => this.#up());
    canvas.addEventListener("pointerleave", () => {
      this.pointer = null;
      this.view.invalidate();
    });
    canvas.addEventListener("contextmenu", (event) => event.preventDefault());
    canvas.addEventListener("dblclick", () => this.closePolygon());
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.view.zoom(Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.0015)), { x: event.offsetX, y: event.offsetY });
    }, { passive: false });
  }

  #down(event) {
    if (!this.mask) return;
    this.view.canvas.setPointerCapture(event.pointerId);
    this.view.crosshair = false;
    if (event.button !== 0 || this.tool === "hand") {
      this.panning = { x: event.clientX, y: event.clientY };
      return;
    }
    const here = this.view.toFrame(event.offsetX, event.offsetY);
    if (this.tool === "polygon") this.#corner(here);
    else this.#begin(here);
  }

  #move(event) {
    if (this.panning) {
      this.view.pan(event.clientX - this.panning.x, event.clientY - this.panning.y);
      this.panning = { x: event.clientX, y: event.clientY };
      return;
    }
    for (const part of event.getCoalescedEvents?.() ?? [event]) {
      this.pointer = this.view.toFrame(part.offsetX, part.offsetY);
      if (this.last) this.#draw(this.pointer);
    }
    this.view.invalidate();
  }

  #up() {
    this.panning = null;
    this.#end();
  }

  #corner(here) {
    this.corners.push(here);
    this.view.invalidate();
  }

  #begin(here) {
    if (this.tool === "fill") {
      this.mask.begin();
      this.mask.paint(fill(this.mask, here.x, here.y, this.#setter()));
      this.mask.commit("fill");
      this.changed();
      return;
    }
    this.mask.begin();
    this.last = here;
    this.#draw(here);
  }

  #draw(here) {
    const { mask, value, tool, scribbles } = this;
    const set = {
      brush: this.#setter(),
      eraser: (i) => {
        mask.values[i] = mask.prediction[i];
        mask.byHand[i] = 0;
        scribbles[i] = NO_SCRIBBLE;
      },
      scribble: (i) => {
        scribbles[i] = value;
        mask.values[i] = value;
        mask.byHand[i] = 1;
      },
    }[tool];
    const radius = (tool === "scribble" ? Math.min(this.size, 8) : this.size) / 2;
    mask.paint(stroke(mask, this.last, here, radius, set));
    if (tool === "scribble") this.#ink(this.last, here, radius);
    this.last = here;
    this.view.invalidate();
  }

  #ink(a, b, radius) {
    const pen = this.strokePen;
    pen.strokeStyle = css(classColour(this.value));
    pen.lineWidth = 2 * radius;
    pen.lineCap = "round";
    pen.beginPath();
    pen.moveTo(a.x, a.y);
    pen.lineTo(b.x + 0.01, b.y);
    pen.stroke();
  }

  #end() {
    if (!this.last) return;
    this.last = null;
    this.mask.commit(this.tool);
    this.changed();
    if (this.tool === "scribble") this.scribbled(this.scribbles);
  }

  #marks(pen, scale) {
    pen.lineWidth = 1.5 / scale;
    if (this.corners.length) {
      pen.strokeStyle = "#fff";
      pen.beginPath();
      for (const corner of [...this.corners, this.pointer ?? this.view.centre]) pen.lineTo(corner.x, corner.y);
      pen.stroke();
      pen.fillStyle = css(classColour(this.value));
      for (const corner of this.corners) pen.fillRect(corner.x - 3 / scale, corner.y - 3 / scale, 6 / scale, 6 / scale);
    }
    const here = this.pointer ?? (this.view.crosshair ? this.view.centre : null);
    if (!here || !["brush", "eraser", "scribble"].includes(this.tool)) return;
    for (const [colour, grow] of [["#000", 0], ["#fff", 1.5 / scale]]) {
      pen.strokeStyle = colour;
      pen.beginPath();
      pen.arc(here.x, here.y, (this.tool === "scribble" ? Math.min(this.size, 8) : this.size) / 2 + grow, 0, 2 * Math.PI);
      pen.stroke();
    }
  }
}
