/* The flash view: a screen on the wall or in the hand that is seen across the room when there is an alarm. */
import { api, clockTime, el, loadTexts, pictogram, soundName, text, translate } from './common.js';
import { connect, stream } from './connection.js';
import { lossNotice, vibrate } from './signal.js';
import { signInByCode, startSignIn } from './signin.js';
import { Alarms } from './alarms.js';
import { Panes } from './panes.js';
import { awake, keepShell, lacks, stayAwake } from './awake.js';
import { chosen, groupOf, isKnown, learnLabels, openSettings, runTest, vibrates } from './flash_settings.js';

const OLD_MS = 30000; /* an event that comes this late was missed: whether it is still to be shown, the box says */
const MISSED_MS = 15 * 60000;
const REFRESH_MS = 60000;
const $ = (id) => document.getElementById(id);

await loadTexts();
translate();
document.title = text('flash.title');
await signInByCode();
startSignIn();

const heard = { listening: null, input: null, problem: null };
let ahead = 0; /* the box's clock against ours, ms */
let vibrating = null;

/* --- alarms ------------------------------------------------------------------------------------------------------- */

const panes = new Panes($('panes'), acknowledge);
const alarms = new Alarms({ chosen, changed: show });

async function acknowledge(alarm, here) {
  const ids = alarm.sounds.map((s) => s.id);
  for (const id of here ? [] : ids) {
    try {
      await api(`events/${encodeURIComponent(id)}/ack`, { method: 'POST', json: {} });
    } catch (e) {
      if (e.status !== 404) throw e; /* 404: the box was restarted and knows nothing of it: gone here is gone */
    }
  }
  alarms.acknowledged({ events: ids.map((event_id) => ({ event_id })) });
  say(text('flash.acknowledged', { name: soundName(alarm.label, alarm.name) }));
}

function show() {
  const { up, ringing } = alarms;
  if (up.length) for (const box of document.querySelectorAll('dialog[open]')) box.close();
  if (panes.show(up)) say(up.map((a) => soundName(a.label, a.name)).join(', '));
  document.documentElement.dataset.alarms = up.length ? 'up' : 'none';
  document.title = up.length ? `▲ ${up.map((a) => soundName(a.label, a.name)).join(', ')}` : text('flash.title');
  $('idle').hidden = up.length > 0;
  $('ringing').hidden = !ringing.size;
  $('ringing').replaceChildren(...[...ringing.values()].map((a) => el('li', {}, pictogram(a.label, a.group),
    el('span', {}, text('flash.still', { name: soundName(a.label, a.name), time: clockTime(a.start) })))));
  clearInterval(vibrating);
  vibrating = null;
  if (!up.length || !vibrates()) {
    vibrate(0);
    return;
  }
  const buzz = () => vibrate([600, 250, 600]);
  buzz();
  vibrating = setInterval(buzz, 2500);
}

async function onEvent(e) {
  /* taught a moment ago? */
  if (!isKnown(e.label) && !e.alarm && e.label !== 'unknown' && e.event_type !== 'update') await refresh();
  e.group = groupOf(e.label, e.group);
  const age = Date.now() + ahead - Date.parse(e.start);
  if (e.event_type === 'start') {
    const name = soundName(e.label, e.name);
    $('last').textContent = text('flash.last', { name, time: clockTime(e.start) });
    if (e.notified === false) return null; /* held back by its cooldown */
    if (age > OLD_MS && e.alarm) return refresh();
    if (age > MISSED_MS) return null;
    if (e.alarm) setTimeout(refresh, 3000); /* the box lists it: from then on its word on it counts */
  }
  return alarms.event(e);
}

/* --- how the box is ----------------------------------------------------------------------------------------------- */

async function refresh() {
  let status;
  try {
    status = await api('status');
  } catch {
    return; /* the stream tells that the connection is gone */
  }
  ahead = Date.parse(status.now) - Date.now();
  learnLabels(status.labels);
  Object.assign(heard, { listening: status.listening, input: status.input.state, problem: status.input.problem });
  alarms.status(status);
  showEar();
  showLacks(status.tls);
}

function showEar() {
  const state = document.documentElement.dataset.connection;
  const kind = state !== 'open' || heard.listening === null ? 'unknown'
    : !heard.listening ? 'off' : heard.input !== 'ok' ? 'lost' : 'ok';
  document.documentElement.dataset.ear = kind;
  $('ear').querySelector('use').setAttribute('href', `ui.svg#${kind === 'ok' || kind === 'unknown' ? 'mic' : 'mic-off'}`);
  const words = text(`flash.ear-${kind}`);
  const line = kind === 'lost' && heard.problem ? `${words}: ${heard.problem}` : words;
  if ($('ear').lastElementChild.textContent !== line) $('ear').lastElementChild.textContent = line;
}

const notice = lossNotice($('lost'), { signedOut: true });
function onState(change) {
  notice(change);
  showEar();
  if (change.state === 'open') refresh();
  if (change.state === 'signed_out') document.dispatchEvent(new Event('earshot:signin'));
  else document.querySelector('dialog.signin')?.close(); /* signed in on another tab */
}

