// Requests to the server: every refusal becomes an Error with the server's own sentence.

export class Refused extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

async function checked(answer) {
  if (answer.ok) return answer;
  let detail = `${answer.status} ${answer.statusText}`;
  try {
    detail = (await answer.json()).detail ?? detail;
  } catch { /* not ours: the status must do */ }
  throw new Refused(answer.status, detail);
}

export async function getJson(path) {
  return (await checked(await fetch(path))).json();
}

export async function getBitmap(path) {
  const blob = await (await checked(await fetch(path))).blob();
  return createImageBitmap(blob, { colorSpaceConversion: "none", premultiplyAlpha: "none" });
}

export async function send(method, path, { json, png, headers = {} } = {}) {
  const body = png ?? (json === undefined ? undefined : JSON.stringify(json));
  const kind = png ? "image/png" : "application/json";
  const answer = await fetch(path, { method, body, headers: body ? { "Content-Type": kind, ...headers } : headers });
  return checked(answer);
}

let hiding = 0;

// Says something to whoever sits there, screen readers included.
export function say(text, bad = false) {
  const place = document.getElementById("said");
  place.textContent = text;
  place.className = `said shown${bad ? " bad" : ""}`;
  clearTimeout(hiding);
  hiding = setTimeout(() => { place.className = "said"; }, bad ? 8000 : 3500);
}
