// One <video> fed by hls.js in low-latency mode, which comes back from every error by itself.

import { nextRate } from "./pace.js";

const BACK_OFF_MS = [300, 700, 1500, 3000, 5000];
const MEDIA_ERROR_GRACE_MS = 5000;

// How far behind the playlist's edge to play: three parts, what the replacing of peers takes, and half a second in hand.
// The stock of media falls by up to 0.6 s while the peers that feed this gateway are replaced after a crash; with the
// usual parts of 0.2 s, 1.0 s behind ends on the brink of a stall, and this gives 1.4 s. A playlist that asks for more
// gets more.
const HOLD_BACK_S = 1.4;
const RESERVE_S = 0.74;
const HOLD_BACK_PARTS = 3;
const HOLD_BACK_SLACK_S = 0.05;
const LATE_S_MAX = 4.6;
const PACE_MS = 250;
const SMOOTHING = 0.25; // the lag as hls.js knows it swings with every part

// A browser that has run dry more than once wants ever more in stock before it goes on: Chromium up to three seconds of
// sound. A seek to where it is makes it forget that.
const ROUSE_S = 0.6;
const ROUSE_TICKS = 2;
const ROUSE_STEP_S = 0.01;

const SETTINGS = {
  lowLatencyMode: true,
  liveSyncDuration: HOLD_BACK_S,
  liveSyncOnStallIncrease: 0.25, // a stall asks for a little more hold-back, once for each
  liveMaxLatencyDuration: HOLD_BACK_S + LATE_S_MAX, // further behind than this: jump, do not hurry
  maxLiveSyncPlaybackRate: 1, // the speed is pace.js's business
  backBufferLength: 10,
  maxBufferLength: 15,
  enableWorker: false, // fragmented MP4 is passed through as it is; a worker would only add a hop
};

// Going back: whole segments, no hurry, and enough behind to move about in.
const SETTINGS_BACK = {
  lowLatencyMode: false,
  liveSyncDurationCount: 3,
  maxLiveSyncPlaybackRate: 1,
  backBufferLength: 60,
  maxBufferLength: 30,
  enableWorker: false,
};
const STEP_BACK_S = 30;

export class Player {
  constructor(video, onChange) {
    this.video = video;
    this.onChange = onChange;
    this.url = null;
    this.trouble = null; // text for the viewer while it does not play
    this.failed = false; // cannot play in this browser at all
    video.addEventListener("ended", onChange);
    setInterval(() => this.#pace(), PACE_MS);
  }

  #hls = null;
  #retries = 0;
  #timer = 0;
  #media_error_ms = -Infinity;
  #late_s = 0;
  #back = false;
  #stepped = false;
  #placed = false;
  #dry_ticks = 0;

  get playingDate() {
    return this.#hls?.playingDate ?? null;
  }

  get targetLatency() {
    return this.#hls?.targetLatency ?? null;
  }

  get buffered_s() {
    const { buffered, currentTime } = this.video;
    for (let i = 0; i < buffered.length; i += 1) {
      if (buffered.start(i) <= currentTime + 0.1 && currentTime <= buffered.end(i)) return buffered.end(i) - currentTime;
    }
    return 0;
  }

  // At the live edge.
  play(url) {
    this.#begin(url, false);
  }

  // In the past, from a little back on; the bar below the picture leads to the rest.
  playBack(url) {
    this.#begin(url, true);
  }

  #begin(url, back) {
    this.settled();
    this.url = url;
    this.#back = back;
    this.#stepped = false;
    this.#open();
  }

  stop() {
    this.url = null;
    this.#close();
    this.video.removeAttribute("src");
    this.video.load();
  }

  // A frame has been shown: the next error starts again with the shortest wait.
  settled() {
    this.#retries = 0;
    this.trouble = null;
  }

  #close() {
    clearTimeout(this.#timer);
    this.#hls?.destroy();
    this.#hls = null;
  }

