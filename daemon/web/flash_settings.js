/* What this screen shows and how: kept in this browser, for this device. */
import { api, el, soundName, text } from './common.js';
import { muted, setMuted } from './signal.js';

const KEPT = 'earshot.flash';
const MODES = ['auto', 'flash', 'steady'];

let kept = {};
try {
  kept = JSON.parse(localStorage.getItem(KEPT)) ?? {};
} catch {
  /* what cannot be read is as good as nothing */
}
kept.labels ??= {}; /* label => chosen or not, where it is not as preset */
let known = new Map(); /* label => as in the box's status */

export const vibrates = () => kept.vibrate !== false;
export const labelsKnown = () => [...known.values()];
export const isKnown = (label) => known.has(label);
/* Taught sounds belong to no list's group; they have a pictogram of their own. */
export const groupOf = (label, group) => group ?? (known.get(label)?.taught ? 'taught' : null);
export const learnLabels = (labels) => (known = new Map(labels.map((l) => [l.label, l])));

/* Alarms, and what somebody took the trouble to teach, unless told otherwise. `alarm`: of a label that the box has not told about. */
const preset = (l) => l.alarm || l.taught;
export const chosen = (label, alarm = true) => kept.labels[label] ?? preset(known.get(label) ?? { alarm });

const reduced = matchMedia('(prefers-reduced-motion: reduce)');
function applyMode() {
  const steady = kept.mode === 'steady' || (kept.mode !== 'flash' && reduced.matches);
  document.documentElement.dataset.flash = steady ? 'steady' : 'flash';
}
reduced.addEventListener?.('change', applyMode);
applyMode();

function keep() {
  localStorage.setItem(KEPT, JSON.stringify(kept));
  applyMode();
}

function choice(type, properties, words, changed) {
  const input = el('input', { type, ...properties });
  input.addEventListener('change', () => changed(input.checked));
  return el('label', { class: 'choice' }, input, el('span', {}, words));
}

function howSection() {
  const mode = (m) => choice('radio', { name: 'mode', value: m, checked: (kept.mode ?? 'auto') === m }, text(`flash.mode-${m}`), () => {
    kept.mode = m;
    keep();
  });
  return el('fieldset', {}, el('legend', {}, text('flash.how')), MODES.map(mode),
    choice('checkbox', { checked: vibrates(), disabled: !navigator.vibrate }, text('flash.vibrate'), (on) => {
      kept.vibrate = on;
      keep();
    }),
    choice('checkbox', { checked: !muted() }, text('flash.tone'), (on) => setMuted(!on)));
}

function labelsSection(group, labels, changed) {
  const one = (l) => choice('checkbox', { checked: chosen(l.label), value: l.label }, soundName(l.label, l.name), (on) => {
    if (on === preset(l)) delete kept.labels[l.label];
    else kept.labels[l.label] = on;
    keep();
    changed();
  });
  return el('fieldset', {}, el('legend', {}, text(`flash.group-${group}`)), el('div', { class: 'choices' }, labels.map(one)));
}

function testSection() {
  const pick = el('select', { id: 'test-label' }, labelsKnown().filter((l) => chosen(l.label)).map((l) =>
    el('option', { value: l.label, selected: l.label === testLabel() }, soundName(l.label, l.name))));
  const report = el('p', { class: 'note', role: 'status' });
  const button = el('button', { type: 'button' }, text('flash.test'));
  button.addEventListener('click', async () => {
    kept.test = pick.value;
    keep();
    report.textContent = text('flash.testing');
    report.textContent = await runTest();
  });
  return el('fieldset', {}, el('legend', {}, text('flash.test-title')), el('p', {}, text('flash.test-help')),
    el('label', { for: 'test-label' }, text('flash.test-label')), pick, button, report);
}

function testLabel() {
  if (kept.test && chosen(kept.test)) return kept.test;
  return labelsKnown().find((l) => l.label === 'smoke_alarm' && chosen(l.label))?.label ??
    labelsKnown().find((l) => chosen(l.label))?.label ?? 'smoke_alarm';
}

/* A test event through the whole box, and so back to this screen. Answers what to say about it. */
export async function runTest() {
  try {
    const { reports } = await api('test', { json: { label: testLabel() } });
    const bad = (reports ?? []).filter((r) => !r.ok).map((r) => `${r.output}: ${r.text}`);
    return bad.length ? text('flash.test-problem', { what: bad.join('; ') }) : text('flash.test-sent');
  } catch (e) {
    return e.message;
  }
}

/* Fills and opens the dialog; changed() after each change of the choice of labels. */
export function openSettings(box, changed) {
  const groups = Map.groupBy ? Map.groupBy(labelsKnown(), sectionOf) : labelsKnown().reduce((m, l) =>
    m.set(sectionOf(l), [...(m.get(sectionOf(l)) ?? []), l]), new Map());
  const order = [...groups.keys()].sort((a, b) => (b === 'alarm') - (a === 'alarm') || (b === 'taught') - (a === 'taught'));
  const close = el('button', { type: 'button', class: 'primary', onclick: () => box.close() }, text('flash.close'));
  box.replaceChildren(
    el('h2', { id: 'settings-title' }, text('flash.settings')),
    howSection(), testSection(),
    el('p', {}, text('flash.which')),
    ...order.map((g) => labelsSection(g, groups.get(g), changed)),
    el('p', { class: 'end' }, close));
  box.showModal();
}

const sectionOf = (l) => (l.taught ? 'taught' : l.alarm ? 'alarm' : l.group && l.group !== 'alarm' ? l.group : 'other');
