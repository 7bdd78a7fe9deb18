// One entry a player: `load` brings its code and tells its version, `start` plays a URL. What a player calls an error,
// fatal or not, goes to `complain`; waiting for data is no error, the picture shows it.

function script(source) {
  return new Promise((resolve, reject) => {
    const element = document.createElement("script");
    element.src = source;
    element.onload = resolve;
    element.onerror = () => reject(new Error(`${source} cannot be loaded`));
    document.head.append(element);
  });
}

function style(source) {
  const element = document.createElement("link");
  element.rel = "stylesheet";
  element.href = source;
  document.head.append(element);
}

function play(video, complain) {
  video.play().catch((error) => error.name === "AbortError" || complain(error));
}

// What hls.js reports when data is late: it asks again, and goes on.
const HLS_WAITS = new Set([
  "bufferStalledError", "bufferNudgeOnStall", "levelLoadTimeOut", "audioTrackLoadTimeOut", "fragLoadTimeOut",
]);

// On a busy machine hls.js looks for holes before it has left time 0 for where a live stream begins.
function isStart(error, video) {
  return error.details === "bufferSeekOverHole" && video.played.length === 0;
}

const hls = {
  async load() {
    await script("/npm/hls.js/dist/hls.min.js");
    return window.Hls.version;
  },
  start(video, url, options, complain) {
    const player = new window.Hls(options);
    player.on(window.Hls.Events.ERROR, (_, error) => {
      if (error.fatal) complain(`fatal ${error.details}: ${error.reason || error.error}`);
      else if (!HLS_WAITS.has(error.details) && !isStart(error, video))
        complain(`${error.details}: ${error.reason || error.error}`);
    });
    player.on(window.Hls.Events.MANIFEST_PARSED, () => play(video, complain));
    player.attachMedia(video);
    player.loadSource(url);
    window.player = player;
  },
};

const shaka = {
  async load() {
    await script("/npm/shaka-player/dist/shaka-player.compiled.js");
    window.shaka.polyfill.installAll();
    return window.shaka.Player.version.replace(/^v/, "");
  },
  async start(video, url, options, complain) {
    const player = new window.shaka.Player();
    player.addEventListener("error", ({ detail }) => complain(`error ${detail.code}: ${detail.data}`));
    await player.attach(video);
    player.configure(options);
    window.player = player;
    await player.load(url).catch((error) => complain(`load: error ${error.code}: ${error.data}`));
    play(video, complain);
  },
};

const dash = {
  async load() {
    await script("/npm/dashjs/dist/modern/umd/dash.all.min.js");
    return window.dashjs.Version ?? window.dashjs.MediaPlayer().create().getVersion();
  },
  start(video, url, options, complain) {
    const player = window.dashjs.MediaPlayer().create();
    player.updateSettings(options);
    player.on(window.dashjs.MediaPlayer.events.ERROR, ({ error }) => complain(`${error.code}: ${error.message}`));
    player.initialize(video, url, true);
    window.player = player;
  },
};

const TYPES = { m3u8: "application/x-mpegURL", mpd: "application/dash+xml" };

const videojs = {
  async load() {
    style("/npm/video.js/dist/video-js.min.css");
    await script("/npm/video.js/dist/video.min.js");
    return window.videojs.VERSION;
  },
  start(video, url, options, complain) {
    video.className = "video-js";
    const player = window.videojs(video, { muted: true, ...options });
    player.on("error", () => complain(`${player.error()?.code}: ${player.error()?.message}`));
    player.src({ src: url, type: TYPES[url.split(".").at(-1)] });
    player.play()?.catch((error) => error.name === "AbortError" || complain(error));
    window.player = player;
  },
};

// The browser's own <video>, without any library.
const native = {
  async load() {
    return "";
  },
  start(video, url, _, complain) {
    video.addEventListener("error", () => complain(`${video.error?.code}: ${video.error?.message}`));
    video.src = url;
    play(video, complain);
  },
};

export const PLAYERS = { "hls.js": hls, Shaka: shaka, "dash.js": dash, "video.js": videojs, "<video>": native };
