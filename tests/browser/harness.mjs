/* A real daemon that hears what a test plays to it, a real broker, a real browser. */
import { createRequire } from 'node:module';
import { spawn, spawnSync } from 'node:child_process';
import { createServer } from 'node:net';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

/* Packages lie in a cache outside the tree (tests/system/browser.sh). */
const require = createRequire(path.join(process.env.BROWSER_MODULES, 'x'));
const { chromium } = require('playwright-core');
const AXE = require.resolve('axe-core/axe.min.js');

export const ROOT = path.resolve(import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname), '../..');
const OUT = process.env.BROWSER_OUT ?? path.join(ROOT, 'build/browser');
const EARSHOT = process.env.EARSHOT ?? path.join(ROOT, 'build/earshot');
const RATE = 16000;
const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync', '--hide-scrollbars', '--disable-dev-shm-usage', '--mute-audio',
  '--autoplay-policy=user-gesture-required', '--host-resolver-rules=MAP box.test 127.0.0.1'];

export const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

/* How many times longer than on an idle machine anything is waited for: no promise of how soon it comes is tested. */
const PATIENCE = 4;

/* Answers what f answers as soon as that is true; throws after so many seconds, on an idle machine. */
export async function until(f, what, seconds = 10) {
  const end = Date.now() + seconds * PATIENCE * 1000;
  for (;;) {
    const got = await f();
    if (got) return got;
    if (Date.now() > end) throw new Error(`${what}: not within ${seconds * PATIENCE} s`);
    await sleep(20);
  }
}

/* Until f(arg), evaluated in the page, is true. (Playwright's waitForFunction evaluates text within the page, which its policy forbids.) */
export const when = (page, f, arg, seconds = 10) => until(() => page.evaluate(f, arg), String(f), seconds);

/* Until a thing stays where it is: what comes in above it moves it. */
export async function settled(locator) {
  let last = '';
  await until(async () => {
    const now = JSON.stringify(await locator.boundingBox());
    const same = now === last;
    last = now;
    await sleep(300);
    return same;
  }, `${locator} at rest`);
}

async function freePort() {
  const server = createServer();
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address();
  await new Promise((done) => server.close(done));
  return port;
}

/* 16-bit samples of a recording, at 16 kHz. */
export function recording(file) {
  const sox = spawnSync('sox', [path.join(ROOT, file), '-r', RATE, '-c', '1', '-b', '16', '-e', 'signed', '-t', 'raw', '-'],
    { maxBuffer: 1 << 28 });
  if (sox.status !== 0) throw new Error(`sox ${file}: ${sox.stderr}`);
  return sox.stdout;
}

/* The daemon, its broker, and the sound that it is fed as a microphone would: a quiet room, and what play() adds. */
export class Box {
  static async start(options = {}) {
    const box = new Box();
    Object.assign(box, { dir: mkdtempSync(path.join(tmpdir(), 'earshot-browser-')), mqtt: [], log: '', queue: [], options });
    [box.port, box.brokerPort] = [await freePort(), await freePort()];
    writeFileSync(path.join(box.dir, 'broker.conf'), `listener ${box.brokerPort} 127.0.0.1\nallow_anonymous true\n`);
    writeFileSync(path.join(box.dir, 'e.conf'), `[mqtt]\nport = ${box.brokerPort}\nnode = kitchen\n` +
      `[web]\nport = ${box.port}\nallowed_hosts = box.test\n${options.config ?? ''}`);
    box.broker = spawn('mosquitto', ['-c', path.join(box.dir, 'broker.conf')], { stdio: 'ignore' });
    await until(() => spawnSync('mosquitto_pub', ['-p', box.brokerPort, '-t', 'x', '-n']).status === 0, 'broker');
    box.sub = spawn('mosquitto_sub', ['-p', box.brokerPort, '-t', 'earshot/#', '-F', '%U %t %p'], { stdio: ['ignore', 'pipe', 'ignore'] });
    let rest = '';
    box.sub.stdout.on('data', (data) => {
      const lines = (rest + data).split('\n');
      rest = lines.pop();
      for (const line of lines) {
        const [, time, topic, payload] = /^(\S+) (\S+) (.*)$/s.exec(line) ?? [];
        if (topic) box.mqtt.push({ time: Number(time) * 1000, topic: topic.replace('earshot/kitchen/', ''), payload });
      }
    });
    await options.before?.(box);
    await box.boot();
    return box;
  }

