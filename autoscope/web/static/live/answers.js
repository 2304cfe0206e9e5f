// The running answers, and how their intervals converge.

import { answer, number, scaleOf } from "../format.js";

const drawn = new Map();

export function showAnswers(place, session) {
  const quantities = session.quantities.length ? session.quantities : session.targets.map(unknown);
  quantities.forEach((quantity, k) => {
    const card = drawn.get(k) ?? add(place, k);
    const { title, unit, factor } = scaleOf(quantity);
    card.title.textContent = title;
    card.value.textContent = answer(quantity);
    const wanted = wantedHalfWidth(session.targets[k], quantity);
    const met = quantity.target_met;
    card.verdict.className = met ? "met" : "unmet";
    card.verdict.textContent = met ? "target reached" : "not narrow enough yet";
    card.wanted.textContent = wanted === null ? "" : `wanted: ± ${number(wanted * factor, 2)} ${unit}`
      + ` at ${100 * quantity.confidence} %, ${quantity.fields_measured} fields`;
    drawConvergence(card.canvas, session.estimates, k, quantity, wanted, factor);
  });
}

function unknown(target) {
  return { ...target, estimate: null, ci_low: null, ci_high: null, target_met: false, fields_measured: 0 };
}

function add(place, k) {
  const made = (kind) => document.createElement(kind);
  const card = { box: made("div"), title: made("h2"), value: made("div"), verdict: made("span"), wanted: made("span"), canvas: made("canvas") };
  card.box.className = "answer";
  card.value.className = "value";
  card.wanted.className = "soft";
  const row = made("p");
  row.className = "row";
  row.append(card.verdict, card.wanted);
  card.canvas.setAttribute("role", "img");
  card.canvas.setAttribute("aria-label", "Estimate and interval against the fields measured");
  card.box.append(card.title, card.value, row, card.canvas);
  place.append(card.box);
  drawn.set(k, card);
  return card;
}

function wantedHalfWidth(target, quantity) {
  if (!target) return null;
  if (target.half_width !== null) return target.half_width;
  return target.relative === null || quantity.estimate === null ? null : target.relative * Math.abs(quantity.estimate);
}

// Before the floor of fields the interval that counts is far wider than what is shown beside it, indicative.
function endsOf([estimate, low, high, half]) {
  return half === null || estimate === null ? [low, high] : [estimate - half, estimate + half];
}

// The last intervals shown well: the first, very wide ones run out of the picture.
function reachOf(rows, centre, wanted, last) {
  const away = rows.flatMap((row) => endsOf(row)).filter((v) => v !== null).map((v) => Math.abs(v - centre));
  away.sort((a, b) => a - b);
  const settled = away.length ? away[Math.floor(0.75 * (away.length - 1))] * 1.5 : 0;
  return Math.max(settled, 3 * (wanted ?? 0), 2.5 * last) || Math.abs(centre) / 2 || 1;
}

function drawConvergence(canvas, estimates, k, quantity, wanted, factor) {
  const ratio = window.devicePixelRatio || 1;
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  Object.assign(canvas, { width: width * ratio, height: height * ratio });
  const pen = canvas.getContext("2d");
  pen.scale(ratio, ratio);
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(name).trim();
  const rows = estimates.map((e) => e.quantities[k]);
  if (!rows.length || quantity.estimate === null) return;
  const [left, bottom] = [48, 22];
  const half = quantity.ci_low === null ? 0 : (quantity.ci_high - quantity.ci_low) / 2;
  const reach = reachOf(rows, quantity.estimate, wanted, half);
  const most = Math.max(2, estimates.at(-1).fields);
  const x = (n) => left + ((width - left - 8) * n) / most;
  const y = (v) => (height - bottom) * (0.5 - (v - quantity.estimate) / (2 * reach)) + 4;
  pen.save();
  pen.beginPath();
  pen.rect(left, 0, width - left, height - bottom + 4);
  pen.clip();
  band(pen, estimates, rows, x, y, colour("--blue"));
  if (wanted !== null) {
    pen.setLineDash([5, 4]);
    pen.strokeStyle = colour("--vermillion");
    for (const sign of [-1, 1]) line(pen, left, y(quantity.estimate + sign * wanted), width, y(quantity.estimate + sign * wanted));
  }
  pen.restore();
  axes(pen, { width, height, left, bottom, most, reach, centre: quantity.estimate, factor, y, ink: colour("--soft") });
}

function band(pen, estimates, rows, x, y, blue) {
  const known = rows.map((row, i) => [estimates[i].fields, ...row]).filter((row) => row[2] !== null && row[3] !== null);
  pen.fillStyle = blue;
  pen.globalAlpha = 0.22;
  pen.beginPath();
  for (const [n, , , high] of known) pen.lineTo(x(n), y(high));
  for (const [n, , low] of [...known].reverse()) pen.lineTo(x(n), y(low));
  pen.fill();
  pen.beginPath();
  for (const [n, ...row] of known) pen.lineTo(x(n), y(endsOf(row)[1]));
  for (const [n, ...row] of [...known].reverse()) pen.lineTo(x(n), y(endsOf(row)[0]));
  pen.fill();
  pen.globalAlpha = 1;
  pen.strokeStyle = blue;
  pen.lineWidth = 1.8;
  pen.beginPath();
  rows.forEach((row, i) => { if (row[0] !== null) pen.lineTo(x(estimates[i].fields), y(row[0])); });
  pen.stroke();
  pen.lineWidth = 1.2;
}

function line(pen, x0, y0, x1, y1) {
  pen.beginPath();
  pen.moveTo(x0, y0);
  pen.lineTo(x1, y1);
  pen.stroke();
}

function axes(pen, { width, height, left, bottom, most, reach, centre, factor, y, ink }) {
  pen.fillStyle = ink;
  pen.strokeStyle = ink;
  pen.lineWidth = 0.7;
  pen.font = "11px system-ui, sans-serif";
  line(pen, left, height - bottom + 4, width, height - bottom + 4);
  pen.textAlign = "right";
  const places = Math.max(0, Math.min(6, 1 - Math.floor(Math.log10(reach * factor))));
  for (const share of [-0.7, 0, 0.7]) {
    const value = centre + share * reach;
    pen.fillText(number(value * factor, places), left - 5, y(value) + 4);
  }
  pen.textAlign = "center";
  pen.fillText(`${most} fields`, width - 30, height - 4);
  pen.fillText("0", left, height - 4);
}
