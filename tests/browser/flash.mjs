/* The flash view: it shows an alarm, in time, until somebody has seen it, and says when it cannot. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Box, ROOT, sleep, until, when } from './harness.mjs';

const GUARD_MS = 800; /* a press within 0.7 s of the alarm is none */
const pane = (label) => `.pane[data-look="${label}"]`;

async function open(run, box, options, base = box.url) {
  const page = await run.page(options);
  await page.addInitScript(() => {
    /* to take the wake lock away as the browser does */
    const request = navigator.wakeLock?.request.bind(navigator.wakeLock);
    if (request) navigator.wakeLock.request = async (kind) => (window.lock = await request(kind));
    const vibrate = navigator.vibrate.bind(navigator);
    window.buzzes = [];
    navigator.vibrate = (pattern) => vibrate(pattern) && window.buzzes.push(pattern);
  });
  await page.goto(`${base}/flash`);
  await when(page, () => document.documentElement.dataset.connection === 'open');
  return page;
}

/* The next eight changes of the panes' colours from one frame to the next, or as many as come in so many seconds: how many, the flashes a second
   (two changes each) between the first and the last, and the most changes in a second. */
const flashes = (page, seconds) => page.evaluate((s) => new Promise((done) => {
  const began = performance.now();
  const changes = [];
  let last = null;
  const look = (now) => {
    const colours = [...document.querySelectorAll('.pane')].map((p) => getComputedStyle(p).backgroundColor).join();
    if (last !== null && colours !== last) changes.push(now);
    last = colours;
    if (changes.length < 8 && now - began < s * 1000) return requestAnimationFrame(look);
    const n = changes.length;
    done({
      n,
      rate: n > 1 ? (n - 1) * 500 / (changes[n - 1] - changes[0]) : 0,
      most: Math.max(0, ...changes.map((t) => changes.filter((u) => u >= t && u < t + 1000).length)),
    });
  };
  requestAnimationFrame(look);
}), seconds);

const gone = (page, selector = '.pane') => when(page, (s) => !document.querySelector(s), selector, 5);

async function idle(run, box, page) {
  await run.check('idle: it says that it listens', async () => {
    await when(page, () => document.documentElement.dataset.ear === 'ok');
    return (await page.textContent('#ear')).includes('Listening');
  });
  await run.check('  the clock goes, and the level moves', async () => {
    const looks = () => page.evaluate(() => [document.querySelector('#clock').textContent, document.querySelector('#level .bar').style.width]);
    const [clock, width] = await looks();
    await until(async () => {
      const [c, w] = await looks();
      return c !== clock && w !== width && w !== '';
    }, 'both', 5);
  });
  await run.check('  the screen is kept on, also after the browser let go of it', async () => {
    const awake = (is) => when(page, (want) => document.documentElement.dataset.awake === want, is, 5);
    await awake('yes');
    await page.evaluate(() => window.lock.release());
    await awake('no');
    await awake('yes');
  });
  await run.check('  a full screen, and back', async () => {
    for (const is of [true, false]) {
      await page.click('#full');
      await when(page, (want) => Boolean(document.fullscreenElement) === want, is, 5);
    }
  });
  await run.check('  it can be installed', async () => {
    const cdp = await page.context().newCDPSession(page);
    const manifest = await cdp.send('Page.getAppManifest');
    const { installabilityErrors } = await cdp.send('Page.getInstallabilityErrors');
    /* a test's context is a private window, in which nothing is ever installed */
    const faults = [...manifest.errors.map((e) => e.message), ...installabilityErrors.map((e) => e.errorId).filter((e) => e !== 'in-incognito')];
    if (faults.length || !manifest.url) throw new Error(faults.join(', '));
  });
  await run.shot(page, 'flash-idle');
  await run.axe('flash, idle, dark', page);
}

