/* The page's other views: history, a recording, settings, signing in. */
import { chmodSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { spawnSync } from 'node:child_process';
import { Box, ROOT, until, when } from './harness.mjs';
import { axe, openPage, past, show } from './page.mjs';

export const PHONE = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true, deviceScaleFactor: 2 };
const TOKEN = 'correct-horse-battery-staple-1234567';

async function historyView(run, box, page) {
  await show(page, 'history');
  await page.waitForSelector('#history .hour');
  const bars = () =>
    page.evaluate(() =>
      [...document.querySelectorAll('.hour .hidden-text')].map((e) => Number(/(\d+) sounds?$/.exec(e.textContent)[1])),
    );
  const sum = (list) => list.reduce((a, b) => a + b, 0);
  const { labels } = await box.api('counts?by=hour&hours=24');
  const all = sum(Object.values(labels).flat());
  /* The demo's eight sounds, and what else was told of it. */
  await run.check(`the chart has 24 hours and all ${all} sounds of them`, async () => {
    const now = await bars();
    return now.length === 24 && all >= 8 && sum(now) === all;
  });
  await run.check('  one sound alone: its numbers, and its events below', async () => {
    await page.click('.row[data-label="speech"]');
    await until(async () => sum(await bars()) === sum(labels.speech), 'its numbers', 5);
    await until(
      () =>
        page.evaluate(() => {
          const rows = [...document.querySelectorAll('#history .events > li strong')];
          return rows.length > 0 && rows.every((e) => e.textContent === 'Speech');
        }),
      'its events',
      5,
    );
  });
  await run.check('  by keyboard: arrows go through the hours, Enter chooses one', async () => {
    await page.focus('.hour[tabindex="0"]');
    await page.keyboard.press('ArrowLeft');
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('Enter');
    await when(page, () => document.activeElement.matches('.hour[aria-pressed="true"]'));
    return /:00$/.test(await page.innerText('#history .columns .card:last-child h2'));
  });
  await run.check('  three days', async () => {
    await page.click('#history .segmented label:nth-child(2)');
    await until(async () => (await bars()).length === 72, '72 hours', 5);
  });
  await run.check('  all of it as a table', async () => {
    await page.click('#history summary');
    return (await page.locator('#history tbody tr').count()) > 0;
  });
}

async function recording(run, box, page) {
  await show(page, 'try');
  const file = path.join(ROOT, 'models/demo.flac');
  const spans = () =>
    page.evaluate(() =>
      [...document.querySelectorAll('.lanes li')].map((e) => [e.innerText.trim(), e.querySelectorAll('.span').length]),
    );
  await run.check('a file that is chosen: its labels over time', async () => {
    await page.setInputFiles('#file', file);
    await page.waitForSelector('.lanes .span', { timeout: 30000 });
    const lanes = Object.fromEntries(await spans());
    if (!lanes['Smoke alarm'] || !lanes['Siren']) throw new Error(JSON.stringify(lanes));
  });
  await run.check('  as classify has it', async () => {
    const { stdout } = spawnSync(process.env.EARSHOT, ['classify', '--json', file], {
      env: { ...process.env, EARSHOT_MODELS: path.join(ROOT, 'models') },
    });
    const { events, top } = JSON.parse(stdout);
    const shown = await page.evaluate(() => [...document.querySelectorAll('#try .at')].map((e) => e.innerText.trim()));
    const wanted = events.map((e) => `${e.start_s.toFixed(1)}–${e.end_s.toFixed(1)} s`);
    if (shown.join() !== wanted.join()) throw new Error(`${shown}, not ${wanted}`);
    return (await page.locator('#try .columns .card:last-child li').count()) === top.length;
  });
  await run.check('  waveform and spectrogram are drawn', () =>
    page.evaluate(() =>
      ['.wave', '.spectrum'].every((name) => {
        const canvas = document.querySelector(name);
        const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
        const shades = new Set();
        for (let i = 0; i < data.length; i += 4)
          shades.add(data[i] | (data[i + 1] << 8) | (data[i + 2] << 16) | (data[i + 3] << 24));
        return shades.size > 20;
      }),
    ),
  );
  await run.check('  a sound’s button plays from there', async () => {
    await page.locator('#try .at').nth(2).click();
    await when(page, () => document.querySelector('#try audio').currentTime > 15, null, 5);
    await page.evaluate(() => document.querySelector('#try audio').pause());
  });
  await run.check('a file that is dropped', async () => {
    const data = await page.evaluateHandle(async () => {
      /* a second of a loud tone, as a browser hands it over */
      const rate = 16000;
      const bytes = new DataView(new ArrayBuffer(44 + 2 * rate));
      const word = (at, s) => [...s].forEach((c, i) => bytes.setUint8(at + i, c.charCodeAt(0)));
      word(0, 'RIFF');
      bytes.setUint32(4, 36 + 2 * rate, true);
      word(8, 'WAVEfmt ');
      bytes.setUint32(16, 16, true);
      bytes.setUint16(20, 1, true);
      bytes.setUint16(22, 1, true);
      bytes.setUint32(24, rate, true);
      bytes.setUint32(28, 2 * rate, true);
      bytes.setUint16(32, 2, true);
      bytes.setUint16(34, 16, true);
      word(36, 'data');
      bytes.setUint32(40, 2 * rate, true);
      for (let i = 0; i < rate; i++) bytes.setInt16(44 + 2 * i, 12000 * Math.sin(i * 0.4), true);
      const transfer = new DataTransfer();
      transfer.items.add(new File([bytes.buffer], 'tone.wav', { type: 'audio/wav' }));
      return transfer;
    });
    await page.dispatchEvent('.drop', 'drop', { dataTransfer: data });
    await when(page, () => document.querySelector('#h-file')?.textContent.startsWith('tone.wav'), null, 20);
  });
  await run.check('what is no sound is refused, in words', async () => {
    await page.setInputFiles('#file', {
      name: 'letter.wav',
      mimeType: 'audio/wav',
      buffer: Buffer.from('Dear Sir, this is no sound.'),
    });
    await page.waitForSelector('#try .problem:not([hidden])', { timeout: 10000 });
    return (await page.innerText('#try .problem')).startsWith('letter.wav: ');
  });
  page.problems = page.problems.filter((p) => !p.includes('/api/v1/classify')); /* the browser's own word on the 415 */
}

