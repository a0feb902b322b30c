/* The alarms that are up, a pane each: a colour, a pictogram, large words, and the button that acknowledges. */
import { clockTime, duration, el, pictogram, soundName, text } from './common.js';

const GUARD_MS = 700; /* a finger that was on its way when the alarm came up acknowledges nothing */

/* acknowledge(alarm, here) answers a promise; where that is refused, the error's message is shown, and the next press asks for `here`:
 * only this screen forgets the alarm, since the box cannot be told. */
export class Panes {
  constructor(element, acknowledge) {
    this.element = element;
    this.acknowledge = acknowledge;
    this.panes = new Map(); /* label => {article, meta, button, problem, since} */
  }

  /* Shows just these. Returns whether the last one is new. */
  show(alarms) {
    const had = this.element.contains(document.activeElement);
    for (const [label, pane] of this.panes)
      if (!alarms.some((a) => a.label === label)) {
        pane.article.remove();
        this.panes.delete(label);
      }
    let fresh = null;
    for (const alarm of alarms) {
      if (!this.panes.has(alarm.label)) fresh = this.#add(alarm);
      this.#fill(this.panes.get(alarm.label), alarm);
    }
    this.element.hidden = !alarms.length;
    this.element.dataset.count = String(Math.min(alarms.length, 5));
    this.#inStep();
    const lost = had && !this.element.contains(document.activeElement);
    if (fresh ?? lost) (fresh ?? [...this.panes.values()].at(-1))?.button.focus();
    return fresh !== null;
  }

  #add(alarm) {
    const heading = el('h2', {}, soundName(alarm.label, alarm.name));
    heading.id = `alarm-${alarm.label}`;
    const meta = el('p', { class: 'meta' });
    const problem = el('p', { class: 'problem', role: 'alert', hidden: true });
    const button = el('button', { type: 'button', class: 'seen', 'aria-describedby': heading.id }, text('flash.seen'));
    const badge = el('p', { class: 'badge', hidden: true }, text('flash.is-test'));
    const article = el('article', { class: 'pane', 'aria-labelledby': heading.id, data: { look: alarm.label, group: alarm.group ?? '', tone: tone(alarm.label) } },
      el('div', { class: 'in' }, pictogram(alarm.label, alarm.group),
        el('div', { class: 'words' }, badge, heading, meta, problem, button)));
    const pane = { article, meta, button, problem, badge, since: performance.now(), alarm, here: false };
    button.addEventListener('click', () => this.#seen(pane));
    this.panes.set(alarm.label, pane);
    this.element.append(article);
    return pane;
  }

  #fill(pane, alarm) {
    pane.alarm = alarm;
    pane.badge.hidden = !alarm.test;
    pane.meta.textContent = describe(alarm);
  }

  async #seen(pane) {
    if (performance.now() - pane.since < GUARD_MS || pane.button.getAttribute('aria-disabled') === 'true') return;
    pane.button.setAttribute('aria-disabled', 'true');
    pane.problem.hidden = true;
    try {
      await this.acknowledge(pane.alarm, pane.here);
    } catch (e) {
      pane.problem.textContent = text('flash.not-told', { why: e.message });
      pane.problem.hidden = false;
      pane.here = true;
      pane.button.textContent = text('flash.hide');
    }
    pane.button.removeAttribute('aria-disabled');
  }

  /* All panes flash as one: two that flash in turns would be twice as many flashes a second. */
  #inStep() {
    for (const { article } of this.panes.values())
      for (const animation of article.getAnimations?.() ?? []) animation.startTime = 0;
  }
}

/* Of the colours for what was taught: a name's own. */
const tone = (label) => String([...label].reduce((sum, c) => sum + c.charCodeAt(0), 0) % 6);

/* "12:03:20 · sounding now", "3 times since 12:03:20 · over after 8 s" */
export function describe(alarm) {
  const first = alarm.sounds[0];
  const last = alarm.sounds.at(-1);
  const n = alarm.sounds.length;
  const when = n > 1 ? text('flash.times', { n, time: clockTime(first.start) }) : clockTime(first.start);
  const on = alarm.sounds.some((s) => !s.end);
  const over = last.duration ? text('flash.over-after', { time: duration(last.duration) }) : text('flash.over');
  return `${when} · ${on ? text('flash.sounding') : over}`;
}
