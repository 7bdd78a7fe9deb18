// Numbers as people read them. Pure: no page, no clock.

const NONE = "–";

const known = (value) => typeof value === "number" && Number.isFinite(value);

export function seconds(value, digits = 2) {
  return known(value) ? `${value.toFixed(digits)} s` : NONE;
}

export function milliseconds(value_s) {
  if (!known(value_s)) return NONE;
  const value_ms = value_s * 1000;
  return `${value_ms.toFixed(value_ms < 10 ? 1 : 0)} ms`;
}

export function bytes(value) {
  if (!known(value)) return NONE;
  const units = ["B", "kB", "MB", "GB", "TB"];
  const step = value < 1000 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(value) / 3));
  const scaled = value / 1000 ** step;
  return `${scaled.toFixed(step === 0 || scaled >= 100 ? 0 : 1)} ${units[step]}`;
}

export function bitrate(value_bps) {
  if (!known(value_bps)) return NONE;
  if (value_bps < 1000) return `${value_bps.toFixed(0)} bit/s`;
  if (value_bps < 1e6) return `${(value_bps / 1e3).toFixed(0)} kbit/s`;
  return `${(value_bps / 1e6).toFixed(1)} Mbit/s`;
}

export function factor(value) {
  return known(value) ? `${value.toFixed(2)}×` : NONE;
}

// Stripes come as a list of their numbers, or as a count.
export function stripes(value) {
  if (Array.isArray(value)) return value.length ? [...value].sort((a, b) => a - b).join(" ") : NONE;
  return known(value) && value > 0 ? String(value) : NONE;
}

export function shortKey(key) {
  return typeof key === "string" && key.length > 10 ? `${key.slice(0, 8)}…` : String(key ?? NONE);
}