  #open() {
    this.#close();
    this.#late_s = 0;
    this.#placed = false;
    if (!window.Hls?.isSupported()) {
      this.#openNatively();
      return;
    }
    const hls = new window.Hls(this.#back ? SETTINGS_BACK : SETTINGS);
    this.#hls = hls;
    hls.on(window.Hls.Events.ERROR, (_, error) => error.fatal && this.#recover(error));
    hls.on(window.Hls.Events.MANIFEST_PARSED, () => this.#start());
    hls.on(window.Hls.Events.LEVEL_UPDATED, (_, { details }) => this.#place(details));
    hls.attachMedia(this.video);
    hls.loadSource(this.url);
  }

  // Safari on the iPhone plays HLS itself and has no Media Source Extensions for hls.js.
  #openNatively() {
    if (this.video.canPlayType("application/vnd.apple.mpegurl")) {
      this.video.src = this.url;
      this.#start();
      return;
    }
    this.failed = true;
    this.trouble = "This browser cannot play live video here. Open the address below in VLC or mpv.";
    this.onChange();
  }

  #place(details) {
    if (this.#back) this.#stepBack(details);
    else this.#hold(details);
  }

  // As far back as the stream's parts and its network need; a player that has begun moves there in its own time.
  #hold(details) {
    if (!details.live || !details.partTarget) return;
    const hold_s = Math.max(details.partHoldBack, HOLD_BACK_PARTS * details.partTarget + RESERVE_S);
    Object.assign(this.#hls.config, { liveSyncDuration: hold_s, liveMaxLatencyDuration: hold_s + LATE_S_MAX });
    if (!this.#placed && hold_s > HOLD_BACK_S + HOLD_BACK_SLACK_S) {
      this.video.currentTime = Math.max(details.fragmentStart, details.edge - hold_s);
    }
    this.#placed = true;
  }

  // What is over begins at its beginning, as any film does.
  #stepBack(details) {
    if (!this.#back || this.#stepped) return;
    this.#stepped = true;
    if (details.live) this.video.currentTime = Math.max(details.fragmentStart, details.edge - STEP_BACK_S);
  }

  // Without this every pause of the network would stay in the delay for good.
  #pace() {
    this.#rouse();
    const { latency, targetLatency } = this.#hls ?? {};
    if (this.#back || !latency || !targetLatency || this.video.paused) return;
    this.#late_s += (latency - targetLatency - this.#late_s) * SMOOTHING;
    const rate = nextRate(this.video.playbackRate, this.#late_s, this.buffered_s);
    if (this.video.playbackRate !== rate) this.video.playbackRate = rate;
  }

  // It could play and does not.
  #rouse() {
    const { video } = this;
    const dry = !video.paused && !video.seeking && video.readyState < video.HAVE_FUTURE_DATA;
    this.#dry_ticks = dry && this.buffered_s > ROUSE_S ? this.#dry_ticks + 1 : 0;
    if (this.#dry_ticks < ROUSE_TICKS) return;
    this.#dry_ticks = 0;
    video.currentTime += ROUSE_STEP_S;
  }

  #start() {
    this.video.play().catch(() => this.onChange()); // refused without a click: the play button is there
  }

  #recover(error) {
    const now_ms = performance.now();
    const fresh = now_ms - this.#media_error_ms > MEDIA_ERROR_GRACE_MS;
    if (error.type === window.Hls.ErrorTypes.MEDIA_ERROR && fresh) {
      this.#media_error_ms = now_ms;
      this.#hls.recoverMediaError();
      return;
    }
    const wait_ms = BACK_OFF_MS[Math.min(this.#retries, BACK_OFF_MS.length - 1)];
    this.#retries += 1;
    if (this.#retries > 2) this.trouble = `Waiting for the stream (${error.details}).`;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#resume(error), wait_ms);
    this.onChange();
  }

  // A playlist or a part that could not be had is asked for again below the picture that is still playing; when that
  // does not help, or the list of variants itself is missing, everything is opened anew.
  #resume(error) {
    const gentle = error.type === window.Hls.ErrorTypes.NETWORK_ERROR && this.#retries <= 2;
    if (gentle && this.#hls?.levels.length) this.#hls.startLoad();
    else this.#open();
  }
}
