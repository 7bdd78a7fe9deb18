// The start page: asks the gateway once a second what there is, plays the chosen stream, shows how it goes.

import { addLink, listStreams, mediaUrl, Problem, streamDetail, unlock } from "./api.js";
import { Meter } from "./meter.js";
import { Player } from "./player.js";
import * as view from "./view.js";

const POLL_MS = 1000;
const DRAW_MS = 250;
const UNREACHABLE = "The gateway does not answer. Is seedcast still running? Trying again…";

const video = document.getElementById("video");
const meter = new Meter(video);
const player = new Player(video, draw);
meter.playingDate = () => player.playingDate;

const page = {
  streams: null, // null: not known yet
  chosen: null, // the stream that is played, as last heard of
  alarm: null, // why the gateway's list of streams cannot be had
  polling: null, // aborts what is on its way
  rung: "", // the rendition that the viewer wants, "" for the gateway's choice
  back: false, // the past is shown, not the live edge
  counters: new Map(), // "" or a peer's key -> {at_ms, in, out} at the last poll
  rates: new Map(),
};

// ---- what to play

function wanted(streams) {
  const id = decodeURIComponent(location.hash.slice(1));
  return streams.find((stream) => stream.id === id) ?? streams[0] ?? null;
}

function choose(stream, since_ms) {
  const before = page.chosen;
  page.chosen = stream;
  view.drawChoice(stream);
  view.drawShift(stream, page.back);
  view.drawRungs(stream, page.rung);
  const same = before && stream && before.id === stream.id && before.hls_url === stream.hls_url;
  if (same && !turned(before.state, stream.state)) return;
  page.back = false;
  page.rung = "";
  page.counters.clear();
  page.rates.clear();
  meter.restart(since_ms);
  view.drawSwarm(null, page.rates);
  if (stream && stream.state !== "locked") playLive();
  else player.stop(); // of a locked stream there is nothing to ask for before the gateway says that it is open
}

// Whether the player has to begin anew, or to stop.
function turned(before, now) {
  return before !== now && (before === "ended" || [before, now].includes("locked"));
}

// The same of the size that is pinned, if one is; `end` is what stands behind the stream's name.
function ofRung(url, end) {
  return mediaUrl(page.rung ? url.replace(end, (text) => `${page.rung}/${text}`) : url);
}

function playLive() {
  player.play(ofRung(page.chosen.hls_url, /[^/]*$/));
}

function pin(event) {
  page.rung = event.target.value;
  page.back = false;
  view.drawShift(page.chosen, page.back);
  meter.restart(performance.now());
  playLive();
  draw();
}

// ---- what the gateway says

async function poll() {
  const abort = new AbortController();
  page.polling = abort;
  try {
    const first = page.streams === null;
    const streams = await listStreams(abort.signal);
    page.streams = streams;
    page.alarm = null;
    choose(wanted(streams), first ? 0 : performance.now());
    view.drawStreams(streams, page.chosen?.id);
    if (page.chosen) await pollDetail(page.chosen.id, abort.signal);
  } catch (error) {
    if (abort.signal.aborted) return;
    page.alarm = error instanceof Problem ? error.message : UNREACHABLE;
  }
  draw();
}

async function pollDetail(id, signal) {
  const detail = await streamDetail(id, signal).catch(ignoreProblem); // a stream may go between two requests
  if (!detail || page.chosen?.id !== id) return;
  measure("", detail);
  for (const peer of detail.peers_detail ?? []) measure(peer.key, peer);
  view.drawSwarm(detail, page.rates);
}

function ignoreProblem(error) {
  if (!(error instanceof Problem)) throw error;
  return null;
}

function measure(key, { bytes_in, bytes_out }) {
  const at_ms = performance.now();
  const before = page.counters.get(key);
  page.counters.set(key, { at_ms, bytes_in, bytes_out });
  if (!before) return;
  const per_second = (now, then) => (Math.max(0, now - then) * 8000) / (at_ms - before.at_ms);
  const fresh = {
    in_bps: per_second(bytes_in, before.bytes_in),
    out_bps: per_second(bytes_out, before.bytes_out),
  };
  const last = page.rates.get(key) ?? fresh;
  page.rates.set(key, { in_bps: smooth(last.in_bps, fresh.in_bps), out_bps: smooth(last.out_bps, fresh.out_bps) });
}

