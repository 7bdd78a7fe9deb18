// Draws values on the page. Everything that came over the network is set as text, never as markup.

import * as format from "./format.js";
import { mediaUrl } from "./api.js";
import { drawSparkline } from "./sparkline.js";

const byId = (id) => document.getElementById(id);

function put(id, text) {
  const element = byId(id);
  if (element.textContent !== text) element.textContent = text;
}

function show(id, visible) {
  byId(id).hidden = !visible;
}

function element(name, className, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

// One word for the whole page, and a sentence over the picture while there is none.
const STATES = {
  loading: ["Loading…", ""],
  empty: ["No stream", ""],
  joining: ["Joining", "Joining the swarm…"],
  playing: ["Live", ""],
  back: ["Gone back", ""],
  paused: ["Paused", ""],
  stalled: ["Stalled", ""],
  ended: ["Ended", "This stream has ended."],
  failed: ["Cannot play", ""],
  locked: ["Locked", "This stream is locked."],
  unreachable: ["No answer", "The gateway does not answer."],
};

// What the gateway says of a stream that has no picture, where that is more than the page's own state tells.
export const NOTICES = {
  locked: "This stream is locked: what opens it is missing here. It is passed on to others all the same.",
  unreachable: "None of this stream's peers can be reached. Trying again…",
  stalled: "The stream has paused: nothing comes from its peers. Waiting…",
  silent: "Nothing has come of this stream for a minute: its broadcaster may have gone. Waiting…",
};

export function drawState(state, { trouble = null, covered = true, alarm = null }) {
  const [word, sentence] = STATES[state];
  put("status", word);
  byId("status").dataset.state = state;
  put("curtain", covered ? (trouble ?? sentence) : "");
  show("curtain", covered && Boolean(trouble ?? sentence));
  show("stage", state !== "empty" && state !== "loading");
  show("empty", state === "empty");
  show("alarm", Boolean(alarm));
  put("alarm", alarm ?? "");
}

export function drawStreams(streams, chosen) {
  const list = byId("streams");
  const signature = JSON.stringify(streams.map((s) => [s.id, s.key, s.title, s.state, s.peers, s.is_local, s.id === chosen]));
  if (list.dataset.drawn === signature) return; // leaves the keyboard focus where it is
  list.dataset.drawn = signature;
  const focused = document.activeElement?.getAttribute("href");
  list.replaceChildren(...streams.map((stream) => streamItem(stream, stream.id === chosen)));
  if (focused) [...list.querySelectorAll("a")].find((a) => a.getAttribute("href") === focused)?.focus();
}

function streamItem(stream, chosen) {
  const link = element("a");
  link.href = `#${stream.id}`;
  if (chosen) link.setAttribute("aria-current", "true");
  const about = [stream.key, stream.is_local && stream.state === "live" ? "on the air from here" : stream.state, peerCount(stream.peers)];
  link.append(element("span", "name", name(stream)), element("span", "note", about.filter(Boolean).join(" · ")));
  const item = element("li");
  item.append(link);
  return item;
}

// Anybody may choose any title: the key stands beside it.
export function name(stream) {
  return stream.title || "Stream";
}

function peerCount(count) {
  return typeof count === "number" ? `${count} ${count === 1 ? "peer" : "peers"}` : "";
}

export function drawUnlockProblem(text) {
  put("unlock-problem", text);
  show("unlock-problem", Boolean(text));
}

export function drawChoice(stream) {
  show("unlock", stream?.state === "locked" && stream.admission === "password");
  put("title", stream ? name(stream) : "");
  put("key", stream?.key ?? "");
  document.title = stream ? `${name(stream)} – Seedcast` : "Seedcast";
  show("figures", Boolean(stream));
  show("share", Boolean(stream));
  if (!stream) return;
  const url = mediaUrl(stream.hls_url);
  byId("share-link").value = stream.link;
  drawCode(stream);
  byId("share-low").value = url;
  byId("share-plain").value = mediaUrl(stream.plain_url);
}

// The picture is asked for anew when the link has changed.
function drawCode(stream) {
  const code = byId("share-code");
  if (code.dataset.link === stream.link || !stream.qr_url) return;
  code.dataset.link = stream.link;
  code.src = `${stream.qr_url}?${encodeURIComponent(stream.link).slice(-64)}`;
}

// `back`: what is shown is the past, not the live edge.
export function drawShift(stream, back) {
  show("shift", Boolean(stream?.timeshift_url) && stream.state !== "locked");
  put("shift", back ? "Jump to live" : "Go back");
  byId("shift").setAttribute("aria-pressed", String(back));
}

// `pinned`: the rendition that the viewer wants; "" leaves the choice to the gateway.
export function drawRungs(stream, pinned) {
  const names = stream?.renditions ?? [];
  const sizes = names.filter((name) => name !== "audio").toReversed(); // the highest first, the sound alone last
  if (sizes.length < names.length) sizes.push("audio");
  show("rung-choice", names.length > 1);
  const auto = stream?.playing ? `Auto (${stream.playing})` : "Auto";
  const options = [["", auto], ...sizes.map((name) => [name, name])];
  const select = byId("rung");
  if (select.options.length !== options.length) {
    select.replaceChildren(...options.map(() => element("option")));
  }
  // Changed in place: a list that is open at this moment stays open.
  options.forEach(([value, textContent], place) => Object.assign(select.options[place], { value, textContent }));
  select.value = pinned;
}

export function drawFigures(meter, player, video) {
  const delay_s = meter.delays.at(-1);
  put("delay", format.seconds(delay_s));
  put("delay-label", meter.delaySource === "playlist" ? "Delay, by the playlist's clock" : "Delay, camera to screen");
  const top_s = drawSparkline(byId("sparkline"), meter.recent, performance.now());
  put("scale", `last 2 minutes, scale 0 to ${top_s} s`);
  put("stalls", String(meter.stalls));
  put("first-frame", format.seconds(meter.firstFrameSeconds, 1));
  put("buffer", format.seconds(player.buffered_s, 1));
  put("rate", format.factor(video.playbackRate));
  show("unmute", video.muted && meter.hasFrame);
}

// `rates` has {in_bps, out_bps} for the stream and for each peer's key, once two polls have been seen.
export function drawSwarm(detail, rates) {
  const peers = detail?.peers_detail ?? [];
  show("swarm", Boolean(detail));
  put("peer-count", String(peers.length));
  put("bytes-in", amount(detail?.bytes_in, rates.get("")?.in_bps));
  put("bytes-out", amount(detail?.bytes_out, rates.get("")?.out_bps));
  put("pieces", pieces(detail));
  byId("peers").replaceChildren(...(peers.length ? peers.map((peer) => peerRow(peer, rates.get(peer.key))) : [noPeers(detail?.finders ?? [])]));
}

function pieces(detail) {
  if (typeof detail?.pieces_ready !== "number") return "–";
  return `${detail.pieces_ready}, ${detail.pieces_lost ?? 0} lost`;
}

function amount(total_bytes, rate_bps) {
  const total = format.bytes(total_bytes);
  return rate_bps === undefined ? total : `${total} · ${format.bitrate(rate_bps)}`;
}

const FINDERS = { trackers: "Trackers", dht: "DHT", lan: "This network", memory: "Peers of last time" };

// Who was asked for peers, and what they said.
function noPeers(finders) {
  const ways = finders.map(({ finder, said, peers }) => `${FINDERS[finder] ?? finder}: ${said}${peers ? `, ${peers} tried` : ""}.`);
  const cell = element("td", "note", ["No peer is connected.", ...ways].join(" "));
  cell.colSpan = 7;
  const row = element("tr");
  row.append(cell);
  return row;
}

function peerRow(peer, rate) {
  const key = element("th", "key", format.shortKey(peer.key));
  key.scope = "row";
  key.title = peer.key;
  if (peer.is_source) key.append(" ", element("span", "badge", "source"));
  const row = element("tr");
  row.append(
    key,
    element("td", "key", peer.address),
    element("td", "number", amount(peer.bytes_in, rate?.in_bps)),
    element("td", "number", amount(peer.bytes_out, rate?.out_bps)),
    element("td", "number", format.milliseconds(peer.rtt_s)),
    element("td", "key", peer.lodging === "host" ? "all" : format.stripes(peer.stripes_from)),
    element("td", "key", peer.lodging === "lodger" ? "all" : format.stripes(peer.stripes_to)),
  );
  return row;
}

export function drawProblem(text) {
  put("problem", text);
  show("problem", Boolean(text));
  byId("link").toggleAttribute("aria-invalid", Boolean(text));
}
