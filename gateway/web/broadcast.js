// The page for broadcasters: a camera or the screen, an ingest key, and a button.

import * as format from "./format.js";
import { Refused, WhipSender } from "./whip.js";

const LOOK_MS = 1000;
const FPS = 30;
const QUALITIES = {
  1080: { width: 1920, height: 1080, bps: 4_500_000 },
  720: { width: 1280, height: 720, bps: 2_500_000 },
  360: { width: 640, height: 360, bps: 800_000 },
};
const INSECURE =
  "Browsers give camera and screen only to pages of this machine or with https: open http://localhost, or put the gateway behind https.";
const REFUSALS = {
  NotAllowedError: "The browser was not allowed to. Allow camera and microphone for this page.",
  NotFoundError: "There is no such camera or microphone.",
  NotReadableError: "Another program is using the camera or the microphone.",
  OverconstrainedError: "This camera is not there any more. Choose another.",
};

const element = (id) => document.getElementById(id);
const form = element("form");

// What a test looks at.
const page = { stream: null, sender: null, began_ms: 0, before: null };
window.broadcast = page;

const chosenSource = () => form.elements.source.value;
const quality = () => QUALITIES[element("quality").value];

// ---- what is shown

async function open() {
  close();
  page.stream = await (chosenSource() === "screen" ? openScreen() : openCamera());
  const [picture] = page.stream.getVideoTracks();
  picture.contentHint = chosenSource() === "screen" ? "detail" : "motion";
  picture.addEventListener("ended", () => end("The picture has ended."));
  element("preview").srcObject = page.stream;
  element("preview").classList.toggle("mirrored", chosenSource() === "camera");
  element("curtain").hidden = true;
  await listDevices();
}

function openCamera() {
  const { width, height } = quality();
  const camera = element("camera").value;
  const video = { width: { ideal: width }, height: { ideal: height }, frameRate: { ideal: FPS } };
  if (camera) video.deviceId = { exact: camera };
  return navigator.mediaDevices.getUserMedia({ video, audio: sound() });
}

async function openScreen() {
  const { width, height } = quality();
  const video = { width: { max: width }, height: { max: height }, frameRate: { ideal: FPS } };
  const stream = await navigator.mediaDevices.getDisplayMedia({ video, audio: true });
  if (!stream.getAudioTracks().length && sound()) {
    const voice = await navigator.mediaDevices.getUserMedia({ audio: sound() }).catch(() => null);
    for (const track of voice?.getAudioTracks() ?? []) stream.addTrack(track);
  }
  return stream;
}

function sound() {
  const microphone = element("microphone").value;
  if (microphone === "none") return false;
  return microphone ? { deviceId: { exact: microphone } } : true;
}

function close() {
  for (const track of page.stream?.getTracks() ?? []) track.stop();
  page.stream = null;
  element("preview").srcObject = null;
  element("curtain").hidden = false;
}

// Their names are told only once one has been allowed.
async function listDevices() {
  const devices = await navigator.mediaDevices.enumerateDevices();
  fill(element("camera"), devices.filter(({ kind, label }) => kind === "videoinput" && label));
  fill(element("microphone"), devices.filter(({ kind, label }) => kind === "audioinput" && label));
}

function fill(select, devices) {
  const before = select.value;
  for (const option of [...select.options]) if (option.value && option.value !== "none") option.remove();
  for (const { deviceId, label } of devices) if (deviceId) select.add(new Option(label, deviceId), 1);
  select.value = [...select.options].some(({ value }) => value === before) ? before : "";
}

// ---- on air and off it

async function begin() {
  complain(null);
  show("connecting", "Connecting…");
  try {
    if (!page.stream) await open();
    const endpoint = new URL("whip", document.baseURI);
    page.sender = new WhipSender(endpoint, element("key").value.trim(), end);
    await page.sender.start(page.stream, { bps: quality().bps, fps: FPS });
  } catch (error) {
    end(REFUSALS[error.name] ?? (error instanceof Refused ? error.message : `It did not work: ${error.message}`));
    return;
  }
  page.began_ms = performance.now();
  page.before = null;
  show("on-air", "On air");
}

function end(reason = null) {
  page.sender?.stop();
  page.sender = null;
  close();
  complain(reason);
  show("idle", "Off air");
}

function complain(reason) {
  element("problem").textContent = reason ?? "";
  element("problem").hidden = !reason;
}

function show(state, text) {
  element("status").dataset.state = state;
  element("status").textContent = text;
  element("choices").disabled = state !== "idle";
  element("on-air").hidden = state !== "on-air";
  const go = element("go");
  go.disabled = state === "connecting";
  go.textContent = state === "on-air" ? "End the broadcast" : "Go on air";
  go.toggleAttribute("data-live", state === "on-air");
  if (state !== "on-air") for (const id of ["time", "rate", "size", "lost"]) element(id).textContent = "–";
}

async function look() {
  if (element("status").dataset.state !== "on-air") return;
  const report = await page.sender.report();
  const now_ms = performance.now();
  const { before } = page;
  page.before = { bytes: report.bytes, at_ms: now_ms };
  element("time").textContent = clock((now_ms - page.began_ms) / 1000);
  if (before) element("rate").textContent = format.bitrate(((report.bytes - before.bytes) * 8000) / (now_ms - before.at_ms));
  if (report.width) element("size").textContent = `${report.width}×${report.height}, ${Math.round(report.fps ?? 0)}/s`;
  if (report.lost !== null) element("lost").textContent = `${(report.lost * 100).toFixed(1)} %`;
}

function clock(seconds) {
  const parts = [seconds / 3600, (seconds / 60) % 60, seconds % 60].map((part) => String(Math.floor(part)).padStart(2, "0"));
  return parts.join(":");
}

// ---- the page

form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (page.sender) end();
  else begin();
});
form.addEventListener("change", (event) => {
  element("cameras").hidden = chosenSource() === "screen";
  if (event.target.id === "key" || page.sender) return;
  complain(null);
  // The screen is asked for only when it goes on air: each time the browser lets its user choose.
  if (chosenSource() === "screen") close();
  else open().catch((error) => complain(REFUSALS[error.name] ?? error.message));
});
addEventListener("pagehide", () => page.sender?.stop());
setInterval(() => look().catch(() => {}), LOOK_MS);

if (!navigator.mediaDevices) {
  element("alarm").textContent = INSECURE;
  element("alarm").hidden = false;
  element("go").disabled = true;
}
