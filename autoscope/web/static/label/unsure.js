// Where the model is unsure: a heat layer, and the spots in the order of doubt.

const BLOCK = 32; // pixels; spots are found on means over such blocks
const APART = 3; // blocks between two spots

export class Unsure {
  constructor(levels, width, height) {
    Object.assign(this, { levels, width, height, at: -1 });
    this.canvas = null;
    this.spots = spots(levels, width, height);
  }

  // Made when it is first looked at: most frames are answered without it.
  get layer() {
    this.canvas ??= heat(this.levels, this.width, this.height);
    return this.canvas;
  }

  step(move) {
    if (!this.spots.length) return null;
    this.at = (this.at + move + this.spots.length) % this.spots.length;
    return this.spots[this.at];
  }
}

function heat(levels, width, height) {
  const canvas = new OffscreenCanvas(width, height);
  const image = new ImageData(width, height);
  const pixels = new Uint32Array(image.data.buffer);
  const table = new Uint32Array(256).map((_, i) => {
    const t = i / 255; // from violet over orange to pale yellow, more opaque the more unsure
    const [r, g, b] = [60 + 195 * Math.min(1, 1.4 * t), 255 * Math.max(0, t - 0.25) / 0.75, 160 * (1 - t) + 90 * t * t];
    return ((Math.round(255 * Math.min(1, 1.6 * t)) << 24) | (Math.round(b) << 16) | (Math.round(g) << 8) | Math.round(r)) >>> 0;
  });
  for (let i = 0; i < levels.length; i++) pixels[i] = table[levels[i]];
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}

// Centres of the blocks with the highest mean doubt, none near one that came before it.
function spots(levels, width, height) {
  const [columns, rows] = [Math.ceil(width / BLOCK), Math.ceil(height / BLOCK)];
  const sums = new Float64Array(columns * rows);
  const counts = new Uint32Array(columns * rows);
  for (let y = 0; y < height; y++) {
    const row = Math.floor(y / BLOCK) * columns;
    for (let x = 0; x < width; x++) {
      const block = row + Math.floor(x / BLOCK);
      sums[block] += levels[y * width + x];
      counts[block]++;
    }
  }
  const order = Array.from(sums.keys()).filter((i) => sums[i] > 0).sort((a, b) => sums[b] / counts[b] - sums[a] / counts[a]);
  const chosen = [];
  for (const block of order) {
    const [c, r] = [block % columns, Math.floor(block / columns)];
    if (chosen.length >= 50) break;
    if (chosen.some((spot) => Math.hypot(spot.c - c, spot.r - r) < APART)) continue;
    const doubt = sums[block] / counts[block] / 255;
    chosen.push({ c, r, x: (c + 0.5) * BLOCK, y: (r + 0.5) * BLOCK, doubt });
  }
  return chosen;
}
