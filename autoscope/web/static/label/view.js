// What is seen of the frame: layers, zoom and pan, scale bar, cursors. Draws only when something changed.

import { scaleBar } from "../format.js";

const FARTHEST = 64; // screen pixels for a pixel of the frame

export class View {
  constructor(canvas) {
    Object.assign(this, { canvas, frame: [], layers: [], marks: () => {}, width: 1, height: 1, pixelNm: 1 });
    Object.assign(this, { scale: 1, left: 0, top: 0, due: false, crosshair: false, drawMs: 0 });
    this.pen = canvas.getContext("2d", { alpha: false });
    new ResizeObserver(() => this.#resize()).observe(canvas);
  }

  // A new frame, as a bitmap; smaller copies of it keep zooming out quick and smooth.
  load(bitmap, pixelNm) {
    Object.assign(this, { width: bitmap.width, height: bitmap.height, pixelNm });
    this.frame = [bitmap];
    let last = bitmap;
    while (Math.max(last.width, last.height) > 512) {
      const half = new OffscreenCanvas(Math.ceil(last.width / 2), Math.ceil(last.height / 2));
      half.getContext("2d").drawImage(last, 0, 0, half.width, half.height);
      this.frame.push(half);
      last = half;
    }
    this.#resize();
    this.fit();
  }

  #resize() {
    const ratio = window.devicePixelRatio || 1;
    const centre = this.centre;
    this.canvas.width = Math.max(1, Math.round(this.canvas.clientWidth * ratio));
    this.canvas.height = Math.max(1, Math.round(this.canvas.clientHeight * ratio));
    this.ratio = ratio;
    this.goTo(centre.x, centre.y);
  }

  get centre() {
    return { x: (this.canvas.width / 2 - this.left) / this.scale, y: (this.canvas.height / 2 - this.top) / this.scale };
  }

  get fitting() {
    return Math.min(this.canvas.width / this.width, this.canvas.height / this.height);
  }

  fit() {
    this.scale = this.fitting;
    this.goTo(this.width / 2, this.height / 2);
  }

  goTo(x, y, scale = this.scale) {
    this.scale = scale;
    this.left = this.canvas.width / 2 - x * scale;
    this.top = this.canvas.height / 2 - y * scale;
    this.#keepInSight();
    this.invalidate();
  }

  pan(dx, dy) {
    this.left += dx * this.ratio;
    this.top += dy * this.ratio;
    this.#keepInSight();
    this.invalidate();
  }

  // Zooms about a place on the screen (the middle without one), CSS pixels.
  zoom(factor, at) {
    const place = at ?? { x: this.canvas.clientWidth / 2, y: this.canvas.clientHeight / 2 };
    const here = this.toFrame(place.x, place.y);
    this.scale = Math.max(this.fitting / 2, Math.min(FARTHEST, this.scale * factor));
    this.left = place.x * this.ratio - here.x * this.scale;
    this.top = place.y * this.ratio - here.y * this.scale;
    this.#keepInSight();
    this.invalidate();
  }

  #keepInSight() {
    const inside = (start, size, room) => Math.max(room / 2 - size, Math.min(room / 2, start));
    this.left = inside(this.left, this.width * this.scale, this.canvas.width);
    this.top = inside(this.top, this.height * this.scale, this.canvas.height);
  }

  toFrame(x, y) {
    return { x: (x * this.ratio - this.left) / this.scale, y: (y * this.ratio - this.top) / this.scale };
  }

  invalidate() {
    if (this.due) return;
    this.due = true;
    requestAnimationFrame(() => {
      this.due = false;
      this.draw();
    });
  }

  draw() {
    const begun = performance.now();
    const { pen, canvas, scale } = this;
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.fillStyle = "#101214";
    pen.fillRect(0, 0, canvas.width, canvas.height);
    if (!this.frame.length) return;
    const level = Math.min(this.frame.length - 1, Math.max(0, Math.floor(Math.log2(1 / scale) + 0.01)));
    pen.imageSmoothingEnabled = scale < 1;
    this.#lay(this.frame[level]);
    pen.imageSmoothingEnabled = false;
    for (const layer of this.layers) {
      if (!layer.shown()) continue;
      pen.globalAlpha = layer.alpha();
      this.#lay(layer.canvas);
      pen.globalAlpha = 1;
    }
    pen.setTransform(scale, 0, 0, scale, this.left, this.top);
    this.marks(pen, scale);
    pen.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    this.#scaleBar();
    if (this.crosshair) this.#cross();
    this.drawMs = performance.now() - begun;
  }

  // Draws the part of a picture of the whole frame that is in sight.
  #lay(picture) {
    const { canvas, scale, left, top, width, height } = this;
    const share = picture.width / width;
    const x0 = Math.max(0, Math.floor(-left / scale));
    const y0 = Math.max(0, Math.floor(-top / scale));
    const x1 = Math.min(width, Math.ceil((canvas.width - left) / scale));
    const y1 = Math.min(height, Math.ceil((canvas.height - top) / scale));
    if (x1 <= x0 || y1 <= y0) return;
    this.pen.drawImage(
      picture, x0 * share, y0 * share, (x1 - x0) * share, (y1 - y0) * share,
      left + x0 * scale, top + y0 * scale, (x1 - x0) * scale, (y1 - y0) * scale,
    );
  }

  #scaleBar() {
    const { pen } = this;
    const umPerPixel = (this.pixelNm / 1000) * (this.ratio / this.scale);
    const bar = scaleBar(500 * umPerPixel);
    const length = bar.um / umPerPixel;
    const [right, bottom] = [this.canvas.clientWidth - 14, this.canvas.clientHeight - 14];
    pen.font = "13px system-ui, sans-serif";
    const wide = Math.max(length, pen.measureText(bar.text).width);
    pen.fillStyle = "rgb(0 0 0 / .65)";
    pen.fillRect(right - wide - 8, bottom - 28, wide + 16, 34);
    pen.fillStyle = "#fff";
    pen.fillRect(right - length, bottom - 2, length, 4);
    pen.textAlign = "right";
    pen.fillText(bar.text, right, bottom - 9);
    pen.textAlign = "left";
  }

  #cross() {
    const { pen } = this;
    const [x, y] = [this.canvas.clientWidth / 2, this.canvas.clientHeight / 2];
    for (const [colour, wide] of [["#000", 4], ["#fff", 1.6]]) {
      pen.strokeStyle = colour;
      pen.lineWidth = wide;
      pen.beginPath();
      for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
        pen.moveTo(x + 5 * dx, y + 5 * dy);
        pen.lineTo(x + 18 * dx, y + 18 * dy);
      }
      pen.stroke();
    }
  }
}
