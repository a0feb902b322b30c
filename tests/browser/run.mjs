/* run.mjs [NAME...]: the browser tests of these names (tests/browser/NAME.mjs), or all, in one browser, $BROWSER_JOBS at a time (all,
 * or two on a machine that is busy already): mostly they wait. Each has a box of its own; what it found is told in one piece. */
import { cpus, loadavg } from 'node:os';
import { Run, launch } from './harness.mjs';

const ALL = ['flash', 'page', 'views', 'looks'];
const names = process.argv.slice(2).length ? process.argv.slice(2) : ALL;
const browser = await launch();
const jobs = Number(process.env.BROWSER_JOBS ?? (loadavg()[0] < 2 * cpus().length ? names.length : 2));
const waiting = [...names];
const runs = [];
async function work() {
  for (let name = waiting.shift(); name; name = waiting.shift()) {
    const lines = [`--- ${name}`]; /* of one alone at once */
    const run = new Run(browser, names.length > 1 ? (line) => lines.push(line) : console.log);
    runs.push(run);
    try {
      await (await import(`./${name}.mjs`)).default(run);
    } catch (e) {
      await run.check(`${name}: to the end: ${e.stack}`, false);
    }
    if (names.length > 1) console.log(lines.join('\n'));
  }
}
await Promise.all(Array.from({ length: jobs }, work));
await browser.close();
const [passed, failed, skipped] = ['passed', 'failed', 'skipped'].map((what) => runs.reduce((sum, run) => sum + run[what], 0));
console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
process.exit(failed ? 1 : 0);
