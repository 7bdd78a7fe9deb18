// What the viewer experiences, measured frame by frame: delay, stalls, time to the first frame.
// A stall is `waiting` after the first frame, or no new frame for 400 ms while playing; it lasts until a frame comes.

import { readClock } from "./clock.js";

const STALL_MS = 400;
const SAMPLE_MS = 200;
const SAMPLES_MAX = 20_000; // over an hour
const MINUTE_BY_MINUTE_S = 120;

export class Meter {
  constructor(video) {
    this.video = video;
    this.delays = []; // seconds, newest last
    this.recent = []; // {at_ms, delay_s}: the last two minutes
    this.stalls = 0;
    this.stalled = false;
    this.frames = 0;
    this.firstFrameSeconds = null;
    this.delaySource = null; // "picture": the burned-in clock; "playlist": PROGRAM-DATE-TIME
    this.playingDate = () => null;
    this.#listen();
  }

  #start_ms = 0;
  #last_frame_ms = null;
  #last_sample_ms = 0;

  // A stream is chosen now; `since_ms` is when the viewer asked for it, on the page's own time line.
  restart(since_ms) {
    this.#start_ms = since_ms;
    this.#last_frame_ms = null;
    this.firstFrameSeconds = null;
    this.delays = [];
    this.recent = [];
    this.stalls = 0;
    this.stalled = false;
  }

  get hasFrame() {
    return this.#last_frame_ms !== null;
  }

  // True while the picture ought to move: a pause, the end or a hidden page is no stall.
  get #running() {
    return this.hasFrame && !this.video.paused && !this.video.ended && !document.hidden;
  }

  #listen() {
    this.video.addEventListener("waiting", () => this.#running && this.#stall());
    // After a pause or a hidden page the 400 ms count from here, not from the last frame before it.
    const rearm = () => this.hasFrame && (this.#last_frame_ms = performance.now());
    this.video.addEventListener("play", rearm);
    document.addEventListener("visibilitychange", rearm);
    setInterval(() => this.#watch(), 100);
    const onFrame = (now_ms, frame) => {
      this.#present(now_ms, frame);
      this.video.requestVideoFrameCallback(onFrame);
    };
    this.video.requestVideoFrameCallback(onFrame);
  }

  #watch() {
    if (this.#running && performance.now() - this.#last_frame_ms > STALL_MS) this.#stall();
  }

  #stall() {
    if (this.stalled) return;
    this.stalled = true;
    this.stalls += 1;
  }

  #present(now_ms, frame) {
    if (!this.hasFrame) this.firstFrameSeconds = (frame.expectedDisplayTime - this.#start_ms) / 1000;
    this.#last_frame_ms = performance.now();
    this.stalled = false;
    this.frames += 1;
    if (now_ms - this.#last_sample_ms < SAMPLE_MS) return;
    this.#last_sample_ms = now_ms;
    this.#sample(frame);
  }

  #sample(frame) {
    const captured_ms = this.#captured();
    if (captured_ms === null) return;
    const shown_ms = Date.now() + frame.expectedDisplayTime - performance.now();
    const delay_s = (shown_ms - captured_ms) / 1000;
    this.delays.push(delay_s);
    if (this.delays.length > SAMPLES_MAX) this.delays.shift();
    this.recent.push({ at_ms: performance.now(), delay_s });
    const oldest_ms = performance.now() - MINUTE_BY_MINUTE_S * 1000;
    while (this.recent.length && this.recent[0].at_ms < oldest_ms) this.recent.shift();
  }

  // When the frame on the screen was captured, in Unix milliseconds.
  #captured() {
    const burned_in_ms = readClock(this.video);
    if (burned_in_ms !== null) {
      this.delaySource = "picture";
      return burned_in_ms;
    }
    const date = this.playingDate();
    if (!date) return null;
    this.delaySource = "playlist";
    return date.getTime();
  }
}
