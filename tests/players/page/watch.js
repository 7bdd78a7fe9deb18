// Plays one URL in one player, and notes what its picture shows.

import { readClock } from "/gateway/clock.js";
import { PLAYERS } from "/page/players.js";

const errors = [];
const sightings = []; // [Unix ms of looking, Unix ms shown or null]
let looking = 0;

// The picture is looked at by the time, not by the frame: a player that stands still is to be seen standing still.
function look(picture) {
  const clock = readClock(picture());
  sightings.push([Date.now(), clock]);
}

function complain(text) {
  if (errors.length < 100) errors.push(String(text));
}

async function begin(player, url, options, look_every_ms) {
  const video = document.getElementById("video");
  addEventListener("error", (event) => complain(event.message));
  addEventListener("unhandledrejection", (event) => complain(`unhandled: ${event.reason}`));
  const { load, start } = PLAYERS[player];
  const version = await load();
  const began_ms = Date.now();
  // Some players put an element of their own in the place of ours.
  looking = setInterval(() => look(() => document.querySelector("video")), look_every_ms);
  await start(video, url, options, complain);
  return { version, began_ms };
}

window.watch = {
  begin,
  errors,
  sightings,
  // For how long there has been a picture; null before the first one.
  shownFor_ms: () => {
    const first = sightings.find(([, clock]) => clock !== null);
    return first ? Date.now() - first[0] : null;
  },
  end: () => clearInterval(looking),
};
