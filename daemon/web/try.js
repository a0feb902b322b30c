/* A recording of one's own: what earshot hears in it, along its waveform and its spectrogram. */
import { api, bytes, duration, el, percent, pictogram, soundName, symbol, text } from './common.js';
import { scoreBar } from './hero.js';
import { colour, drawFrequencies, fitted, image, palette, surface } from './spectrogram.js';

const MOST_BYTES = 50e6;
const LANES = 10;

export function start(box, { labels, say }) {
  const input = el('input', {
    type: 'file',
    accept: 'audio/*,.wav,.flac,.ogg,.oga,.opus,.mp3',
    class: 'hidden-text',
    id: 'file',
    onchange: () => take(input.files[0]),
  });
  const drop = el(
    'div',
    { class: 'drop' },
    symbol('upload'),
    el('p', {}, text('try.drop')),
    el('label', { class: 'big', for: 'file' }, input, text('try.choose')),
    el('p', { class: 'note' }, text('try.limits')),
  );
  const working = el('p', { class: 'note', role: 'status' });
  const problem = el('p', { class: 'problem', role: 'alert', hidden: true });
  const result = el('div', { class: 'result' });
  let shown = null;
  let running = null;
  box.replaceChildren(el('section', { class: 'card' }, drop, working, problem), result);

  for (const kind of ['dragenter', 'dragover']) {
    addEventListener(kind, (event) => {
      if (![...(event.dataTransfer?.types ?? [])].includes('Files')) return;
      event.preventDefault();
      if (location.hash !== '#try') location.hash = '#try';
      drop.classList.add('over');
    });
  }
  addEventListener('dragleave', (event) => event.relatedTarget ?? drop.classList.remove('over'));
  addEventListener('drop', (event) => {
    if (!event.dataTransfer?.files.length) return;
    event.preventDefault();
    drop.classList.remove('over');
    take(event.dataTransfer.files[0]);
  });

  async function take(file) {
    if (!file) return;
    input.value = '';
    fail(null);
    if (file.size > MOST_BYTES) return fail(text('try.large', { name: file.name }));
    running?.abort();
    const mine = (running = new AbortController());
    working.textContent = text('try.working', { name: file.name });
    try {
      const answer = await api('classify', {
        body: file,
        headers: { 'Content-Type': file.type || 'application/octet-stream' },
        signal: mine.signal,
      });
      if (mine === running) show(file, answer);
    } catch (e) {
      if (mine === running && e.name !== 'AbortError')
        fail(text('try.failed', { name: file.name, problem: e.message }));
    } finally {
      if (mine === running) working.textContent = '';
    }
  }
  function fail(words) {
    problem.hidden = !words;
    problem.textContent = words ?? '';
  }
  const info = (label) => labels().find((l) => l.label === label) ?? { label };
  const name = (label) => soundName(label, info(label).name);

  function show(file, answer) {
    shown?.close();
    shown = timeline(file, answer, { info, name });
    const heard = [...new Set(answer.events.map((e) => name(e.label)))];
    say(
      heard.length
        ? text('try.heard', { name: file.name, sounds: heard.join(', ') })
        : text('try.nothing', { name: file.name }),
    );
    result.replaceChildren(
      el(
        'section',
        { class: 'card', 'aria-labelledby': 'h-file' },
        el(
          'h2',
          { id: 'h-file', tabindex: '-1' },
          file.name,
          ' ',
          el('span', { class: 'note' }, duration(answer.duration_s)),
        ),
        shown.element,
      ),
      el(
        'div',
        { class: 'columns' },
        el('section', { class: 'card' }, el('h2', {}, text('try.events')), eventTable(answer.events)),
        el(
          'section',
          { class: 'card' },
          el('h2', {}, text('try.top')),
          el('p', { class: 'note' }, text('try.top.help')),
          el(
            'ul',
            { class: 'tops' },
            answer.top.map((t) =>
              el(
                'li',
                { class: `group-${info(t.label).group || 'background'}` },
                el('span', { class: 'picture' }, pictogram(t.label, info(t.label).group)),
                el('span', { class: 'name' }, name(t.label)),
                scoreBar(t.score),
              ),
            ),
          ),
        ),
      ),
    );
    shown.draw();
    result.querySelector('h2').focus();
  }
  function eventTable(events) {
    if (!events.length) return el('p', { class: 'note' }, text('try.none'));
    return el(
      'ul',
      { class: 'tops' },
      events.map((e) =>
        el(
          'li',
          { class: `group-${info(e.label).group || 'background'}` },
          el('span', { class: 'picture' }, pictogram(e.label, info(e.label).group)),
          el(
            'span',
            { class: 'name' },
            name(e.label),
            el(
              'button',
              {
                type: 'button',
                class: 'at',
                'aria-label': `${e.start_s.toFixed(1)}–${e.end_s.toFixed(1)} s: ${text('try.play', { sound: name(e.label) })}`,
                onclick: () => shown.play(e.start_s),
              },
              symbol('play'),
              `${e.start_s.toFixed(1)}–${e.end_s.toFixed(1)} s`,
            ),
          ),
          scoreBar(e.score),
        ),
      ),
    );
  }
  return { theme: () => shown?.draw() };
}