  get url() {
    return `http://127.0.0.1:${this.port}`;
  }

  async boot() {
    this.daemon = spawn(EARSHOT, ['run', '--config', path.join(this.dir, 'e.conf'), '--state-dir', path.join(this.dir, 'state'),
      '--input', '-', ...(this.options.args ?? [])],
      { stdio: ['pipe', 'ignore', 'pipe'], env: { ...process.env, EARSHOT_MODELS: path.join(ROOT, 'models') } });
    this.daemon.stderr.on('data', (data) => (this.log += data));
    this.daemon.stdin.on('error', () => {});
    this.feed();
    await until(() => fetch(`${this.url}/readyz`).then((r) => r.ok, () => false), 'the daemon', 15).catch((e) => {
      throw new Error(`${e.message}:\n${this.log}`);
    });
  }

  feed() {
    const began = Date.now();
    let sent = 0;
    let noise = 1;
    clearInterval(this.feeder);
    this.feeder = setInterval(() => {
      const due = Math.floor(((Date.now() - began) * RATE) / 1000) - sent;
      if (due <= 0) return;
      sent += due;
      const samples = Buffer.alloc(due * 2);
      for (let i = 0; i < due; i++) {
        noise = (noise * 1103515245 + 12345) & 0x7fffffff;
        samples.writeInt16LE(((noise >> 16) % 65) - 32, 2 * i); /* about -65 dBFS */
      }
      let at = 0;
      while (at < samples.length && this.queue.length) {
        const n = Math.min(samples.length - at, this.queue[0].length);
        this.queue[0].copy(samples, at, 0, n);
        this.queue[0] = this.queue[0].subarray(n);
        if (!this.queue[0].length) this.queue.shift();
        at += n;
      }
      this.daemon.stdin.write(samples);
    }, 50);
  }

  play(file) {
    this.queue.push(recording(file));
  }

  /* As `kill -9` and a power cut do. */
  async kill() {
    clearInterval(this.feeder);
    if (this.daemon.exitCode !== null || this.daemon.signalCode) return;
    const gone = new Promise((done) => this.daemon.once('exit', done));
    this.daemon.kill('SIGKILL');
    await gone;
  }

  async api(what, options = {}) {
    const answer = await fetch(`${this.url}/api/v1/${what}`, { ...options, headers: { 'Content-Type': 'application/json' } });
    if (!answer.ok) throw new Error(`${what}: ${answer.status} ${await answer.text()}`);
    return answer.json();
  }

  /* earshot ARGS... on this box's state; throws what it said if it failed. */
  earshot(...args) {
    const done = spawnSync(EARSHOT, [...args, '--state-dir', path.join(this.dir, 'state')],
      { env: { ...process.env, EARSHOT_MODELS: path.join(ROOT, 'models') } });
    if (done.status !== 0) throw new Error(`earshot ${args[0]}: ${done.stderr}`);
  }

  test(label) {
    return this.api('test', { method: 'POST', body: JSON.stringify({ label }) });
  }

  publish(name, payload) {
    spawnSync('mosquitto_pub', ['-p', this.brokerPort, '-q', '1', '-t', `earshot/kitchen/set/${name}`, '-m', payload]);
  }

  /* The next message of that topic, from `from` on, for which match(payload) is true. */
  heard(topic, match = () => true, from = 0) {
    const fits = (m) => m.topic === topic && match(m.payload);
    return until(() => this.mqtt.slice(from).find(fits), `MQTT ${topic}`);
  }

