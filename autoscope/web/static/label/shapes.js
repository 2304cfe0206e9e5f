// What tools do to class numbers: strokes, filled polygons, connected regions.

// Every pixel whose centre is within `radius` of the segment; calls `set(index)`.
export function stroke(mask, a, b, radius, set) {
  const box = mask.touch(Math.min(a.x, b.x) - radius, Math.min(a.y, b.y) - radius, Math.max(a.x, b.x) + radius + 1, Math.max(a.y, b.y) + radius + 1);
  if (!box) return null;
  const [dx, dy] = [b.x - a.x, b.y - a.y];
  const length2 = dx * dx + dy * dy;
  const limit = Math.max(radius, 0.72) ** 2; // a brush of one pixel still meets the pixel that it is in
  for (let y = box.y0; y < box.y1; y++) {
    for (let x = box.x0; x < box.x1; x++) {
      const [px, py] = [x + 0.5 - a.x, y + 0.5 - a.y];
      const along = length2 ? Math.max(0, Math.min(1, (px * dx + py * dy) / length2)) : 0;
      const [ex, ey] = [px - along * dx, py - along * dy];
      if (ex * ex + ey * ey <= limit) set(y * mask.width + x);
    }
  }
  return box;
}

// Every pixel whose centre is inside a polygon (even-odd rule), by scan lines.
export function polygon(mask, points, set) {
  const ys = points.map((p) => p.y);
  const xs = points.map((p) => p.x);
  const box = mask.touch(Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys));
  if (!box) return null;
  for (let y = box.y0; y < box.y1; y++) {
    const cuts = [];
    points.forEach((p, i) => {
      const q = points[(i + 1) % points.length];
      if (p.y <= y + 0.5 !== q.y <= y + 0.5) cuts.push(p.x + ((y + 0.5 - p.y) / (q.y - p.y)) * (q.x - p.x));
    });
    cuts.sort((a, b) => a - b);
    for (let i = 0; i + 1 < cuts.length; i += 2) {
      const end = Math.min(mask.width, Math.ceil(cuts[i + 1] - 0.5));
      for (let x = Math.max(0, Math.ceil(cuts[i] - 0.5)); x < end; x++) set(y * mask.width + x);
    }
  }
  return box;
}

// The region of one class that is connected (by edges) to a pixel, by scan lines.
export function fill(mask, x, y, set) {
  const { values, width, height } = mask;
  [x, y] = [Math.floor(x), Math.floor(y)];
  if (x < 0 || y < 0 || x >= width || y >= height) return null;
  const wanted = values[y * width + x];
  const seen = new Uint8Array(values.length);
  const stack = [y * width + x];
  const box = { x0: x, y0: y, x1: x + 1, y1: y + 1 };
  while (stack.length) {
    const start = stack.pop();
    if (seen[start]) continue;
    const row = Math.floor(start / width);
    let left = start;
    let right = start;
    while (left > row * width && values[left - 1] === wanted && !seen[left - 1]) left--;
    while (right + 1 < (row + 1) * width && values[right + 1] === wanted && !seen[right + 1]) right++;
    for (let i = left; i <= right; i++) {
      seen[i] = 1;
      for (const next of [i - width, i + width]) {
        if (next >= 0 && next < values.length && values[next] === wanted && !seen[next]) stack.push(next);
      }
    }
    box.x0 = Math.min(box.x0, left - row * width);
    box.x1 = Math.max(box.x1, right - row * width + 1);
    box.y0 = Math.min(box.y0, row);
    box.y1 = Math.max(box.y1, row + 1);
  }
  for (let i = 0; i < seen.length; i++) if (seen[i]) set(i);
  return mask.touch(box.x0, box.y0, box.x1, box.y1);
}
