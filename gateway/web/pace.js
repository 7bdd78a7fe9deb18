// How fast to play, to stay at the wanted distance behind the live edge. Pure: no page, no clock.
//
// Every change of speed costs a short hitch of picture and sound, so small deviations are left alone: only when
// clearly late does it hurry, and then until the whole lag is gone. hls.js's own control changes speed several times
// a second around its target; in Chromium the hitches of that ate up what the speed gained.

const LATE_S = 0.2; // later than this: hurry
const VERY_LATE_S = 1;
const HURRY = 1.1;
const HURRY_MORE = 1.3;
const BUFFER_MIN_S = 0.5; // with less in stock, hurrying would end in a stall

// `late_s` is the lag behind the wanted distance, smoothed; `rate` is the speed now.
export function nextRate(rate, late_s, buffered_s) {
  if (late_s <= 0 || buffered_s < BUFFER_MIN_S) return 1;
  if (late_s > VERY_LATE_S) return HURRY_MORE;
  return rate > 1 || late_s > LATE_S ? HURRY : 1;
}