const smooth = (before, now) => before + (now - before) * 0.4;

let next_poll = 0;

async function keepPolling() {
  clearTimeout(next_poll);
  if (document.hidden) return;
  await poll();
  clearTimeout(next_poll);
  next_poll = setTimeout(keepPolling, POLL_MS);
}

function onVisibility() {
  if (document.hidden) page.polling?.abort();
  else keepPolling();
}

// ---- what is shown

function state() {
  if (page.alarm) return "unreachable";
  if (page.streams === null) return "loading";
  if (!page.chosen) return "empty";
  if (page.chosen.state === "locked") return "locked";
  if (player.failed) return "failed";
  if (video.ended) return "ended";
  if (page.chosen.state === "ended" && (!meter.hasFrame || meter.stalled)) return "ended"; // played to its last frame
  if (!meter.hasFrame) return "joining";
  if (video.paused) return "paused";
  return meter.stalled ? "stalled" : "playing";
}

function draw() {
  if (meter.hasFrame && !meter.stalled) player.settled();
  const now = state();
  const covered = !meter.hasFrame || now === "ended";
  view.drawState(page.back && now === "playing" ? "back" : now, { trouble: view.NOTICES[page.chosen?.state] ?? player.trouble, covered, alarm: page.alarm });
  view.drawFigures(meter, player, video);
}

// ---- what the viewer does

async function onAdd(event) {
  event.preventDefault();
  const form = event.currentTarget;
  const link = form.elements.link.value.trim();
  try {
    const stream = await addLink(link);
    view.drawProblem("");
    form.reset();
    if (stream?.id) location.hash = stream.id;
    keepPolling();
  } catch (error) {
    view.drawProblem(error instanceof Problem ? error.message : UNREACHABLE);
  }
}

async function onUnlock(event) {
  event.preventDefault();
  const form = event.currentTarget;
  try {
    await unlock(page.chosen.id, form.elements.password.value);
    view.drawUnlockProblem("");
    form.reset();
    keepPolling();
  } catch (error) {
    view.drawUnlockProblem(error instanceof Problem ? error.message : UNREACHABLE);
  }
}

async function onCopy(event) {
  const button = event.currentTarget;
  const field = document.getElementById(button.dataset.copy);
  field.select();
  try {
    await navigator.clipboard.writeText(field.value); // needs localhost or HTTPS
  } catch {
    document.execCommand("copy");
  }
  button.textContent = "Copied";
  setTimeout(() => (button.textContent = "Copy"), 1500);
}

function unmute() {
  video.muted = false;
  video.play().catch(draw);
  draw();
}

// From the live edge into the last half hour, and back.
function shift() {
  page.back = !page.back;
  view.drawShift(page.chosen, page.back);
  meter.restart(performance.now());
  if (page.back) player.playBack(ofRung(page.chosen.timeshift_url, /timeshift\/[^/]*$/));
  else playLive();
  draw();
}

document.getElementById("shift").addEventListener("click", shift);
document.getElementById("rung").addEventListener("change", pin);
document.getElementById("add").addEventListener("submit", onAdd);
document.getElementById("unlock").addEventListener("submit", onUnlock);
document.getElementById("unmute").addEventListener("click", unmute);
for (const button of document.querySelectorAll("[data-copy]")) button.addEventListener("click", onCopy);
document.addEventListener("visibilitychange", onVisibility);
window.addEventListener("pagehide", () => page.polling?.abort());
window.addEventListener("hashchange", () => page.streams && choose(wanted(page.streams), performance.now()));
setInterval(draw, DRAW_MS);
keepPolling();

// For tests and measurements from outside.
window.seedcast = {
  get delays() { return meter.delays; },
  get delaySource() { return meter.delaySource; },
  get stalls() { return meter.stalls; },
  get frames() { return meter.frames; },
  get firstFrameSeconds() { return meter.firstFrameSeconds; },
  get buffered() { return player.buffered_s; },
  get targetLatency() { return player.targetLatency; },
  get rate() { return video.playbackRate; },
  get currentTime() { return video.currentTime; },
  get state() { return state(); },
  get stream() { return page.chosen?.id ?? null; },
  get back() { return page.back; },
};
