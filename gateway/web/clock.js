export function readClock() { return null; }