function onStatus(s) {
  const worse = s.input_state !== 'ok' && heard.input === 'ok';
  heard.listening = s.listening ?? heard.listening;
  heard.input = s.input_state ?? heard.input;
  heard.problem = null;
  showEar();
  say($('ear').textContent);
  if (worse) refresh();
}

/* --- alive -------------------------------------------------------------------------------------------------------- */

let levels = null;
let lastLevel = 0;
function onLevel(type, l) {
  if (type !== 'level' || l.rms_dbfs === null) return;
  const place = (dbfs) => `${Math.max(0, Math.min(1, (dbfs + 90) / 90)) * 100}%`;
  const meter = $('level');
  meter.querySelector('.bar').style.width = place(l.rms_dbfs);
  meter.querySelector('.mark').hidden = l.threshold_dbfs === null;
  meter.querySelector('.mark').style.left = place(l.threshold_dbfs ?? -90);
  meter.dataset.gate = l.gate;
  if (Date.now() - lastLevel < 1000) return;
  lastLevel = Date.now();
  meter.setAttribute('aria-valuenow', String(Math.round(Math.max(-90, Math.min(0, l.rms_dbfs)))));
  meter.setAttribute('aria-valuetext', text('flash.level-is', { dbfs: Math.round(l.rms_dbfs) }));
}

/* The level is asked for only while somebody can see it: it costs the box a little. */
function watchLevel() {
  const seen = document.visibilityState === 'visible';
  if (seen && !levels) levels = stream('/api/v1/levels/stream', { onMessage: onLevel });
  if (!seen && levels) {
    levels.close();
    levels = null;
  }
}

function tick() {
  const now = new Date();
  const seconds = String(now.getSeconds()).padStart(2, '0');
  $('clock').dateTime = now.toISOString();
  $('clock').replaceChildren(clockTime(now, false), el('small', { 'aria-hidden': 'true' }, seconds));
  $('date').textContent = now.toLocaleDateString(document.documentElement.lang, { weekday: 'long', day: 'numeric', month: 'long' });
  if (Date.now() - lastLevel > 3000) $('level').querySelector('.bar').style.width = '0';
  if (now.getSeconds() === 0) drift(now.getMinutes());
  setTimeout(tick, 1000 - (Date.now() % 1000));
}

/* A little to and fro, a step a minute; where less motion is asked for a step is no motion either. */
function drift(minute) {
  const around = (minute / 60) * 2 * Math.PI;
  $('idle').style.setProperty('--drift-x', `${Math.round(12 * Math.sin(7 * around))}px`);
  $('idle').style.setProperty('--drift-y', `${Math.round(8 * Math.cos(5 * around))}px`);
}

let said = null;
function say(words) {
  clearTimeout(said);
  $('announce').textContent = '';
  said = setTimeout(() => ($('announce').textContent = words), 100);
}

/* --- what is missing here, settings ------------------------------------------------------------------------------- */

let tls = location.protocol === 'https:';
function showLacks(known = tls) {
  tls = known;
  const missing = lacks();
  const button = $('lack');
  button.hidden = !missing.length;
  const words = missing.length ? text(`lack.${missing[0]}`) : '';
  if (button.lastElementChild.textContent !== words) button.lastElementChild.textContent = words;
  document.documentElement.dataset.awake = awake() ? 'yes' : 'no';
}

function openLacks() {
  const box = $('lack-box');
  const missing = lacks();
  const close = el('button', { type: 'button', class: 'primary', onclick: () => box.close() }, text('flash.close'));
  const https = isSecureContext ? [] : [el('h3', {}, text('lack.tls')), el('p', {}, text('lack.tls-how')),
    el('pre', { tabindex: '0' }, '[web]\ntls_cert = /etc/earshot/cert.pem\ntls_key = /etc/earshot/key.pem'), el('p', {}, text('lack.tls-then'))];
  box.replaceChildren(el('h2', { id: 'lack-title' }, text('lack.title')),
    el('dl', {}, missing.flatMap((m) => [el('dt', {}, text(`lack.${m}`)),
      el('dd', {}, text(isSecureContext || !['awake', 'install'].includes(m) ? `lack.${m}-why` : `lack.${m}-http`))])),
    ...https, el('p', { class: 'end' }, close));
  box.showModal();
}

$('settings').addEventListener('click', () => openSettings($('settings-box'), () => {
  alarms.choose();
  refresh();
}));
$('lack').addEventListener('click', openLacks);
$('test').addEventListener('click', async () => {
  $('note').textContent = text('flash.testing');
  $('note').textContent = await runTest();
});
if (!document.documentElement.requestFullscreen) $('full').hidden = true;
$('full').addEventListener('click', () => {
  if (document.fullscreenElement) document.exitFullscreen();
  else document.documentElement.requestFullscreen().catch((e) => ($('note').textContent = e.message));
});
for (const what of ['earshot-awake', 'pointerdown', 'keydown']) addEventListener(what, () => setTimeout(showLacks, 300));

tick();
show();
showLacks();
stayAwake();
keepShell();
connect({ onEvent, onStatus, onAck: (a) => alarms.acknowledged(a), onState });
watchLevel();
document.addEventListener('visibilitychange', watchLevel);
setInterval(refresh, REFRESH_MS);
