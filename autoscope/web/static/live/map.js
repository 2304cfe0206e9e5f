// The specimen map: the overview's mosaic, and over it every measured field in the colour of its value.

import { getBitmap } from "../api.js";
import { number, scaleOf } from "../format.js";
import { css, viridis } from "../palette.js";

const MARK = "rgb(230 159 0)"; // where the session is now
const LOST = "rgb(213 94 0)";

export class SpecimenMap {
  constructor(canvas, path, choose) {
    Object.assign(this, { canvas, path, choose, mosaic: null, mosaicOf: -1, session: null, chosen: -1 });
    canvas.addEventListener("click", (event) => this.#pick(event));
    canvas.addEventListener("keydown", (event) => this.#step(event));
    new ResizeObserver(() => this.draw()).observe(canvas);
  }

  show(session) {
    this.session = session;
    if (session.overview_frames !== this.mosaicOf) this.#load(session.overview_frames);
    this.draw();
  }

  async #load(frames) {
    this.mosaicOf = frames;
    this.mosaic = await getBitmap(`${this.path}/map.png?frames=${frames}`);
    this.draw();
  }

  // How specimen coordinates lie on the canvas: the same scale along both axes, in the middle.
  #place() {
    const { x0_um, y0_um, x1_um, y1_um } = this.session.map;
    const [width, height] = [this.canvas.clientWidth, this.canvas.clientHeight];
    const scale = Math.min(width / (x1_um - x0_um), height / (y1_um - y0_um));
    const left = (width - scale * (x1_um - x0_um)) / 2;
    const top = (height - scale * (y1_um - y0_um)) / 2;
    return { scale, x: (um) => left + scale * (um - x0_um), y: (um) => top + scale * (um - y0_um) };
  }

  draw() {
    const { canvas, session } = this;
    if (!session) return;
    const ratio = window.devicePixelRatio || 1;
    Object.assign(canvas, { width: canvas.clientWidth * ratio, height: canvas.clientHeight * ratio });
    const pen = canvas.getContext("2d");
    pen.scale(ratio, ratio);
    const place = this.#place();
    const { x0_um, y0_um, x1_um, y1_um, field_width_um, field_height_um } = session.map;
    if (this.mosaic) pen.drawImage(this.mosaic, place.x(x0_um), place.y(y0_um), place.scale * (x1_um - x0_um), place.scale * (y1_um - y0_um));
    const [w, h] = [Math.max(4, place.scale * field_width_um), Math.max(4, place.scale * field_height_um)];
    const range = this.#range();
    for (const visit of session.visits) this.#square(pen, place, visit, w, h, range);
    this.#marks(pen, place, w, h);
    this.#legend(range);
  }

  #square(pen, place, visit, w, h, { low, high }) {
    const value = visit.values[0];
    const [left, top] = [place.x(visit.x_um) - w / 2, place.y(visit.y_um) - h / 2];
    if (value === null) {
      pen.strokeStyle = LOST;
      pen.lineWidth = 2;
      pen.strokeRect(left, top, w, h);
      return;
    }
    pen.fillStyle = css(viridis((value - low) / (high - low || 1)));
    pen.fillRect(left, top, w, h);
    pen.strokeStyle = "rgb(255 255 255 / .8)";
    pen.lineWidth = 0.6;
    pen.strokeRect(left, top, w, h);
  }

  #marks(pen, place, w, h) {
    const { decisions, frame, running, visits } = this.session;
    const box = (x, y, grow, colour) => {
      pen.strokeStyle = colour;
      pen.lineWidth = 2.5;
      pen.strokeRect(place.x(x) - w / 2 - grow, place.y(y) - h / 2 - grow, w + 2 * grow, h + 2 * grow);
    };
    if (running && frame?.purpose === "overview" && !decisions.length) {
      const wide = place.scale * frame.hfw_um;
      pen.strokeStyle = MARK;
      pen.lineWidth = 2;
      pen.strokeRect(place.x(frame.x_um) - wide / 2, place.y(frame.y_um) - wide / 2, wide, wide);
    }
    const now = decisions.at(-1);
    if (running && now) box(now.x_um, now.y_um, 3, MARK);
    const chosen = visits.find((visit) => visit.step === this.chosen);
    if (chosen) box(chosen.x_um, chosen.y_um, 3, "rgb(86 180 233)");
  }

  // Colours go from the 2nd to the 98th of a hundred values.
  #range() {
    const values = this.session.visits.map((visit) => visit.values[0]).filter((v) => v !== null).sort((a, b) => a - b);
    if (!values.length) return { low: 0, high: 1 };
    const at = (share) => values[Math.round(share * (values.length - 1))];
    return { low: at(0.02), high: at(0.98) };
  }

  #legend({ low, high }) {
    const quantity = this.session.targets[0];
    const place = document.getElementById("legend");
    if (!quantity || !this.session.visits.length) {
      place.textContent = this.session.visits.length ? "" : "No field is measured yet.";
      return;
    }
    const { title, unit, factor } = scaleOf(quantity);
    const lost = this.session.visits.filter((visit) => visit.values[0] === null).length;
    place.textContent = `${title}: dark ${number(low * factor, 1)} to bright ${number(high * factor, 1)} ${unit}`
      + `${lost ? `; ${lost} lost (outlined)` : ""}. Orange: where it goes now. Choose a field to see its frame.`;
  }

  #pick(event) {
    if (!this.session?.visits.length) return;
    const place = this.#place();
    const away = (visit) => Math.hypot(place.x(visit.x_um) - event.offsetX, place.y(visit.y_um) - event.offsetY);
    const nearest = this.session.visits.reduce((best, visit) => (away(visit) < away(best) ? visit : best));
    if (away(nearest) < 25) this.#choose(nearest);
  }

  #step(event) {
    const move = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!move || !this.session?.visits.length) return;
    event.preventDefault();
    const { visits } = this.session;
    const at = visits.findIndex((visit) => visit.step === this.chosen);
    this.#choose(visits[(at + move + visits.length) % visits.length]);
  }

  #choose(visit) {
    this.chosen = visit.step;
    this.choose(visit);
    this.draw();
  }
}
