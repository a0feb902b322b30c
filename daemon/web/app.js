/* The page: wires its views to the box. What each view does stands in a file of its own. */
import { api, el, loadTexts, symbol, text, translate } from './common.js';
import { connect } from './connection.js';
import { eventList } from './events.js';
import { startHero } from './hero.js';
import { lossNotice } from './signal.js';
import { signInByCode, startSignIn } from './signin.js';
import { startSound } from './sound.js';
import { startState } from './state.js';
import { startThreshold } from './threshold.js';
import { startTheme } from './themes.js';

const $ = (id) => document.getElementById(id);
/* Views that are loaded when they are first looked at. */
const LATER = { history: './history.js', try: './try.js', settings: './settings.js' };
const later = {};
let status = { labels: [] };

const announced = [];
/* To screen readers, politely; what comes at once is said together. A problem is shown as well. */
function say(words, problem = false) {
  announced.push(words);
  setTimeout(() => {
    if (announced.length) $('announce').replaceChildren(el('p', {}, announced.splice(0).join(' ')));
  }, 100);
  if (problem) toast(words);
}
function toast(words) {
  const note = el('p', { class: 'toast' }, symbol('warning'), words);
  document.body.append(note);
  setTimeout(() => note.remove(), 8000);
}

const labels = () => status.labels ?? [];
const shared = { labels, say, status: () => status, refresh: readStatus };

async function listen(listening) {
  try {
    await api('listening', { method: 'PUT', json: { listening } });
    say(text(listening ? 'listening.on' : 'listening.off'));
    await readStatus();
  } catch (e) {
    say(e.message, true);
  }
}

let parts = null;

async function readStatus() {
  try {
    status = await api('status');
  } catch {
    return; /* the stream says so as well */
  }
  parts.hero.status(status);
  parts.state.show(status);
  parts.sound.rate(status.input.rate);
  parts.threshold.floor(status.gate.floor_dbfs);
  parts.threshold.setting(status.gate.threshold);
  showListening();
  for (const view of Object.values(later)) view.status?.(status);
}
function showListening() {
  const button = $('listening');
  button.setAttribute('aria-checked', String(status.listening));
  button.replaceChildren(el('span', { class: 'knob' }), text(status.listening ? 'listening.is' : 'listening.not'));
}

/* --- views ----------------------------------------------------------------------------------------------------------
 * */

async function route() {
  const wanted = location.hash.slice(1).split('=')[0];
  const name = $(`view-${wanted}`) ? wanted : 'now';
  for (const view of document.querySelectorAll('.view')) view.hidden = view.id !== `view-${name}`;
  for (const link of document.querySelectorAll('.tabs a')) {
    if (link.hash === `#${name}`) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  document.title = `${text(`nav.${name}`)} · earshot${status.node ? ` ${status.node}` : ''}`;
  if (name in LATER) {
    later[name] ??= (await import(LATER[name])).start($(name), shared);
    later[name].open?.();
  }
  return name;
}
async function onHash() {
  if (await signInByCode()) return location.reload();
  const name = await route();
  if (location.hash === '#state') $('h-state').focus();
  else {
    $(`h-${name}`).focus({ preventScroll: true });
    scrollTo(0, 0);
  }
}

/* --- plain http
 * ------------------------------------------------------------------------------------------------------ */

function startInsecure() {
  if (isSecureContext || sessionStorage.getItem('insecure')) return;
  const bar = $('insecure');
  bar.hidden = false;
  bar.append(
    symbol('warning'),
    el(
      'details',
      {},
      el('summary', {}, text('insecure.short')),
      el('p', {}, text('insecure.missing')),
      el('p', {}, text('insecure.how')),
      el('pre', {}, text('insecure.conf')),
      el('p', {}, text('insecure.certificate')),
    ),
    el(
      'button',
      {
        type: 'button',
        class: 'close',
        'aria-label': text('close'),
        onclick: () => {
          sessionStorage.setItem('insecure', '1');
          bar.hidden = true;
          $('main').focus();
        },
      },
      symbol('cross'),
    ),
  );
}

/* --- start
 * ----------------------------------------------------------------------------------------------------------- */

function startParts() {
  const hero = startHero({ say, listen: () => listen(true) });
  const list = eventList($('events'), { labels, say, live: true, onFirst: (e) => hero.last(e) });
  const threshold = startThreshold({ meterBox: $('meter') });
  const sound = startSound({
    onLevel: (level) => {
      threshold.floor(level.floor_dbfs);
      hero.gate(level.gate === 'open');
    },
  });
  startTheme($('theme'), () => {
    sound.draw();
    for (const view of Object.values(later)) view.theme?.();
  });
  $('listening').addEventListener('click', () => listen(!status.listening));
  return { hero, list, threshold, sound, state: startState() };
}

function startStream() {
  const notice = lossNotice($('lost'));
  let wasOpen = false;
  connect({
    onEvent(e) {
      parts.hero.event(e);
      parts.list.event(e);
      parts.sound.event(e);
      later.history?.event?.(e);
    },
    onStatus: readStatus,
    onSetting({ name, value }) {
      if (name === 'threshold') parts.threshold.setting(value);
      if (name === 'listening' || name === 'model') readStatus();
      later.settings?.setting?.(name, value);
    },
    onAck: (a) => parts.hero.acknowledged(a),
    onVerdict(v) {
      parts.list.verdict(v);
      later.history?.verdict(v);
    },
    onState(state) {
      notice(state);
      parts.hero.connection(state.state);
      if (state.state === 'lost') parts.state.lost();
      if (state.state === 'signed_out') document.dispatchEvent(new Event('earshot:signin'));
      if (state.state !== 'open') return;
      say(text(wasOpen ? 'connection.found' : 'connection.open'));
      wasOpen = true;
      readStatus();
      if (status.history?.enabled !== false) parts.list.load(); /* else there is nothing but what was seen here */
    },
  });
}

async function start() {
  await loadTexts();
  translate();
  startSignIn();
  parts = startParts();
  await signInByCode();
  await route();
  addEventListener('hashchange', onHash);
  startInsecure();
  startStream();
  setInterval(() => document.visibilityState === 'visible' && readStatus(), 15000);
}
start();