/* Waveform, spectrogram and labels above each other, on one axis of time, with the player's place. */
function timeline(file, answer, { info, name }) {
  const address = URL.createObjectURL(file);
  const audio = el('audio', { controls: true, src: address, preload: 'metadata' });
  const wave = el('canvas', { class: 'wave', role: 'img', 'aria-label': text('try.wave') });
  const spectrum = el('canvas', { class: 'spectrum', role: 'img', 'aria-label': text('try.spectrogram') });
  const lanes = el('ul', { class: 'lanes', 'aria-label': text('try.over') });
  const here = el('div', { class: 'here' });
  const tracks = el('div', { class: 'tracks' }, wave, spectrum, lanes, here);
  const length = answer.duration_s;
  const where = (s) => `${(100 * Math.min(s, length)) / length}%`;

  const drawn = lanesOf(answer).map(({ label, scores, spans }) => {
    const canvas = el('canvas', { 'aria-hidden': 'true' });
    const group = info(label).group || 'background';
    const lane = el(
      'li',
      { class: `group-${group}` },
      canvas,
      el('span', { class: 'name' }, pictogram(label, group), name(label)),
    );
    for (const [from, to, score] of spans) {
      const part = el('span', { class: 'span', title: `${from.toFixed(1)}–${to.toFixed(1)} s, ${percent(score)}` });
      part.style.left = where(from);
      part.style.width = where(to - from);
      lane.append(part);
    }
    lanes.append(lane);
    return { canvas, scores, group };
  });
  function drawLane({ canvas, scores, group }) {
    const { context, width, height } = fitted(canvas);
    const wide = (width * stepOf(answer)) / length;
    context.clearRect(0, 0, width, height);
    context.fillStyle = colour(`group-${group}`);
    context.globalAlpha = 0.55;
    for (const [from, score] of scores) {
      const left = Math.round((width * from) / length);
      context.fillRect(
        left,
        height * (1 - score),
        Math.max(1, Math.round((width * from) / length + wide) - left),
        height * score,
      );
    }
  }
  function drawWave() {
    const { context, width, height } = fitted(wave);
    const { min, max, step_s: step } = answer.waveform;
    context.clearRect(0, 0, width, height);
    context.fillStyle = colour('accent');
    const wide = (width * step) / length;
    const full = Math.max(0.02, ...max, ...min.map(Math.abs)); /* the loudest fills the height */
    for (let i = 0; i < min.length; i++) {
      const top = (height / 2) * (1 - max[i] / full);
      const bottom = (height / 2) * (1 - min[i] / full);
      context.fillRect(i * wide, top, Math.max(0.7, wide), Math.max(1, bottom - top));
    }
  }
  function drawSpectrum() {
    const { columns, data, step_s: step } = answer.spectrogram;
    const { context, width, height } = fitted(spectrum);
    const source = surface(columns, answer.spectrogram.bands);
    source.getContext('2d').putImageData(image(bytes(data), columns, palette()), 0, 0);
    context.drawImage(source, 0, 0, (width * columns * step) / length, height);
    drawFrequencies(context, height, colour('ink'), colour('card'), answer.spectrogram.top_hz);
  }
  function draw() {
    drawWave();
    drawn.forEach(drawLane);
    if (answer.spectrogram.columns) drawSpectrum();
  }
  const place = () => {
    here.style.left = where(audio.currentTime);
  };
  audio.addEventListener('timeupdate', place);
  tracks.addEventListener('click', (event) => {
    const { left, width } = tracks.getBoundingClientRect();
    audio.currentTime = (length * (event.clientX - left)) / width;
    place();
  });
  audio.addEventListener('error', () => audio.replaceWith(el('p', { class: 'note' }, text('try.mute'))));
  const resized = new ResizeObserver(draw);
  resized.observe(tracks);
  return {
    element: el('div', {}, tracks, axis(length), audio),
    draw,
    play(at) {
      audio.currentTime = at;
      audio.play().catch(() => {});
    },
    close() {
      resized.disconnect();
      audio.pause();
      URL.revokeObjectURL(address);
    },
  };
}

/* From one window to the next, as a rule: there are none where nothing was looked at. */
function stepOf({ windows, duration_s: length }) {
  const steps = windows
    .slice(1)
    .map((w, i) => w.start_s - windows[i].start_s)
    .sort((a, b) => a - b);
  return steps[Math.floor(steps.length / 2)] ?? length;
}

/* Labels over time: each window's score, and the events that came of them. Those with an event first, then by what
 * their scores add up to; a label that never reached 0.3 is left out. */
function lanesOf(answer) {
  const lanes = new Map();
  const lane = (label) => {
    if (!lanes.has(label)) lanes.set(label, { label, scores: [], spans: [], most: 0, sum: 0 });
    return lanes.get(label);
  };
  for (const w of answer.windows) {
    for (const { label, score } of w.top) {
      const l = lane(label);
      l.scores.push([w.start_s, score]);
      l.most = Math.max(l.most, score);
      l.sum += score;
    }
  }
  for (const e of answer.events) lane(e.label).spans.push([e.start_s, e.end_s, e.score]);
  return [...lanes.values()]
    .filter((l) => l.spans.length || (l.most >= 0.3 && l.label !== 'background'))
    .sort((a, b) => (b.spans.length > 0) - (a.spans.length > 0) || b.sum - a.sum)
    .slice(0, LANES);
}

function axis(length) {
  const step = [0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600].find((s) => length / s <= 8) ?? 7200;
  const line = el('div', { class: 'axis', 'aria-hidden': 'true' });
  for (let s = 0; s <= length; s += step) {
    const tick = el(
      'span',
      {},
      step < 1 ? `${s.toFixed(1)} s` : s < 120 ? `${s} s` : `${Math.floor(s / 60)}:${String(s % 60).padStart(2, '0')}`,
    );
    tick.style.left = `${(100 * s) / length}%`;
    line.append(tick);
  }
  return line;
}