  async stop() {
    await this.kill();
    this.sub.kill();
    this.broker.kill();
    rmSync(this.dir, { recursive: true, force: true });
  }
}

export function launch() {
  mkdirSync(OUT, { recursive: true });
  return chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: FLAGS });
}

/* One test's run in a browser that others may use as well: a tally of what was checked; each line goes to say(). */
export class Run {
  constructor(browser, say) {
    Object.assign(this, { browser, say, passed: 0, failed: 0, skipped: 0 });
  }

  /* A page in a context of its own: nothing is shared with another but the box. page.problems: script errors, refused requests,
   * what the content security policy stopped; page.requests: {url, bytes} of every answer, bytes as they came over the wire. */
  async page(options = {}) {
    const context = await this.browser.newContext({ viewport: { width: 1280, height: 720 }, colorScheme: 'dark', ...options });
    const page = await context.newPage();
    page.setDefaultTimeout(20000);
    page.problems = [];
    page.requests = [];
    page.on('pageerror', (e) => page.problems.push(String(e)));
    page.on('console', (m) => m.type() === 'error' && page.problems.push(`${m.text()} ${m.location().url}`));
    const cdp = await context.newCDPSession(page);
    const open = new Map();
    await cdp.send('Network.enable');
    cdp.on('Network.responseReceived', (e) => open.set(e.requestId, { url: e.response.url, type: e.response.mimeType }));
    cdp.on('Network.loadingFinished', (e) => open.has(e.requestId) &&
      page.requests.push({ ...open.get(e.requestId), bytes: e.encodedDataLength }));
    await page.addInitScript(() => {
      window.tones = [];
      addEventListener('earshot-tone', (e) => window.tones.push(e.detail));
    });
    return page;
  }

  /* ok: true or false, or a function whose throwing is a failure. */
  async check(name, ok) {
    let why = '';
    const began = Date.now();
    try {
      if (typeof ok === 'function') ok = (await ok()) !== false;
    } catch (e) {
      why = `: ${e.message}`;
      ok = false;
    }
    if (process.env.BROWSER_TIMES) why += ` [${Date.now() - began} ms, at ${Math.round(performance.now())}]`;
    this.say(`${ok ? 'ok     ' : 'NOT OK '} ${name}${why}`);
    if (ok) this.passed++;
    else this.failed++;
    return ok;
  }

  skip(name) {
    this.say(`skip    ${name}`);
    this.skipped++;
  }

  shot(page, name) {
    return page.screenshot({ path: path.join(OUT, `${name}.png`) });
  }

  /* No violation of WCAG 2.2 AA that axe-core finds, nor of its best practices. */
  axe(name, page) {
    return this.check(`axe-core: ${name}`, async () => {
      /* through the debugger: the page's policy lets no foreign script in */
      if (!(await page.evaluate(() => 'axe' in window))) await page.evaluate(require('node:fs').readFileSync(AXE, 'utf8'));
      const { violations } = await page.evaluate(() => window.axe.run(document, {
        runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'], resultTypes: ['violations'],
      }));
      const lines = violations.flatMap((v) => v.nodes.map((n) => `${v.id}: ${n.target.join(' ')}: ${n.failureSummary}`));
      if (lines.length) throw new Error(`\n${lines.slice(0, 8).join('\n')}`);
    });
  }

  /* What a page weighs that was just loaded with an empty cache, in bytes; streams and the API's answers apart. */
  async weight(page, base) {
    const answers = page.requests.filter((r) => !r.url.includes('/api/'));
    const outside = page.requests.filter((r) => !r.url.startsWith(base) && !r.url.startsWith('data:'));
    return { bytes: answers.reduce((sum, r) => sum + r.bytes, 0), outside: outside.map((r) => r.url), files: answers.length };
  }
}