async function settings(run, box, page) {
  const field = (key) => page.locator(`[id="option-${key}"]`);
  const value = async (key) => (await box.api('settings')).settings.find((s) => s.key === key);
  await show(page, 'settings');
  await page.waitForSelector('.section');
  await run.check('every option of the table is there, with its help', async () => {
    const { settings: options } = await box.api('settings');
    const shown = await page.evaluate(() =>
      [...document.querySelectorAll('.option')].map((e) => e.querySelector('.help').textContent.length),
    );
    return shown.length === options.length && shown.length > 60 && shown.every((n) => n > 20);
  });
  const cooldown = 'decision.cooldown';
  await run.check('a setting is found, set, and set back', async () => {
    await page.fill('.options input[type=search]', cooldown);
    await field(cooldown).fill('90 s');
    await page.keyboard.press('Enter');
    await until(async () => (await value(cooldown)).value === '90 s', 'set', 5);
    await page.locator('.option:not([hidden]) .reset').click();
    await until(async () => (await value(cooldown)).value === '0 s', 'set back', 5);
    await until(async () => (await field(cooldown).inputValue()) === '0 s', 'shown', 5);
  });
  await run.check('  by others as well', async () => {
    box.publish('cooldown', '75');
    await until(async () => (await field(cooldown).inputValue()) === '75 s', 'shown', 5);
    box.publish('cooldown', '0');
    await until(async () => (await field(cooldown).inputValue()) === '0 s', 'shown', 5);
  });
  await run.check('what cannot be is refused with what is allowed', async () => {
    await field(cooldown).fill('a while');
    await page.keyboard.press('Enter');
    await page.waitForSelector('.option .problem:not([hidden])');
    const words = await page.locator('.option .problem:not([hidden])').innerText();
    if (!/0 to 86400/.test(words)) throw new Error(words);
    return (await field(cooldown).getAttribute('aria-invalid')) === 'true' && (await value(cooldown)).value === '0 s';
  });
  await run.shot(page, 'views-settings');
  await axe(run, 'settings, a value refused', page);
  await run.check('what the configuration file alone sets cannot be set here', () =>
    page.evaluate(() => document.querySelector('[id="option-mqtt.host"]').disabled),
  );
  await page.fill('.options input[type=search]', '');
}

async function manage(run, box, page) {
  await run.check('another model takes over', async () => {
    const from = box.mqtt.length;
    await page.click('.model:has(input[value="us8k-mfcc40"])');
    await box.heard('setting/model', (p) => p.includes('us8k-mfcc40'), from);
    await until(async () => (await box.api('status')).model.includes('us8k-mfcc40'), 'in use', 10);
    await page.click('.model:has(input[value="earshot-s"])');
    await until(async () => (await box.api('status')).model.includes('earshot-s'), 'and back', 10);
  });
  await run.check('a test event: who got it', async () => {
    const from = box.mqtt.length;
    await page.selectOption('#test-label', 'door_bell');
    await page.getByRole('button', { name: 'Send a test' }).click();
    await box.heard('event', (p) => p.includes('door_bell') && /"test": ?true/.test(p), from);
    await until(async () => /mqtt\s+acknowledged/i.test(await page.innerText('.reports')), 'the broker’s word', 10);
  });
  await run.check('  it stands in the list, marked as a test', async () => {
    await show(page, 'now');
    await when(page, () =>
      [...document.querySelectorAll('#view-now .events > li')].some(
        (e) => e.textContent.includes('Door bell') && e.querySelector('.tag')?.textContent === 'Test',
      ),
    );
    await show(page, 'settings');
  });
}

