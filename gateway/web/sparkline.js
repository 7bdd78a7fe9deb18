// The delay of the last two minutes as one SVG line.

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 240;
const HEIGHT = 48;
const SPAN_MS = 120_000;
const POINTS = 240;

// Draws `samples` ({at_ms, delay_s}, oldest first) so that `now_ms` is at the right edge; returns the scale's top.
export function drawSparkline(svg, samples, now_ms) {
  const highest = samples.reduce((top, sample) => Math.max(top, sample.delay_s), 0);
  const top_s = Math.max(2, Math.ceil(highest));
  const line = svg.firstElementChild ?? svg.appendChild(document.createElementNS(SVG, "polyline"));
  line.setAttribute("points", points(worst(samples, now_ms), top_s).join(" "));
  return top_s;
}

// The worst delay of each half second: a short peak stays visible. [bin from the left, seconds] in order.
function worst(samples, now_ms) {
  const bins = new Map();
  for (const { at_ms, delay_s } of samples) {
    const bin = Math.round(POINTS - ((now_ms - at_ms) / SPAN_MS) * POINTS);
    if (bin >= 0) bins.set(bin, Math.max(delay_s, bins.get(bin) ?? 0));
  }
  return [...bins];
}

function points(bins, top_s) {
  return bins.map(([bin, delay_s]) => {
    const x = (bin / POINTS) * WIDTH;
    const y = HEIGHT - (Math.max(0, delay_s) / top_s) * (HEIGHT - 4) - 2;
    return `${x.toFixed(1)},${y.toFixed(1)}`;
  });
}
