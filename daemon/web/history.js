/* What was heard when: a chart by hour, of all sounds or of one, and the events behind it. */
import { api, clockTime, dayName, el, pictogram, soundName, svg, text } from './common.js';
import { eventList } from './events.js';

const SPANS = [24, 72, 168]; /* hours */
const STALE_MS = 60000;

export function start(box, { labels, say, status }) {
  const state = { hours: 24, label: null, hour: null, counts: null, read: 0 };
  const chart = el('div', { class: 'chart' });
  const rows = el('ul', { class: 'rows', 'aria-label': text('history.sounds') });
  const table = el('div', { class: 'table' });
  const problem = el('p', { class: 'problem', role: 'alert', hidden: true });
  const off = el('p', { class: 'problem', hidden: true }, text('history.off'));
  const heading = el('h2', {});
  const listBox = el('div', {});
  const list = eventList(listBox, { labels, say });
  const spans = el(
    'div',
    { class: 'segmented', role: 'radiogroup', 'aria-label': text('history.span') },
    SPANS.map((hours) =>
      el(
        'label',
        {},
        el('input', {
          type: 'radio',
          name: 'span',
          value: hours,
          checked: hours === state.hours,
          onchange: () => choose({ hours, hour: null }),
        }),
        el('span', {}, text(`history.span.${hours}`)),
      ),
    ),
  );
  box.replaceChildren(
    el(
      'section',
      { class: 'card' },
      spans,
      off,
      problem,
      chart,
      el('details', {}, el('summary', {}, text('history.table')), table),
    ),
    el(
      'div',
      { class: 'columns' },
      el(
        'section',
        { class: 'card', 'aria-labelledby': 'h-rows' },
        el('h2', { id: 'h-rows' }, text('history.sounds')),
        rows,
      ),
      el('section', { class: 'card' }, heading, listBox),
    ),
  );

  async function read() {
    try {
      state.counts = await api(`counts?by=hour&hours=${state.hours}`);
      state.read = Date.now();
      problem.hidden = true;
    } catch (e) {
      problem.textContent = e.message;
      problem.hidden = false;
      return;
    }
    show();
  }
  async function choose(change) {
    const again = change.hours && change.hours !== state.hours;
    Object.assign(state, change);
    if (again) await read();
    else show();
    find();
  }
  function find() {
    const { from, step_s: step } = state.counts ?? {};
    const query = { label: state.label };
    if (from) {
      const at = Date.parse(from) + (state.hour ?? 0) * step * 1000;
      query.since = new Date(at).toISOString();
      if (state.hour !== null) query.until = new Date(at + step * 1000).toISOString();
    }
    return list.search(query);
  }
  const info = (label) => labels().find((l) => l.label === label) ?? { label };
  const name = (label) => soundName(label, info(label).name);
  const totals = () =>
    Object.entries(state.counts.labels)
      .map(([label, numbers]) => ({ label, numbers, sum: numbers.reduce((a, b) => a + b, 0) }))
      .filter((row) => row.sum)
      .sort((a, b) => b.sum - a.sum);

  function show() {
    const all = totals();
    const n = Math.round(state.hours / ((state.counts.step_s ?? 3600) / 3600));
    const numbers = Array.from({ length: n }, (_, i) =>
      all.reduce((sum, row) => sum + (!state.label || row.label === state.label ? (row.numbers[i] ?? 0) : 0), 0),
    );
    chart.replaceChildren(bars(numbers));
    showRows(all);
    showTable(all, n);
    const what = state.label ? name(state.label) : text('history.all');
    heading.textContent = state.hour === null ? what : text('history.in', { what, time: hourName(state.hour) });
  }
  const hourTime = (i) => Date.parse(state.counts.from) + i * state.counts.step_s * 1000;
  const hourName = (i) => `${state.hours > 24 ? `${dayName(hourTime(i))}, ` : ''}${clockTime(hourTime(i), false)}`;

  function bars(numbers) {
    const most = Math.max(1, ...numbers);
    const sum = numbers.reduce((a, b) => a + b, 0);
    const peak = numbers.indexOf(most);
    const columns = el('div', {
      class: `bars${numbers.length > 24 ? ' narrow' : ''}`,
      role: 'group',
      'aria-label': text('history.chart', {
        n: sum,
        what: state.label ? name(state.label) : text('history.all'),
        time: peak < 0 ? '–' : hourName(peak),
      }),
    });
    numbers.forEach((number, i) => {
      const bar = el('span', { class: 'column' });
      bar.style.height = `${(100 * number) / most}%`;
      const at = new Date(hourTime(i));
      const tick = numbers.length > 24 ? at.getHours() === 0 : at.getHours() % 3 === 0;
      columns.append(
        el(
          'button',
          {
            type: 'button',
            class: i === peak ? 'hour most' : 'hour',
            'aria-pressed': String(state.hour === i),
            tabindex: i === (state.hour ?? numbers.length - 1) ? 0 : -1,
            title: `${hourName(i)}: ${number}`,
            onclick: () =>
              choose({ hour: state.hour === i ? null : i }).then(() => chart.querySelectorAll('.hour')[i]?.focus()),
          },
          el('span', { class: 'hidden-text' }, `${hourName(i)}: ${text('history.count', { n: number })}`),
          el(
            'span',
            { class: 'area', 'aria-hidden': 'true' },
            el('span', { class: 'count' }, number && numbers.length <= 24 ? String(number) : ''),
            bar,
          ),
          el(
            'span',
            { class: 'tick', 'aria-hidden': 'true' },
            tick
              ? numbers.length > 24
                ? at.toLocaleDateString(document.documentElement.lang, { weekday: 'short' })
                : clockTime(at, false)
              : '',
          ),
        ),
      );
    });
    columns.addEventListener('keydown', (event) => walk(event, columns));
    return columns;
  }
  /* One stop for the tab key, arrows within. */
  function walk(event, columns) {
    const all = [...columns.children];
    const at = all.indexOf(document.activeElement);
    const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: all.length - 1 }[event.key];
    if (at < 0 || to === undefined || !all[to]) return;
    event.preventDefault();
    all[at].tabIndex = -1;
    all[to].tabIndex = 0;
    all[to].focus();
  }
  function showRows(all) {
    const most = Math.max(1, ...all.map((row) => row.sum));
    rows.replaceChildren(
      ...all.map((row) => {
        const bar = el('span', { class: 'fill' });
        bar.style.width = `${(100 * row.sum) / most}%`;
        const pressed = row.label === state.label;
        return el(
          'li',
          {},
          el(
            'button',
            {
              type: 'button',
              class: `row group-${info(row.label).group || 'background'}`,
              'aria-pressed': String(pressed),
              onclick: () =>
                choose({ label: pressed ? null : row.label }).then(() =>
                  rows.querySelector(`[data-label="${row.label}"]`)?.focus(),
                ),
              'data-label': row.label,
            },
            el('span', { class: 'picture' }, pictogram(row.label, info(row.label).group)),
            el('span', { class: 'name' }, name(row.label)),
            spark(row.numbers),
            el('span', { class: 'track', 'aria-hidden': 'true' }, bar),
            el('span', { class: 'number' }, String(row.sum)),
          ),
        );
      }),
    );
    if (!all.length) rows.append(el('li', { class: 'note' }, text('events.none')));
  }
  function spark(numbers) {
    const most = Math.max(1, ...numbers);
    const wide = 96 / numbers.length;
    const path = numbers
      .map((v, i) =>
        v
          ? `M${(i * wide).toFixed(1)} 20v${((-18 * v) / most - 1).toFixed(1)}h${Math.max(1, wide - 1).toFixed(1)}V20z`
          : '',
      )
      .join('');
    return svg(
      'svg',
      { class: 'spark', viewBox: '0 0 96 20', 'aria-hidden': 'true', preserveAspectRatio: 'none' },
      svg('path', { d: path, fill: 'currentColor' }),
    );
  }
  function showTable(all, n) {
    const head = el(
      'tr',
      {},
      el('th', { scope: 'col' }, text('history.hour')),
      all.map((row) => el('th', { scope: 'col' }, name(row.label))),
    );
    const body = Array.from({ length: n }, (_, i) => n - 1 - i).filter((i) => all.some((row) => row.numbers[i]));
    table.replaceChildren(
      el(
        'table',
        {},
        el('thead', {}, head),
        el(
          'tbody',
          {},
          body.map((i) =>
            el(
              'tr',
              {},
              el('th', { scope: 'row' }, hourName(i)),
              all.map((row) => el('td', {}, row.numbers[i] ? String(row.numbers[i]) : '')),
            ),
          ),
        ),
      ),
    );
    table.tabIndex = 0; /* it scrolls */
    table.setAttribute('role', 'region');
    table.setAttribute('aria-label', text('history.table'));
  }

  return {
    async open() {
      off.hidden = status().history?.enabled !== false;
      if (Date.now() - state.read < STALE_MS) return;
      await read();
      await find();
    },
    verdict: list.verdict,
    event(e) {
      if (e.event_type === 'start') state.read = 0;
    },
  };
}
