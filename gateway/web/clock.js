// Reads the clock that the test picture carries: the twin of gateway/ingest/clock_code.py, which describes the code.
// The layout is 640 x 360 units whatever the picture's size; 52 black or white cells, 44 of time, 8 of CRC.

const LAYOUT_WIDTH = 640;
const LAYOUT_HEIGHT = 360;
const CELL_LEFT = 8;
const CELL_WIDTH = 12;
const TIME_BITS = 44;
const CHECK_BITS = 8;
const CELLS = TIME_BITS + CHECK_BITS;
// Only the middle of a cell counts: x + 3 .. x + 9, y 10 .. 18.
const MARGIN = 3;
const TOP = 10;
const ROWS = 8;
const THRESHOLD = 128;

let pen = null;

// The Unix milliseconds in a <video>'s or <img>'s picture; null when it carries no valid code.
export function readClock(picture) {
  const width = picture.videoWidth || picture.naturalWidth || 0;
  const height = picture.videoHeight || picture.naturalHeight || 0;
  if (!width || !height) return null;
  const unit = height / LAYOUT_HEIGHT;
  pen ??= newPen();
  pen.drawImage(picture, 0, TOP * unit, width, ROWS * unit, 0, 0, LAYOUT_WIDTH, ROWS);
  return decode(pen.getImageData(0, 0, LAYOUT_WIDTH, ROWS).data);
}

// A row of the layout's width: drawing scales any picture to it, and 20 kB are quickly read back.
function newPen() {
  const canvas = document.createElement("canvas");
  canvas.width = LAYOUT_WIDTH;
  canvas.height = ROWS;
  return canvas.getContext("2d", { willReadFrequently: true });
}

function decode(pixels) {
  let unix_ms = 0; // 44 bits: more than the bit operators take, exact as a number
  let check = 0;
  for (let cell = 0; cell < CELLS; cell += 1) {
    const bit = luma(pixels, CELL_LEFT + cell * CELL_WIDTH + MARGIN) > THRESHOLD ? 1 : 0;
    if (cell < TIME_BITS) unix_ms = unix_ms * 2 + bit;
    else check = (check << 1) | bit;
  }
  return check === checksum(unix_ms) ? unix_ms : null;
}

// Mean luma (ITU-R BT.601) of a cell's middle that begins at `left`.
function luma(pixels, left) {
  const columns = CELL_WIDTH - 2 * MARGIN;
  let sum = 0;
  for (let row = 0; row < ROWS; row += 1) {
    for (let column = 0; column < columns; column += 1) {
      const at = (row * LAYOUT_WIDTH + left + column) * 4;
      sum += 0.299 * pixels[at] + 0.587 * pixels[at + 1] + 0.114 * pixels[at + 2];
    }
  }
  return sum / (columns * ROWS);
}

// CRC-8, polynomial 0x07, initial value 0xFF, over the time as six big-endian bytes.
function checksum(unix_ms) {
  let crc = 0xff;
  for (let index = 5; index >= 0; index -= 1) {
    crc ^= Math.floor(unix_ms / 256 ** index) & 0xff;
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 0x80 ? ((crc << 1) ^ 0x07) & 0xff : crc << 1;
  }
  return crc;
}
