// Okabe and Ito's colours, safe for the colour-blind; viridis for values. Class 0 is not painted over a frame.

export const CLASS_COLOURS = [
  [0, 0, 0], [230, 159, 0], [86, 180, 233], [0, 158, 115],
  [240, 228, 66], [0, 114, 178], [213, 94, 0], [204, 121, 167],
];

export function classColour(index) {
  if (index < CLASS_COLOURS.length) return CLASS_COLOURS[index];
  return hsv((index * 0.381966) % 1, 0.65, 0.9);
}

function hsv(h, s, v) {
  const channel = (n) => {
    const k = (n + h * 6) % 6;
    return Math.floor(255 * (v - v * s * Math.max(0, Math.min(k, 4 - k, 1))));
  };
  return [channel(5), channel(3), channel(1)];
}

export const css = ([r, g, b], alpha = 1) => `rgb(${r} ${g} ${b} / ${alpha})`;

const VIRIDIS = [
  [68, 1, 84], [71, 44, 122], [59, 81, 139], [44, 113, 142], [33, 144, 141],
  [39, 173, 129], [92, 200, 99], [170, 220, 50], [253, 231, 37],
];

export function viridis(share) {
  const place = Math.max(0, Math.min(1, share)) * (VIRIDIS.length - 1);
  const i = Math.min(VIRIDIS.length - 2, Math.floor(place));
  return VIRIDIS[i].map((c, k) => Math.round(c + (VIRIDIS[i + 1][k] - c) * (place - i)));
}

// A class map as it lies over a frame: ImageData with class 0 transparent.
export function overlay(indices, width, height, alpha = 255) {
  const table = new Uint32Array(256);
  for (let i = 1; i < 256; i++) {
    const [r, g, b] = classColour(i);
    table[i] = ((alpha << 24) | (b << 16) | (g << 8) | r) >>> 0;
  }
  const image = new ImageData(width, height);
  const pixels = new Uint32Array(image.data.buffer);
  for (let i = 0; i < pixels.length; i++) pixels[i] = table[indices[i]];
  return image;
}

// The values of a grey PNG, as drawn into a canvas.
export function indicesOf(bitmap) {
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  pen.drawImage(bitmap, 0, 0);
  const rgba = pen.getImageData(0, 0, bitmap.width, bitmap.height).data;
  const indices = new Uint8Array(bitmap.width * bitmap.height);
  for (let i = 0; i < indices.length; i++) indices[i] = rgba[4 * i];
  return indices;
}
