/* What the microphone hears now: the level meter and the rolling spectrogram with its events. Ten times a second, and
 * only while somebody looks: the box computes it for us alone. */
import { bytes, el, percent, signed, soundName } from './common.js';
import { stream } from './connection.js';
import { BANDS, colour, drawColumn, drawFrequencies, fitted, palette, surface } from './spectrogram.js';

const SECONDS = 60;
const COLUMNS = SECONDS * 10;
const ROWS = 2; /* of events' names below the spectrogram */
const ROW = 17; /* pixels */
const LANE = 6 + ROWS * ROW;
export const BOTTOM = -90; /* dBFS at the meter's left end; its right end is 0 */
const still = matchMedia('(prefers-reduced-motion: reduce)');

/* 0..1 on the meter */
export const along = (dbfs) => Math.min(1, Math.max(0, 1 - dbfs / BOTTOM));

/* onLevel(level) gets each message. Returns {event(e), draw(), rate(hz)}: an event to be marked; a drawing
 * anew, with another theme; the microphone's rate, for the axis. */
export function startSound({ onLevel }) {
  const roll = rolling(document.getElementById('spectrogram'));
  const meter = meterIn(document.getElementById('meter'));
  let levels = null;
  let inSight = true;

  function onMessage(type, level) {
    if (type !== 'level') return;
    meter(level);
    roll.add(level);
    onLevel(level);
  }
  function watch() {
    const wanted = inSight && document.visibilityState === 'visible';
    if (wanted && !levels) levels = stream('/api/v1/levels/stream', { onMessage });
    if (!wanted && levels) {
      levels.close();
      levels = null;
    }
  }
  document.addEventListener('visibilitychange', watch);
  new IntersectionObserver(([entry]) => {
    inSight = entry.isIntersecting;
    watch();
  }).observe(document.querySelector('.sound'));
  new ResizeObserver(() => roll.draw()).observe(document.getElementById('spectrogram'));
  watch();
  return { event: roll.event, draw: roll.repaint, rate: roll.rate };
}

function meterIn(box) {
  document.getElementById('scale').append(
    ...[-80, -60, -40, -20, 0].map((dbfs) => {
      const tick = el('span', {}, dbfs ? signed(dbfs) : '0 dBFS');
      tick.style.left = `${100 * along(dbfs)}%`;
      return tick;
    }),
  );
  const [bar, peak, floor] = ['.bar', '.peak', '.floor'].map((c) => box.querySelector(c));
  let held = BOTTOM;
  let heldAt = 0;
  let told = 0;
  return (level) => {
    const now = Date.now();
    if (level.peak_dbfs >= held || now - heldAt > 1500) {
      held = level.peak_dbfs;
      heldAt = now;
    }
    bar.style.transform = `scaleX(${along(level.rms_dbfs)})`;
    peak.style.left = `${100 * along(held)}%`;
    floor.style.left = `${100 * along(level.floor_dbfs)}%`;
    box.classList.toggle('open', level.gate === 'open');
    if (now - told < 2000) return; /* a screen reader that looks at it is not to be talked to ten times a second */
    told = now;
    box.setAttribute('aria-valuenow', Math.round(Math.max(BOTTOM, level.rms_dbfs)));
    box.setAttribute('aria-valuetext', `${signed(level.rms_dbfs)} dBFS`);
  };
}

function rolling(canvas) {
  const store = new Uint8Array(COLUMNS * BANDS); /* a ring of columns */
  const picture = new ImageData(COLUMNS, BANDS);
  const source = surface(COLUMNS, BANDS);
  let colours = palette();
  let head = 0; /* the column that comes next */
  let newest = Date.now();
  let drawn = 0;
  let marks = [];
  let top = 8000; /* Hz */

  function column(x) {
    drawColumn(picture, x, store.subarray(x * BANDS, (x + 1) * BANDS), colours);
  }
  function add(level) {
    const time = Date.parse(level.time);
    const gap = time - newest;
    const missed = gap > 350 ? Math.min(COLUMNS, Math.round(gap / 100)) : 1; /* less is only late */
    newest = time;
    for (let i = 1; i < missed; i++) advance(null); /* a gap stays a gap */
    advance(bytes(level.spectrum));
    if (Date.now() - drawn > (still.matches ? 950 : 60)) draw();
  }
  function advance(spectrum) {
    if (spectrum && spectrum.length === BANDS) store.set(spectrum, head * BANDS);
    else store.fill(0, head * BANDS, (head + 1) * BANDS);
    column(head);
    head = (head + 1) % COLUMNS;
  }
  function draw() {
    drawn = Date.now();
    const { context, width, height } = fitted(canvas);
    const tall = height - LANE;
    source.getContext('2d').putImageData(picture, 0, 0);
    const older = COLUMNS - head;
    const scale = width / COLUMNS;
    context.imageSmoothingEnabled = true;
    context.clearRect(0, 0, width, height);
    context.drawImage(source, head, 0, older, BANDS, 0, 0, older * scale, tall);
    if (head) context.drawImage(source, 0, 0, head, BANDS, older * scale, 0, head * scale, tall);
    drawFrequencies(context, tall, colour('ink'), colour('card'), top);
    drawMarks(context, width, tall);
  }
  function drawMarks(context, width, tall) {
    const x = (time) => width * (1 - (newest - time) / (1000 * SECONDS));
    marks = marks.filter((m) => m.end === null || x(m.end) > -200);
    const taken = Array.from({ length: ROWS }, () => []); /* [from, to] in each row: no name covers another */
    /* alarms first, then the newest: those have their names in any case */
    for (const m of [...marks].sort((a, b) => b.alarm - a.alarm || b.start - a.start)) {
      const left = Math.max(0, x(m.start));
      const right = Math.max(left + 3, Math.min(width, x(m.end ?? newest)));
      if (right < 4) continue;
      context.fillStyle = m.colour();
      context.fillRect(left, tall, right - left, 4);
      context.globalAlpha = 0.8;
      context.fillRect(left, 0, 1.5, tall);
      context.globalAlpha = 1;
      context.fillStyle = colour('ink');
      context.font = '600 12px system-ui, sans-serif';
      context.textBaseline = 'alphabetic';
      const wide = context.measureText(m.name).width;
      const at = Math.min(left, width - wide - 2);
      const row = taken.findIndex((spans) => spans.every(([from, to]) => at + wide + 10 < from || at > to + 10));
      if (row < 0) continue;
      context.fillText(m.name, at, tall + 2 + (row + 1) * ROW);
      taken[row].push([at, at + wide]);
    }
  }
  function event(e) {
    let mark = marks.find((m) => m.id === e.event_id);
    if (!mark) {
      mark = {
        id: e.event_id,
        start: Date.parse(e.start),
        end: null,
        alarm: e.alarm === true,
        colour: () => colour(`group-${e.group || 'background'}`),
      };
      marks.push(mark);
    }
    mark.name = `${soundName(e.label, e.name)} ${percent(e.score)}`;
    if (e.event_type === 'end') mark.end = Date.parse(e.end);
  }
  function repaint() {
    colours = palette();
    for (let x = 0; x < COLUMNS; x++) column(x);
    draw();
  }
  function rate(hz) {
    if (hz) top = Math.min(8000, hz / 2);
  }
  repaint();
  return { add, draw, event, repaint, rate };
}
