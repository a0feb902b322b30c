/* What every view of the page stands on: texts, requests, pictograms, elements, times. No state but the texts. */

const LANGUAGES = ['en']; /* a file texts.LANGUAGE.json each, and sound.LABEL in it for the sounds' names */

/* Symbols in icons.svg that stand for one sound. Any other sound has its group's, named as the group. */
const OWN_ICON = new Set([
  'smoke_alarm',
  'co_alarm',
  'siren',
  'glass_breaking',
  'gun_shot',
  'door_bell',
  'door_wood_knock',
  'crying_baby',
  'clock_alarm',
]);
const GROUPS = new Set([
  'alarm',
  'animal',
  'human',
  'household',
  'vehicle',
  'nature',
  'tool',
  'music',
  'background',
  'taught',
  'unknown',
]);

let texts = {};
let plural = new Intl.PluralRules('en');

/* To be awaited before anything else is called. */
export async function loadTexts() {
  const wanted = (navigator.languages ?? []).map((l) => l.split('-')[0]);
  const language = wanted.find((l) => LANGUAGES.includes(l)) ?? LANGUAGES[0];
  const read = async (l) => (await fetch(`texts.${l}.json`)).json();
  const [all, own] = await Promise.all([read(LANGUAGES[0]), language === LANGUAGES[0] ? {} : read(language)]);
  texts = { ...all, ...own }; /* what is not translated yet stays English */
  plural = new Intl.PluralRules(language);
  document.documentElement.lang = language;
}

/* The text of that key with {name} replaced by values.name. Where there are key.one and key.other, values.n chooses. A
 * key that is not there is shown as it is: a hole that is seen. */
export function text(key, values = {}) {
  const found = texts[key] ?? texts[`${key}.${plural.select(values.n ?? 0)}`] ?? texts[`${key}.other`] ?? key;
  return found.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

export function hasText(key) {
  return key in texts;
}

/* Fills in the texts of static HTML: data-text is the content, data-label the aria-label, data-tip the title. */
export function translate(root = document) {
  for (const e of root.querySelectorAll('[data-text]')) e.textContent = text(e.dataset.text);
  for (const e of root.querySelectorAll('[data-label]')) e.setAttribute('aria-label', text(e.dataset.label));
  for (const e of root.querySelectorAll('[data-tip]')) e.title = text(e.dataset.tip);
  for (const e of root.querySelectorAll('[data-placeholder]')) e.placeholder = text(e.dataset.placeholder);
}

/* What the API refused: problem details (RFC 9457) as an exception. status 0: there was no answer. */
export class Refused extends Error {
  constructor(status, problem) {
    super(problem.detail || problem.title || text('error.status', { status }));
    this.status = status;
    this.problem = problem;
  }
}

/* A request to /api/v1/PATH; answers the JSON, or null where there is none. options: method, json (an object to send),
 * body, headers, signal. Throws Refused, with a text for people. A 401 is told to the document as "earshot:signin". */
export async function api(path, { method, json, body, headers = {}, signal } = {}) {
  const options = { method: method ?? (json || body ? 'POST' : 'GET'), headers: { ...headers }, body, signal };
  options.headers.Accept = 'application/json';
  if (json !== undefined) {
    options.headers['Content-Type'] = 'application/json';
    options.body = JSON.stringify(json);
  }
  let answer;
  try {
    answer = await fetch(`/api/v1/${path}`, options);
  } catch (e) {
    if (e.name === 'AbortError') throw e;
    throw new Refused(0, { detail: text('error.offline') });
  }
  const content = await answer.text();
  let value = null;
  try {
    value = content ? JSON.parse(content) : null;
  } catch {
    value = { detail: content.slice(0, 200) };
  }
  if (answer.ok) return value;
  if (answer.status === 401) document.dispatchEvent(new Event('earshot:signin'));
  throw new Refused(answer.status, value ?? {});
}

/* An element: el('p', {class: 'note', hidden: true, onclick: f, 'aria-label': 'x'}, 'text', otherElement, null). */
export function el(tag, properties = {}, ...children) {
  const e = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined) continue;
    if (name.startsWith('on')) e.addEventListener(name.slice(2), value);
    else if (name === 'data') Object.assign(e.dataset, value);
    else if (typeof value === 'boolean') e.toggleAttribute(name, value);
    else e.setAttribute(name, value);
  }
  e.append(...children.flat().filter((c) => c !== null && c !== undefined));
  return e;
}

const SVG = 'http://www.w3.org/2000/svg';

export function svg(tag, attributes = {}, ...children) {
  const e = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) e.setAttribute(name, value);
  e.append(...children);
  return e;
}

/* A picture from a sprite, hidden from screen readers: the text beside it says the same. */
function sprite(file, id) {
  return svg(
    'svg',
    { class: 'icon', 'aria-hidden': 'true', viewBox: '0 0 24 24' },
    svg('use', { href: `${file}#${id}` }),
  );
}

/* The pictogram of a sound; setPictogram changes one that is there. */
export function pictogram(label, group) {
  return sprite('icons.svg', pictogramId(label, group));
}

export function setPictogram(icon, label, group) {
  icon.firstElementChild.setAttribute('href', `icons.svg#${pictogramId(label, group)}`);
}

function pictogramId(label, group) {
  if (OWN_ICON.has(label)) return label;
  if (GROUPS.has(group)) return group;
  return label === 'unknown' ? 'unknown' : 'background';
}

/* A picture of the page itself: play, sun, phone, ... */
export function symbol(id) {
  return sprite('ui.svg', id);
}

/* A sound's name: as the translation has it, as the model says, or made from its label. */
export function soundName(label, name) {
  if (hasText(`sound.${label}`)) return text(`sound.${label}`);
  if (name && name !== label) return name;
  const words = label.replaceAll('_', ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}

export const percent = (score) => `${Math.round(score * 100)} %`;

/* "−48": a true minus sign, as large as the plus. */
export const signed = (number, digits = 0) => number.toFixed(digits).replace('-', '−');

const locale = () => document.documentElement.lang || 'en';
const hours24 = { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' };

export function clockTime(time, seconds = true) {
  return new Date(time).toLocaleTimeString(locale(), seconds ? { ...hours24, second: '2-digit' } : hours24);
}

/* "Today", "Yesterday", "Friday, 20 November 2026" */
export function dayName(time) {
  const day = new Date(time);
  const midnight = new Date();
  midnight.setHours(0, 0, 0, 0);
  const days = Math.ceil((midnight - day) / 86400000);
  if (days <= 0) return text('day.today');
  if (days === 1) return text('day.yesterday');
  return day.toLocaleDateString(locale(), { weekday: 'long', day: 'numeric', month: 'long', year: 'numeric' });
}

/* "8 s", "3 min", "2 h 5 min" */
export function duration(seconds) {
  if (seconds < 9.95) return text('duration.s', { s: seconds.toFixed(1) });
  if (seconds < 99.5) return text('duration.s', { s: Math.round(seconds) });
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return text('duration.min', { min: minutes });
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return text('duration.h', { h: hours, min: minutes % 60 });
  return text('duration.days', { n: Math.round(hours / 24) });
}

/* Bytes of base64, as the API sends spectra. */
export function bytes(base64) {
  return Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
}

/* Never more often than every `ms`, but the last call is always carried out. */
export function throttled(ms, f) {
  let timer = 0;
  let next = null;
  const run = () => {
    timer = 0;
    if (!next) return;
    const args = next;
    next = null;
    timer = setTimeout(run, ms);
    f(...args);
  };
  return (...args) => {
    next = args;
    if (!timer) run();
  };
}
