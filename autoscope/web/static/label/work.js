// One request at a time: leased, kept while it is worked on, answered once.

import { Refused, getBitmap, send } from "../api.js";
import { indicesOf } from "../palette.js";
import { Mask } from "./mask.js";
import { indexPng } from "./png.js";

const STORED = "autoscope-lease";

// The frame, the mask that begins as the prediction, and the uncertainty on its way.
async function picturesOf({ image, prediction, uncertainty, width, height }, idle = null) {
  const [frame, classes] = [getBitmap(image), getBitmap(prediction)];
  const doubt = frame.then(() => getBitmap(uncertainty)).then(indicesOf);
  doubt.catch(() => {}); // who waits for it is told
  const made = { frame: await frame, doubt };
  const bitmap = await classes;
  await idle; // the hand at the frame before goes first
  return { ...made, mask: new Mask(indicesOf(bitmap), width, height) };
}

export class Work {
  constructor(expert) {
    Object.assign(this, { expert, request: null, begun: 0, renewing: 0, ahead: null });
  }

  // The request that this page held before it was reloaded, or the next one; null where there is none.
  async next() {
    const request = (await this.#heldBefore()) ?? (await this.#lease());
    this.request = request;
    clearInterval(this.renewing);
    if (!request) return null;
    sessionStorage.setItem(STORED, JSON.stringify({ id: request.id, token: request.token }));
    this.begun = performance.now();
    this.renewing = setInterval(() => this.#renew(), (1000 * request.lease_s) / 3);
    return request;
  }

  // What is seen first, and a promise of the uncertainty, which nobody looks at in the first moment.
  async pictures() {
    const { ahead, request } = this;
    this.ahead = null;
    if (ahead?.id === request.id) {
      try {
        return await ahead.pictures;
      } catch { /* the server was away: once more */ }
    }
    return picturesOf(request);
  }

  // Reads what probably comes next while this request is worked on.
  async prepare() {
    const next = this.request?.next;
    if (!next || this.ahead?.id === next.id) return;
    const pictures = picturesOf(next, new Promise((idle) => requestIdleCallback(idle, { timeout: 2000 })));
    this.ahead = { id: next.id, pictures };
    await pictures;
    document.body.dataset.ahead = next.id;
  }

  async answer(mask) {
    const png = await indexPng(mask.values, mask.width, mask.height);
    const seconds = ((performance.now() - this.begun) / 1000).toFixed(1);
    const query = new URLSearchParams({ seconds, tool: mask.tools, started_from: "prediction" });
    await this.#post("PUT", `answer?${query}`, { png });
    this.#forget();
  }

  async skip(reason) {
    await this.#post("POST", "skip", { json: { reason } });
    this.#forget();
  }

  async release() {
    await this.#post("POST", "release");
    this.#forget();
  }

  async suggestion(scribbles, width, height) {
    const png = await indexPng(scribbles, width, height);
    const answer = await send("POST", `/api/requests/${this.request.id}/suggest`, { png });
    return indicesOf(await createImageBitmap(await answer.blob(), { colorSpaceConversion: "none" }));
  }

  // The lease is over: nothing of it can be sent any more.
  lost() {
    this.#forget();
  }

  #post(method, what, options = {}) {
    const headers = { "X-Lease": this.request.token };
    return send(method, `/api/requests/${this.request.id}/${what}`, { ...options, headers });
  }

  async #lease() {
    const answer = await send("POST", "/api/requests/lease", { json: { expert: this.expert } });
    return answer.status === 204 ? null : answer.json();
  }

  async #heldBefore() {
    const stored = JSON.parse(sessionStorage.getItem(STORED) ?? "null");
    if (!stored) return null;
    try {
      const headers = { "X-Lease": stored.token };
      const held = await (await send("POST", `/api/requests/${stored.id}/renew`, { headers })).json();
      return held.expert === this.expert ? held : null;
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      sessionStorage.removeItem(STORED);
      return null;
    }
  }

  async #renew() {
    try {
      await this.#post("POST", "renew");
    } catch { /* the server is away, or the lease is over: submitting will say so */ }
  }

  #forget() {
    clearInterval(this.renewing);
    sessionStorage.removeItem(STORED);
    this.request = null;
  }
}