/* A sound, not a test event; seen by two, acknowledged by one. */
async function alarm(run, box, page, other) {
  const from = box.mqtt.length;
  box.play('tests/data/smoke_t3.flac');
  await run.check('a smoke alarm that sounds is shown', () => page.waitForSelector(pane('smoke_alarm'), { timeout: 15000 }));
  const { payload } = await box.heard('event', (p) => p.includes('"start"') && p.includes('smoke_alarm'), from);
  const id = JSON.parse(payload).event_id;
  await run.check('  in words, and as no test', async () => {
    const words = await page.innerText(pane('smoke_alarm'));
    return words.includes('Smoke alarm') && !words.includes('TEST');
  });
  await run.check('  to a second viewer as well', () => other.waitForSelector(pane('smoke_alarm')));
  await run.check('  and felt, where the device vibrates', () => when(page, () => window.buzzes.some((b) => Array.isArray(b)), null, 5));
  await run.shot(page, 'flash-alarm');
  const { n, rate, most } = await flashes(page, 20);
  await run.check(`  it flashes under 3 times a second: ${rate.toFixed(2)} a second, in no second more than ${most} changes`,
    n === 8 && rate < 3 && most < 6);
  await run.axe('flash, alarm', page);
  await page.reload();
  await run.check('  after a reload it is still there', () => page.waitForSelector(pane('smoke_alarm')));
  const fresh = await open(run, box, { viewport: { width: 390, height: 844 }, hasTouch: true });
  await run.check('  also for a viewer who comes only now', () => fresh.waitForSelector(pane('smoke_alarm')));
  await run.shot(fresh, 'flash-alarm-phone');
  await run.axe('flash, alarm, phone', fresh);
  await sleep(GUARD_MS);
  await fresh.click(`${pane('smoke_alarm')} .seen`);
  await run.check('acknowledged by one: gone for all', () => Promise.all([page, other, fresh].map((p) => gone(p, pane('smoke_alarm')))));
  await run.check('  and told by MQTT', () => box.heard('setting/ack', (p) => p.includes(id), from));
  await run.check('  it stays away after a reload', async () => {
    await page.reload();
    await when(page, () => document.documentElement.dataset.ear === 'ok');
    return (await page.locator(pane('smoke_alarm')).count()) === 0;
  });
  await sleep(2000); /* what else the model took it for */
  box.publish('ack', 'all');
  await Promise.all([page, other].map((p) => gone(p)));
  await fresh.context().close();
}

async function several(run, box, page, other) {
  await box.test('door_bell');
  await box.test('co_alarm');
  await box.test('crying_baby');
  await run.check('three alarms at once are three panes, each as a test', async () => {
    await when(page, () => document.querySelectorAll('.pane').length === 3, null, 5);
    return (await page.locator('.pane .badge:visible').count()) === 3;
  });
  await run.check('  of three colours', async () =>
    (await page.evaluate(() => new Set([...document.querySelectorAll('.pane')].map((p) => getComputedStyle(p).getPropertyValue('--look'))).size)) === 3);
  const { n, rate, most } = await flashes(page, 20);
  await run.check(`  that flash as one: ${rate.toFixed(2)} a second`, n === 8 && rate < 3 && most < 6);
  await run.shot(page, 'flash-three');
  await run.axe('flash, three alarms', page);
  await run.check('an acknowledgement that comes by MQTT counts here too', async () => {
    box.publish('ack', 'door_bell');
    await Promise.all([gone(page, pane('door_bell')), gone(other, pane('door_bell'))]);
    return (await page.locator('.pane').count()) === 2;
  });
  await run.check('by keyboard alone: the newest is at hand, Enter acknowledges, and the next is', async () => {
    await sleep(GUARD_MS);
    for (let left = 1; left >= 0; left--) {
      await when(page, () => document.activeElement?.classList.contains('seen'));
      await page.keyboard.press('Enter');
      await when(page, (n) => document.querySelectorAll('.pane').length === n, left, 5);
    }
  });
  await run.check('  a screen reader is told', () =>
    when(page, () => /acknowledged/.test(document.querySelector('#announce').textContent)));
}

async function settings(run, box, page) {
  await run.check('the settings open by keyboard, and a sound more is chosen', async () => {
    await page.focus('#settings');
    await page.keyboard.press('Enter');
    await page.waitForSelector('#settings-box[open]');
    await page.focus('#settings-box input[value=dog_bark]');
    await page.keyboard.press('Space');
  });
  await run.shot(page, 'flash-settings');
  await run.axe('flash, settings', page);
  await page.evaluate(() => new MutationObserver((_, observer) => {
    const button = document.querySelector('.seen');
    if (!button) return;
    observer.disconnect();
    button.click();
    window.pressed = true;
  }).observe(document.querySelector('#panes'), { childList: true }));
  await run.check('  it is shown from now on, settings closed', async () => {
    await box.test('dog_bark');
    await page.waitForSelector(pane('dog_bark'));
    return !(await page.isVisible('#settings-box'));
  });
  await run.check('  a press in the moment that it comes up acknowledges nothing', async () =>
    (await page.evaluate(() => window.pressed)) && (await page.isVisible(pane('dog_bark'))));
  await page.emulateMedia({ reducedMotion: 'reduce', colorScheme: 'light' });
  await when(page, () => document.documentElement.dataset.flash === 'steady');
  await sleep(100);
  const { n } = await flashes(page, 1.5);
  await run.check('where less motion is asked for nothing flashes, and a frame stands in for it', async () =>
    n === 0 && (await page.evaluate(() => parseFloat(getComputedStyle(document.querySelector('.pane')).borderTopWidth) > 10)));
  await run.shot(page, 'flash-steady');
  await run.check('a sound that was taught a moment ago is shown, with a pictogram of its own', async () => {
    box.earshot('teach', 'Küchen-Ping & Co', path.join(ROOT, 'tests/data/clock_digital.flac'));
    await until(async () => (await box.api('status')).labels.some((l) => l.taught), 'taught');
    await box.test('kuechen_ping_co');
    await page.waitForSelector(`${pane('kuechen_ping_co')} use[href="icons.svg#taught"]`);
  });
  await run.check('  called as its teacher wrote it', async () => {
    const said = await page.innerText(pane('kuechen_ping_co'));
    if (!said.includes('Küchen-Ping & Co')) throw new Error(said);
  });
  await sleep(GUARD_MS);
  for (let left = await page.locator('.pane').count(); left; left--) {
    await page.locator('.seen').first().press('Enter');
    await when(page, (n) => document.querySelectorAll('.pane').length < n, left, 5);
  }
  await run.axe('flash, idle, light', page);
}

