/* The gate's threshold, on the level meter: a handle to drag, arrow keys, two buttons, and whether it follows the
 * room. */
import { api, el, signed, text, throttled } from './common.js';
import { along, BOTTOM } from './sound.js';

const MODES = ['auto', 'fixed', 'off'];

/* As gate.threshold is written: "auto+12 dB", "-40 dBFS", "0.03", "off". */
export function parseThreshold(value) {
  const auto = /^auto(?:\+([\d.]+))?/.exec(value);
  if (auto) return { mode: 'auto', above: auto[1] ? Number(auto[1]) : 12 };
  if (/^off/.test(value)) return { mode: 'off' };
  const number = parseFloat(value);
  return { mode: 'fixed', dbfs: number > 0 ? 20 * Math.log10(number) : number };
}

export function startThreshold({ meterBox }) {
  const $ = (id) => document.getElementById(id);
  const handle = $('threshold');
  const state = { mode: 'auto', above: 12, dbfs: -48, floor: -60, held: false, mine: 0, changes: 0 };

  const level = () => (state.mode === 'auto' ? state.floor + state.above : state.mode === 'off' ? BOTTOM : state.dbfs);
  const written = () =>
    state.mode === 'auto'
      ? `auto+${Math.round(state.above)} dB`
      : state.mode === 'off'
        ? 'off'
        : `${Math.round(state.dbfs)} dBFS`;

  function show() {
    const dbfs = level();
    handle.style.left = `${100 * along(dbfs)}%`;
    const off = state.mode === 'off';
    handle.classList.toggle('off', off);
    handle.setAttribute('aria-disabled', off);
    handle.setAttribute('aria-valuenow', Math.round(Math.max(BOTTOM, dbfs)));
    handle.setAttribute('aria-valuetext', valueText());
    $('threshold-value').textContent = off
      ? text('threshold.none')
      : state.mode === 'auto'
        ? `+${Math.round(state.above)} dB`
        : `${signed(state.dbfs)} dBFS`;
    $('threshold-note').textContent = valueText();
    $('threshold-less').disabled = $('threshold-more').disabled = off;
    for (const radio of $('threshold-mode').querySelectorAll('input')) radio.checked = radio.value === state.mode;
  }
  function valueText() {
    const values = { dbfs: signed(level()), above: Math.round(state.above ?? 0), floor: signed(state.floor) };
    return text(`threshold.says.${state.mode}`, values);
  }
  async function put() {
    const value = written();
    const at = state.changes;
    const { value: taken, problem } = await set('gate.threshold', value);
    if (at !== state.changes) return; /* it is another by now */
    state.mine = 0;
    if (taken) apply(taken);
    $('threshold-problem').hidden = !problem;
    $('threshold-problem').textContent = problem ?? '';
  }
  const soon = throttled(300, put);

  function moveTo(dbfs) {
    if (state.mode === 'off') return;
    const to = Math.round(Math.min(0, Math.max(BOTTOM, dbfs)));
    if (state.mode === 'auto') state.above = Math.round(Math.min(60, Math.max(0, to - state.floor)));
    else state.dbfs = to;
    changed();
  }
  function step(db) {
    if (state.mode === 'auto') state.above = Math.min(60, Math.max(0, Math.round(state.above) + db));
    else if (state.mode === 'fixed') state.dbfs = Math.min(0, Math.max(BOTTOM, Math.round(state.dbfs) + db));
    changed();
  }
  function changed() {
    state.mine = Date.now();
    state.changes++;
    show();
    soon();
  }

  function onKey(event) {
    const steps = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -6, PageUp: 6 };
    if (event.key === 'Home') moveTo(state.mode === 'auto' ? state.floor : BOTTOM);
    else if (event.key === 'End') moveTo(0);
    else if (event.key in steps) step(steps[event.key]);
    else return;
    event.preventDefault();
  }
  function drag(event) {
    const box = meterBox.getBoundingClientRect();
    moveTo(BOTTOM * (1 - (event.clientX - box.left) / box.width));
  }
  handle.addEventListener('pointerdown', (event) => {
    if (state.mode === 'off' || event.button > 0) return;
    handle.setPointerCapture(event.pointerId);
    state.held = true;
    handle.focus();
    event.preventDefault();
  });
  handle.addEventListener('pointermove', (event) => state.held && drag(event));
  for (const end of ['pointerup', 'pointercancel']) {
    handle.addEventListener(end, () => {
      state.held = false;
    });
  }
  handle.addEventListener('keydown', onKey);
  $('threshold-less').addEventListener('click', () => step(-1));
  $('threshold-more').addEventListener('click', () => step(1));

  function choose(mode) {
    if (mode === 'fixed') state.dbfs = Math.round(level());
    if (mode === 'auto')
      state.above = Math.round(Math.min(60, Math.max(3, state.mode === 'fixed' ? state.dbfs - state.floor : 12)));
    state.mode = mode;
    changed();
  }
  function apply(value) {
    Object.assign(state, parseThreshold(value));
    show();
  }
  $('threshold-mode').append(
    ...MODES.map((mode) =>
      el(
        'label',
        {},
        el('input', { type: 'radio', name: 'threshold-mode', value: mode, onchange: () => choose(mode) }),
        el('span', {}, text(`threshold.mode.${mode}`)),
      ),
    ),
  );

  return {
    /* As the daemon has it. What it says of a moment ago does not pull the handle out of somebody's hand. */
    setting(value) {
      if (!state.held && Date.now() - state.mine > 2000 && typeof value === 'string') apply(value);
    },
    floor(dbfs) {
      if (!Number.isFinite(dbfs) || Math.abs(dbfs - state.floor) < 0.05 || state.held) return;
      state.floor = dbfs;
      show();
    },
  };
}

/* One setting, kept over restarts. Answers {value} or {problem: a text}. */
export async function set(key, value, persist = true) {
  try {
    const { results } = await api('settings', { method: 'PATCH', json: { values: { [key]: value }, persist } });
    const result = results[key];
    return result.ok ? { value: result.value } : { problem: result.error };
  } catch (e) {
    return { problem: e.message };
  }
}
