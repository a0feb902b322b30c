/* Spectra as pictures: 64 mel bands from 50 Hz to 8 kHz, a byte each (0: -100 dBFS or less, 255: 0 dBFS). */

export const BANDS = 64;

/* Dark to light where the page is dark, light to dark where it is light: loud stands out from the page in both.
 * Brightness alone tells loud from quiet, so that it can be read without colours. */
const DARK = [
  [11, 15, 24],
  [23, 34, 74],
  [47, 63, 143],
  [24, 121, 158],
  [43, 176, 137],
  [170, 217, 84],
  [255, 247, 190],
];
const LIGHT = [
  [246, 248, 251],
  [206, 226, 240],
  [137, 190, 220],
  [66, 139, 189],
  [44, 82, 153],
  [49, 33, 104],
  [22, 8, 42],
];

export function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
}

/* 256 colours, RGBA. What is below -90 dBFS is no more than the microphone's own noise: all the room between there and
 * -10 dBFS. */
export function palette(dark = isDark()) {
  const stops = dark ? DARK : LIGHT;
  const colours = new Uint8ClampedArray(1024);
  for (let i = 0; i < 256; i++) {
    const x = Math.min(1, Math.max(0, (i - 38) / 180)) * (stops.length - 1);
    const k = Math.min(stops.length - 2, Math.floor(x));
    for (let c = 0; c < 3; c++) colours[4 * i + c] = stops[k][c] + (stops[k + 1][c] - stops[k][c]) * (x - k);
    colours[4 * i + 3] = 255;
  }
  return colours;
}

/* An image of `columns` spectra, lowest band at the bottom. */
export function image(spectra, columns, colours) {
  const picture = new ImageData(columns, BANDS);
  for (let x = 0; x < columns; x++) drawColumn(picture, x, spectra.subarray(x * BANDS, (x + 1) * BANDS), colours);
  return picture;
}

export function drawColumn(picture, x, spectrum, colours) {
  const { data, width } = picture;
  for (let band = 0; band < BANDS; band++) {
    const to = 4 * ((BANDS - 1 - band) * width + x);
    const from = 4 * (spectrum ? spectrum[band] : 0);
    for (let c = 0; c < 4; c++) data[to + c] = colours[from + c];
  }
}

const mel = (hz) => 2595 * Math.log10(1 + hz / 700);

/* Where a frequency stands: 0 at the bottom, 1 at the top. */
const place = (hz, top) => (mel(hz) - mel(50)) / (mel(top) - mel(50));

/* Makes the canvas as sharp as the screen; answers its context, in CSS pixels, and its size. */
export function fitted(canvas) {
  const ratio = Math.min(3, devicePixelRatio || 1);
  const width = Math.max(1, canvas.clientWidth);
  const height = Math.max(1, canvas.clientHeight);
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  const context = canvas.getContext('2d');
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  return { context, width, height };
}

/* A canvas that putImageData can be drawn on from, for scaling. */
export function surface(width, height) {
  const canvas = document.createElement('canvas');
  canvas.width = width;
  canvas.height = height;
  return canvas;
}

/* "1 kHz" at its height, on a patch that keeps it readable. top: Hz of the upper edge. */
export function drawFrequencies(context, height, ink, paper, top = 8000) {
  const left = 4;
  context.font = '11px system-ui, sans-serif';
  context.textBaseline = 'middle';
  for (const [hz, name] of [
    [250, '250 Hz'],
    [1000, '1 kHz'],
    [4000, '4 kHz'],
  ]) {
    if (hz > 0.9 * top) continue;
    const y = height * (1 - place(hz, top));
    context.fillStyle = paper;
    context.globalAlpha = 0.75;
    context.fillRect(left - 2, y - 8, context.measureText(name).width + 5, 16);
    context.globalAlpha = 1;
    context.fillStyle = ink;
    context.fillText(name, left, y);
  }
}

/* The page's own colours, for canvases. */
export function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}
