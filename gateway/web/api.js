// The gateway's HTTP API as this page uses it. URLs are relative, so that the page works at a sub-path.

const TIMEOUT_MS = 5000;

// The gateway answered, and said what is wrong (RFC 9457 problem details).
export class Problem extends Error {}

async function call(path, options = {}) {
  const { signal, ...rest } = options;
  const limits = [AbortSignal.timeout(TIMEOUT_MS)];
  if (signal) limits.push(signal);
  const answer = await fetch(new URL(path, document.baseURI), { ...rest, signal: AbortSignal.any(limits) });
  const body = await answer.json().catch(() => null);
  if (!answer.ok) throw new Problem(explain(body) ?? `The gateway answered ${answer.status}.`);
  return body;
}

function explain(body) {
  if (typeof body?.detail === "string") return body.detail;
  if (typeof body?.title === "string") return body.title;
  return null;
}

export function listStreams(signal) {
  return call("api/v1/streams", { signal });
}

export function streamDetail(id, signal) {
  return call(`api/v1/streams/${encodeURIComponent(id)}`, { signal });
}

function post(path, body) {
  return call(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
}

export function addLink(link) {
  return post("api/v1/streams", { link });
}

export function unlock(id, password) {
  return post(`api/v1/streams/${encodeURIComponent(id)}/unlock`, { password });
}

// The gateway may stand behind a proxy at a sub-path that it does not know: read its URLs as relative to the page.
export function mediaUrl(hls_url) {
  if (/^[a-z]+:\/\//i.test(hls_url)) return hls_url;
  return new URL(hls_url.replace(/^\/+/, ""), document.baseURI).href;
}