async function microphone(run, box, page) {
  await run.check('switched off: it says that it does not listen', async () => {
    box.publish('listening', 'OFF');
    await when(page, () => document.documentElement.dataset.ear === 'off', null, 5);
  });
  await run.shot(page, 'flash-off');
  box.publish('listening', 'ON');
  await when(page, () => document.documentElement.dataset.ear === 'ok');
}

async function lost(run, box, page) {
  await page.keyboard.press('Shift'); /* a page that was touched once may sound */
  await page.evaluate(() => navigator.serviceWorker.ready);
  await sleep(500);
  await box.test('siren');
  await page.waitForSelector(pane('siren'));
  await box.kill();
  await run.check('connection lost with an alarm up: said, and the alarm stays', async () => {
    await page.waitForSelector('#lost:not([hidden])', { timeout: 10000 });
    return page.isVisible(pane('siren'));
  });
  await run.check('  heard', () => when(page, () => window.tones.length > 0, null, 3));
  await run.shot(page, 'flash-lost-alarm');
  await page.focus('.seen');
  await page.keyboard.press('Enter');
  await page.waitForSelector('.pane .problem:not([hidden])');
  await page.keyboard.press('Enter');
  await run.check('  it can be hidden here all the same', () => gone(page));
  await run.check('  then nothing else is to be seen than that', async () => {
    const { height } = await page.locator('#lost').boundingBox();
    return height > 300 && !(await page.isVisible('#level'));
  });
  await run.shot(page, 'flash-lost');
  await run.axe('flash, connection lost', page);
  const late = await page.context().newPage();
  await run.check('opened while the box is away, it says so itself', async () => {
    await late.goto(`${box.url}/flash`);
    await late.waitForSelector('#lost:not([hidden])', { timeout: 10000 });
  });
  await run.shot(late, 'flash-lost-opened');
  await box.boot();
  await run.check('connection found: both views go on by themselves', () => Promise.all([page, late].map((p) =>
    when(p, () => document.documentElement.dataset.ear === 'ok', null, 20))));
  await run.check('  heard', () => when(page, () => window.tones.length > 1, null, 3));
  await late.close();
}

