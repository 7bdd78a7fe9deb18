// Sends a MediaStream by WHIP (RFC 9725): one offer, one answer, and a good-bye.

const CONNECT_MS = 10_000;

export class Refused extends Error {}

export class WhipSender {
  // `ended` is called once, with a reason, when the broadcast is over and nobody here has ended it.
  constructor(endpoint, key, ended) {
    this.endpoint = endpoint;
    this.key = key;
    this.ended = ended;
    this.connection = null;
    this.session = null;
  }

  async start(stream, { bps, fps }) {
    const connection = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
    this.connection = connection;
    for (const track of stream.getTracks()) {
      const encodings = track.kind === "video" ? [{ maxBitrate: bps, maxFramerate: fps }] : [{}];
      const transceiver = connection.addTransceiver(track, { direction: "sendonly", streams: [stream], sendEncodings: encodings });
      if (track.kind === "video") preferH264(transceiver);
    }
    const connected = waitFor(connection);
    try {
      await connection.setLocalDescription();
      await connection.setRemoteDescription({ type: "answer", sdp: await this.ask(connection.localDescription.sdp) });
      await keepSize(connection);
      await connected;
    } catch (error) {
      connected.catch(() => {});
      this.stop();
      throw error;
    }
    connection.addEventListener("connectionstatechange", () => this.look());
  }

  async ask(sdp) {
    const answer = await fetch(this.endpoint, {
      method: "POST",
      headers: { "content-type": "application/sdp", authorization: `Bearer ${this.key}` },
      body: sdp,
      signal: AbortSignal.timeout(CONNECT_MS),
    });
    if (answer.status !== 201) {
      const problem = await answer.json().catch(() => null);
      throw new Refused(problem?.detail ? `${problem.title}. ${problem.detail}` : `The gateway answered ${answer.status}.`);
    }
    this.session = new URL(answer.headers.get("location"), answer.url);
    return answer.text();
  }

  look() {
    const state = this.connection?.connectionState;
    if (state !== "failed" && state !== "closed") return;
    this.stop();
    this.ended("The connection to the gateway has ended.");
  }

  stop() {
    this.connection?.close();
    this.connection = null;
    if (!this.session) return;
    // It must get there even when the page is being closed.
    fetch(this.session, { method: "DELETE", headers: { authorization: `Bearer ${this.key}` }, keepalive: true }).catch(() => {});
    this.session = null;
  }

  // What goes out: bytes so far, the picture's size and rate, the share of packets that got lost, 0 to 1.
  async report() {
    const report = { bytes: 0, width: null, height: null, fps: null, lost: null };
    for (const entry of (await this.connection?.getStats())?.values() ?? []) {
      if (entry.type === "outbound-rtp") report.bytes += entry.bytesSent;
      if (entry.type === "outbound-rtp" && entry.kind === "video") {
        Object.assign(report, { width: entry.frameWidth, height: entry.frameHeight, fps: entry.framesPerSecond });
      }
      if (entry.type === "remote-inbound-rtp" && entry.kind === "video") report.lost = entry.fractionLost;
    }
    return report;
  }
}

function preferH264(transceiver) {
  const { codecs } = RTCRtpSender.getCapabilities("video");
  const chosen = codecs.filter(({ mimeType }) => /\/(h264|rtx)$/i.test(mimeType));
  if (!chosen.some(({ mimeType }) => /h264/i.test(mimeType))) throw new Refused("This browser cannot send H.264.");
  transceiver.setCodecPreferences(chosen);
}

// A slow line costs frames rather than the picture's size: another size is another stream to players.
async function keepSize(connection) {
  for (const sender of connection.getSenders()) {
    if (sender.track?.kind !== "video") continue;
    const parameters = sender.getParameters();
    parameters.degradationPreference = "maintain-resolution";
    await sender.setParameters(parameters).catch(() => {});
  }
}

function waitFor(connection) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Refused("The gateway was not reached by UDP: is its WHIP port open?")), CONNECT_MS);
    connection.addEventListener("connectionstatechange", () => {
      const state = connection.connectionState;
      if (state === "connecting" || state === "new") return;
      clearTimeout(timer);
      if (state === "connected") resolve();
      else reject(new Refused("The gateway was not reached by UDP: is its WHIP port open?"));
    });
  });
}
