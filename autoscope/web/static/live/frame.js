// The latest frame, or one that was chosen on the map, with its class map over it and a scale bar.

import { getBitmap } from "../api.js";
import { scaleBar } from "../format.js";
import { indicesOf, overlay } from "../palette.js";

export class FrameView {
  constructor(canvas, path) {
    Object.assign(this, { canvas, path, picture: null, classes: null, shown: -1, chosen: null, session: null });
    new ResizeObserver(() => this.draw()).observe(canvas);
  }

  show(session) {
    this.session = session;
    if (this.chosen) return;
    const measured = session.visits.findLast((visit) => visit.frame !== null);
    const place = measured
      ? { frame: measured.frame, field: measured.field, step: measured.step, hfw_um: session.map.field_width_um }
      : session.frame;
    if (place) this.#load(place);
  }

  choose(visit) {
    if (visit.frame === null) return;
    this.chosen = visit;
    document.getElementById("follow").hidden = false;
    document.getElementById("h-frame").textContent = "Chosen frame";
    this.#load({ frame: visit.frame, field: visit.field, step: visit.step, hfw_um: this.session.map.field_width_um });
  }

  follow() {
    this.chosen = null;
    document.getElementById("follow").hidden = true;
    document.getElementById("h-frame").textContent = "Latest frame";
    this.show(this.session);
  }

  async #load(place) {
    if (place.frame === this.shown) return;
    this.shown = place.frame;
    const base = `${this.path}/frames/${place.frame}`;
    const picture = await getBitmap(`${base}.jpg`);
    const labels = place.step === undefined ? null : await getBitmap(`${base}/labels.png`).catch(() => null);
    if (place.frame !== this.shown) return; // a later one came meanwhile
    this.picture = picture;
    this.hfwUm = place.hfw_um;
    this.classes = null;
    if (labels) {
      this.classes = new OffscreenCanvas(labels.width, labels.height);
      this.classes.getContext("2d").putImageData(overlay(indicesOf(labels), labels.width, labels.height), 0, 0);
    }
    const where = place.field === null ? "overview" : `field ${place.field}`;
    document.getElementById("frame-facts").textContent = `frame ${place.frame}, ${where}, ${place.hfw_um} µm wide`;
    this.draw();
  }

  draw() {
    if (!this.picture) return;
    const { canvas, picture } = this;
    const ratio = window.devicePixelRatio || 1;
    Object.assign(canvas, { width: canvas.clientWidth * ratio, height: canvas.clientHeight * ratio });
    const pen = canvas.getContext("2d");
    pen.scale(ratio, ratio);
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    const scale = Math.min(width / picture.width, height / picture.height);
    const [w, h] = [scale * picture.width, scale * picture.height];
    const [left, top] = [(width - w) / 2, (height - h) / 2];
    pen.drawImage(picture, left, top, w, h);
    if (this.classes && document.getElementById("overlay").checked) {
      pen.globalAlpha = 0.4;
      pen.imageSmoothingEnabled = false;
      pen.drawImage(this.classes, left, top, w, h);
      pen.globalAlpha = 1;
    }
    this.#bar(pen, left, top + h, w);
  }

  #bar(pen, left, bottom, width) {
    const bar = scaleBar(this.hfwUm);
    const length = (bar.um / this.hfwUm) * width;
    pen.font = "12px system-ui, sans-serif";
    pen.fillStyle = "rgb(0 0 0 / .65)";
    pen.fillRect(left + 6, bottom - 30, Math.max(length, pen.measureText(bar.text).width) + 12, 25);
    pen.fillStyle = "#fff";
    pen.fillRect(left + 12, bottom - 11, length, 3);
    pen.fillText(bar.text, left + 12, bottom - 16);
  }
}