async function taught(run, box, page) {
  const list = page.locator('section:has(> #h-taught) ul');
  await show(page, 'now');
  await show(page, 'settings');
  await run.check('taught sounds: none yet', () =>
    until(async () => (await list.innerText()).includes('None yet'), 'none', 5),
  );
  const { status, stderr } = spawnSync(
    process.env.EARSHOT,
    ['teach', '--state-dir', path.join(box.dir, 'state'), 'my_clock', path.join(ROOT, 'tests/data/clock_digital.flac')],
    { env: { ...process.env, EARSHOT_MODELS: path.join(ROOT, 'models') }, timeout: 20000 },
  );
  if (status !== 0) throw new Error(`teach: ${stderr}`);
  await run.check('one that is taught is there, with its examples, and among the labels', async () => {
    await until(
      async () => (await box.api('status')).labels.some((l) => l.label === 'my_clock' && l.taught),
      'known',
      10,
    );
    await show(page, 'now');
    await show(page, 'settings');
    await until(async () => /My clock\s+1 example/.test(await list.innerText()), 'listed', 5);
  });
  await run.shot(page, 'views-taught');
  await run.check('  forgotten, once that was confirmed, by keyboard', async () => {
    await list.getByRole('button').focus();
    await page.keyboard.press('Enter');
    await page.waitForSelector('dialog[open]');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await until(async () => (await list.innerText()).includes('None yet'), 'gone', 5);
    return (await box.api('taught')).classes.length === 0;
  });
}

async function signIn(run) {
  let file;
  const box = await Box.start({
    config: '',
    before: (b) => {
      file = path.join(b.dir, 'token');
      writeFileSync(file, `${TOKEN}\n`);
      chmodSync(file, 0o600);
      b.options.args = [`--web.token_file=${file}`];
    },
  });
  try {
    const page = await run.page({ colorScheme: 'light' });
    const base = `http://box.test:${box.port}`; /* as it is reached from elsewhere */
    await page.goto(base);
    await run.check('where a token is wanted the page asks for it', () =>
      page.waitForSelector('dialog.signin[open]'),
    );
    await run.shot(page, 'views-signin');
    await run.axe('sign in', page);
    await run.check('  a wrong one: refused, in words', async () => {
      await page.fill('#token', 'wrong');
      await page.keyboard.press('Enter');
      await until(async () => (await page.innerText('#signin-problem')).length > 5, 'words', 5);
    });
    await run.check('  the right one: in', async () => {
      await page.fill('#token', TOKEN);
      const loaded = page.waitForEvent('load');
      await page.keyboard.press('Enter');
      await loaded;
      await when(page, () => document.documentElement.dataset.connection === 'open');
    });
    await run.check('  nothing of it is where a script could read it', () =>
      page.evaluate(
        (t) => document.cookie === '' && !JSON.stringify({ ...localStorage, ...sessionStorage }).includes(t),
        TOKEN,
      ),
    );
    const asked = page.waitForResponse((r) => r.url().endsWith('/api/v1/signin'));
    await show(page, 'settings');
    await page.getByRole('button', { name: 'Show the QR code' }).click();
    const { code } = await (await asked).json();
    await run.check('a QR code for the phone', async () => {
      await when(page, () => document.querySelector('.qr img')?.naturalWidth > 0);
    });
    await run.shot(page, 'views-qr');
    const phone = await run.page(PHONE);
    await run.check('  what it says signs the phone in, once, and does not stay in the address', async () => {
      await phone.goto(`${base}/#code=${code}`);
      await when(phone, () => document.documentElement.dataset.connection === 'open', null, 10);
      return !phone.url().includes('code');
    });
    const thief = await run.page(PHONE);
    await run.check('  a second time it does not', async () => {
      await thief.goto(`${base}/#code=${code}`);
      await thief.waitForSelector('dialog.signin[open]');
      await until(async () => (await thief.innerText('#signin-problem')).includes('used up'), 'words', 5);
    });
    await run.check('signed out: asked again', async () => {
      const loaded = page.waitForEvent('load');
      await page.getByRole('button', { name: 'Sign out' }).click();
      await loaded;
      await page.waitForSelector('dialog.signin[open]');
    });
    for (const p of [page, phone, thief]) await p.context().close();
  } finally {
    await box.stop();
  }
}

export default async function views(run) {
  const box = await Box.start({ before: (b) => past(b) });
  try {
    const page = await openPage(run, box);
    await historyView(run, box, page);
    await recording(run, box, page);
    await settings(run, box, page);
    await manage(run, box, page);
    await taught(run, box, page);
    page.problems = page.problems.filter((p) => !/settings/.test(p));
    await run.check(`no error in the console: ${page.problems.join('; ')}`, !page.problems.length);
    await page.context().close();
  } finally {
    await box.stop();
  }
  await signIn(run);
}
