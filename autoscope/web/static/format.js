// Numbers as people read them.

const QUANTITIES = {
  area_fraction: ["Area fraction of", "%", 100],
  inclusions_per_mm2: ["Inclusions per mm² of", "per mm²", 1],
  grain_size: ["Mean lineal intercept", "µm", 1],
};

export function scaleOf(quantity) {
  const [name, unit, factor] = QUANTITIES[quantity.quantity] ?? [quantity.quantity, quantity.unit ?? "", 1];
  const title = quantity.quantity === "grain_size" ? name : `${name} ${quantity.class}`;
  return { title, unit, factor };
}

// Two significant digits of an uncertainty, as reports print it.
export function decimals(uncertainty) {
  if (!(uncertainty > 0) || !Number.isFinite(uncertainty)) return 2;
  return Math.min(8, Math.max(0, 1 - Math.floor(Math.log10(uncertainty))));
}

export function number(value, places) {
  return value.toFixed(places).replace("-", "−");
}

export function duration(seconds) {
  const whole = Math.round(seconds);
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (n) => String(n).padStart(2, "0");
  return hours ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

export function clock(iso) {
  return iso ? new Date(iso).toLocaleTimeString([], { hour12: false }) : "";
}

// The estimate with its interval: "18.32 ± 0.94 %".
export function answer(quantity) {
  const { unit, factor } = scaleOf(quantity);
  if (quantity.estimate === null) return "not known yet";
  const [low, high] = [quantity.ci_low, quantity.ci_high];
  if (low === null || high === null) return `${number(quantity.estimate * factor, 2)} ${unit}, no interval yet`;
  const half = ((high - low) / 2) * factor;
  const places = decimals(half);
  const middle = (low + high) / 2;
  if (Math.abs(quantity.estimate - middle) <= 0.05 * (high - low) / 2) {
    return `${number(quantity.estimate * factor, places)} ± ${number(half, places)} ${unit}`;
  }
  const up = number((high - quantity.estimate) * factor, places);
  const down = number((quantity.estimate - low) * factor, places);
  return `${number(quantity.estimate * factor, places)} +${up} −${down} ${unit}`;
}

export function scaleBar(widthUm) {
  const limit = 0.3 * widthUm;
  const decade = 10 ** Math.floor(Math.log10(limit));
  const length = [5, 2, 1].map((step) => step * decade).find((um) => um <= limit) ?? decade / 2;
  return { um: length, text: length >= 1 ? `${+length.toPrecision(3)} µm` : `${+(1000 * length).toPrecision(3)} nm` };
}