/* What the parts do by themselves, in the browser that runs them. */
async function rules(run, page) {
  await run.check('the stream is read right however it is cut into pieces', () => page.evaluate(async () => {
    const { sseParser } = await import('/connection.js');
    const whole = ': beat\n\nid: 7\nevent: event\r\ndata: {"a":\r\ndata: 1}\r\n\r\rdata:x\r\r:\ndata: half';
    for (let size = 1; size <= whole.length; size++) {
      const got = [];
      const parse = sseParser((m) => got.push(`${m.type} ${m.id} ${m.data}`));
      for (let at = 0; at < whole.length; at += size) parse(whole.slice(at, at + size));
      if (got.join('|') !== 'event 7 {"a":\n1}|message 7 x') throw new Error(`${size}: ${JSON.stringify(got)}`);
    }
  }));
  await run.check('what goes, what stays: acknowledged elsewhere, a restart, sounds of one label, a choice', () => page.evaluate(async () => {
    const { Alarms } = await import('/alarms.js');
    const expect = (what, is, wanted) => {
      if (JSON.stringify(is) !== JSON.stringify(wanted)) throw new Error(`${what}: ${JSON.stringify(is)}, not ${JSON.stringify(wanted)}`);
    };
    const chosen = new Set(['siren', 'smoke_alarm']);
    const fresh = () => new Alarms({ chosen: (l) => chosen.has(l), changed: () => {} });
    const event = (event_id, label, event_type = 'start', more = {}) =>
      ({ event_id, label, event_type, score: 0.9, start: new Date().toISOString(), ...more });
    const up = (a) => a.up.map((x) => `${x.label}:${x.sounds.map((s) => s.id)}`);
    const run1 = { now: '2026-11-21T12:00:00Z', uptime_s: 60 };
    localStorage.removeItem('earshot.flash.up');
    let a = fresh();
    a.status({ ...run1, alarms: [event('1', 'siren')] });
    a.event(event('2', 'siren'));
    a.event(event('2', 'siren', 'update'));
    a.event(event('3', 'smoke_alarm'));
    a.event(event('4', 'cat'));
    a.event(event('7', 'unknown'));
    a.event(event('5', 'smoke_alarm', 'end'));
    expect('sounds of one label are one alarm', up(a), ['siren:1,2', 'smoke_alarm:3']);
    a = fresh();
    expect('a reload keeps them', up(a), ['siren:1,2', 'smoke_alarm:3']);
    a.status({ ...run1, alarms: [event('2', 'siren', 'start', { acknowledged: false })] });
    expect('1 was told to be up, and is no more; 3 was never listed', up(a), ['siren:2', 'smoke_alarm:3']);
    a.status({ now: '2026-11-21T12:05:00Z', uptime_s: 5, alarms: [] });
    expect('a daemon that was restarted knows of none', up(a), ['siren:2', 'smoke_alarm:3']);
    a.acknowledged({ event_id: '2', by: 'mqtt' });
    expect('acknowledged, and sounds on', [up(a), [...a.ringing.keys()]], [['smoke_alarm:3'], ['2']]);
    a.event(event('2', 'siren', 'end'));
    expect('until it ends', [...a.ringing.keys()], []);
    a.event(event('6', 'siren'));
    a.acknowledged({ label: 'siren' });
    expect('by label', up(a), ['smoke_alarm:3']);
    chosen.delete('smoke_alarm');
    a.choose();
    expect('not chosen any more', up(a), []);
    a = fresh();
    expect('nor after a reload', up(a), []);
  }));
}

/* Over plain http from another name than this machine's own. */
async function insecure(run, box) {
  const page = await open(run, box, { viewport: { width: 390, height: 844 }, colorScheme: 'light' }, `http://box.test:${box.port}`);
  await run.check('over plain http it says what is missing', async () => {
    await page.click('#lack');
    const words = await page.innerText('#lack-box');
    return ['screen may go dark', 'Cannot be installed', 'tls_cert'].every((w) => words.includes(w));
  });
  await run.shot(page, 'flash-http');
  await run.axe('flash over http, light, phone', page);
  await page.context().close();
}

/* A screen that is not signed in sees no alarm: as bad as no connection, and looks like it. */
async function signedOut(run) {
  const dir = mkdtempSync(path.join(tmpdir(), 'earshot-token-'));
  const token = 'a-token-of-the-test-alone';
  writeFileSync(path.join(dir, 'token'), token, { mode: 0o600 });
  const box = await Box.start({ config: `token_file = ${path.join(dir, 'token')}\n` });
  try {
    const page = await run.page();
    await page.goto(`${box.url}/flash`);
    await run.check('not signed in: said as plainly as a lost connection, and asked for', async () => {
      await page.waitForSelector('#lost:not([hidden])');
      await page.waitForSelector('dialog.signin[open]');
      return (await page.innerText('#lost')).includes('Not signed in');
    });
    await run.shot(page, 'flash-signin');
    await run.axe('flash, not signed in', page);
    await run.check('  with the token it goes on', async () => {
      await page.fill('dialog.signin input', token);
      await page.keyboard.press('Enter');
      await until(() => page.evaluate(() => document.documentElement.dataset.ear === 'ok').catch(() => false), 'ear', 10);
    });
  } finally {
    await box.stop();
    rmSync(dir, { recursive: true });
  }
}

export default async function flash(run) {
  const box = await Box.start();
  try {
    const page = await open(run, box);
    const { bytes, outside, files } = await run.weight(page, box.url);
    await run.check(`the flash view weighs 150 kB at most: ${(bytes / 1000).toFixed(1)} kB in ${files} files`, files > 5 && bytes <= 150000);
    await run.check(`  and asks nobody else for anything${outside.map((u) => `: ${u}`)}`, outside.length === 0);
    const other = await open(run, box, { reducedMotion: 'reduce' });
    await rules(run, page);
    await idle(run, box, page);
    await alarm(run, box, page, other);
    await several(run, box, page, other);
    await other.context().close();
    await settings(run, box, page);
    await microphone(run, box, page);
    await insecure(run, box);
    await run.check(`no error in the console: ${page.problems.join('; ')}`, page.problems.length === 0);
    await lost(run, box, page);
  } finally {
    await box.stop();
  }
  await signedOut(run);
}
