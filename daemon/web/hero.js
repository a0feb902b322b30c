/* What is heard now, in words that can be read across the room; and alarms that nobody has acknowledged yet. */
import { api, clockTime, duration, el, percent, pictogram, soundName, symbol, text } from './common.js';

const KEEP_MS = 5000; /* a knock is over before anybody has looked up */

export function startHero({ say, listen }) {
  const box = document.getElementById('hero');
  const face = el('div', { class: 'face' });
  /* There from the start: once the connection is gone there is nobody to ask for its picture. */
  const gone = el('div', { class: 'face', hidden: true }, still({ key: 'lost', icon: 'link-off' }));
  box.append(face, gone);
  const sounds = new Map(); /* event_id: the event, and when it may go */
  const alarms = new Map();
  let status = null;
  let connection = 'connecting';
  let gateOpen = false;
  let last = null;
  let shown = '';

  function event(e) {
    if (e.late || e.label === 'unknown') return;
    const before = sounds.get(e.event_id);
    const ended = e.event_type === 'end';
    if (!before && ended) return void (last = e);
    sounds.set(e.event_id, { ...e, until: ended ? Date.parse(e.start) + KEEP_MS : Infinity });
    if (!before) {
      say(text(e.test ? 'now.says.test' : 'now.says', { sound: soundName(e.label, e.name), score: percent(e.score) }));
      if (e.alarm) alarm(e);
    }
    show();
  }
  function sweep() {
    for (const [id, e] of sounds) {
      if (Date.now() < e.until) continue;
      last = e;
      sounds.delete(id);
    }
    show();
  }
  setInterval(sweep, 1000);

  /* The loudest claim first: alarms, then the surest. */
  const ranked = () =>
    [...sounds.values()].sort((a, b) => (b.alarm === true) - (a.alarm === true) || b.score - a.score);

  function what() {
    if (connection === 'lost') return { key: 'lost' };
    if (!status) return { key: 'waiting', icon: 'wave' };
    const heard = ranked();
    if (heard.length) return { heard };
    if (!status.listening) return { key: 'paused', icon: 'mic-off', more: listenButton };
    if (status.input.state !== 'ok')
      return { key: 'input', icon: 'mic-off', detail: text(`input.${status.input.state}`) };
    if (gateOpen) return { key: 'something', icon: 'wave' };
    return { key: 'quiet', icon: 'ear', unseen: alarms.size > 0, detail: unseenText() ?? lastText() };
  }
  /* It is over, and nobody has pressed "Seen": quiet must not look as if nothing had been. */
  function unseenText() {
    const [a] = [...alarms.values()].sort((x, y) => Date.parse(y.start) - Date.parse(x.start));
    return a && text('now.unseen', { sound: soundName(a.label, a.name), time: clockTime(a.start, false) });
  }
  function lastText() {
    if (!last) return text('now.nothing');
    return text('now.last', { sound: soundName(last.label, last.name), time: clockTime(last.start, false) });
  }
  const listenButton = () =>
    el('button', { class: 'big', type: 'button', onclick: listen }, symbol('mic'), text('listening.start'));

  function show() {
    const now = what();
    const key = JSON.stringify([
      now.key,
      now.detail,
      now.heard?.map((e) => [e.label, Math.round(e.score * 100), e.event_type, e.test]),
    ]);
    if (key === shown) return updateTime(now);
    shown = key;
    box.className = `hero ${now.heard ? `heard group-${now.heard[0].group || 'background'}` : now.key}`;
    box.classList.toggle('unseen', Boolean(now.unseen));
    gone.hidden = now.key !== 'lost';
    face.hidden = !gone.hidden;
    if (gone.hidden) face.replaceChildren(...(now.heard ? heardNow(now.heard) : still(now)));
    updateTime(now);
  }
  function heardNow([first, ...others]) {
    return [
      el('div', { class: 'picture' }, pictogram(first.label, first.group)),
      el(
        'div',
        { class: 'words' },
        first.test ? el('p', { class: 'tag' }, text('event.test')) : null,
        el('p', { class: 'word' }, soundName(first.label, first.name)),
        el('p', { class: 'detail' }, scoreBar(first.score), el('span', { class: 'since' })),
        others.length
          ? el(
              'ul',
              { class: 'others', 'aria-label': text('now.also') },
              others
                .slice(0, 4)
                .map((e) =>
                  el('li', {}, pictogram(e.label, e.group), soundName(e.label, e.name), ' ', percent(e.score)),
                ),
            )
          : null,
      ),
    ];
  }
  function still({ key, icon, detail, more }) {
    return [
      el('div', { class: 'picture' }, symbol(icon)),
      el(
        'div',
        { class: 'words' },
        el('p', { class: 'word' }, text(`now.${key}`)),
        el('p', { class: 'detail' }, detail ?? ''),
        more ? more() : null,
      ),
    ];
  }
  function updateTime(now) {
    const since = box.querySelector('.since');
    if (!since || !now.heard) return;
    const first = now.heard[0];
    const end = first.event_type === 'end' ? Date.parse(first.end) : Date.now();
    since.textContent = duration(Math.max(0, (end - Date.parse(first.start)) / 1000));
  }

  function alarm(a) {
    alarms.set(a.event_id ?? a.label, a);
    showAlarms();
  }
  async function acknowledge(of, button) {
    button.disabled = true;
    try {
      for (const { event_id: id } of of) {
        await api(`events/${id}/ack`, { method: 'POST', json: {} });
        acknowledged({ event_id: id });
      }
    } catch (e) {
      button.disabled = false;
      say(e.message, true);
    }
  }
  /* by an event, a sound, or "all" */
  function acknowledged({ event_id: id, label }) {
    for (const [key, a] of alarms) {
      if (label === 'all' || (id ? a.event_id === id : a.label === label)) alarms.delete(key);
    }
    showAlarms();
  }
  function showAlarms() {
    const list = document.getElementById('alarms');
    const focused = list.contains(document.activeElement);
    const byLabel = new Map();
    for (const a of [...alarms.values()].sort((x, y) => Date.parse(y.start) - Date.parse(x.start))) {
      byLabel.set(a.label, [...(byLabel.get(a.label) ?? []), a]);
    }
    list.replaceChildren(
      ...[...byLabel.values()].map((of) => {
        const [a] = of;
        const name = soundName(a.label, a.name);
        const tag = a.test ? el('span', { class: 'tag' }, text('event.test')) : '';
        const times = of.length > 1 ? ` · ${text('alarm.times', { n: of.length })}` : '';
        const button = el(
          'button',
          { type: 'button', 'aria-label': text('alarm.ack.label', { sound: name }) },
          symbol('check'),
          text('alarm.ack'),
        );
        button.addEventListener('click', () => acknowledge(of, button));
        return el(
          'li',
          {},
          pictogram(a.label, 'alarm'),
          el('p', {}, el('strong', {}, name), ' ', el('span', {}, clockTime(a.start), times), ' ', tag),
          button,
        );
      }),
    );
    list.hidden = !alarms.size;
    show();
    if (focused) (list.querySelector('button') ?? document.getElementById('h-now')).focus();
  }

  return {
    event,
    acknowledged,
    status(s) {
      status = s;
      if (s.alarms) {
        alarms.clear();
        for (const a of s.alarms) if (!a.acknowledged) alarms.set(a.event_id ?? a.label, a);
        showAlarms();
      }
      show();
    },
    connection(state) {
      if (state === 'open' && connection === 'lost') sounds.clear(); /* what ended meanwhile nobody told us */
      connection = state;
      show();
    },
    gate(open) {
      gateOpen = open;
    },
    last(e) {
      last ??= e;
      show();
    },
  };
}

/* A score as a bar and a number. */
export function scoreBar(score) {
  const bar = el(
    'span',
    { class: 'score' },
    el('span', { class: 'track', 'aria-hidden': 'true' }, el('span', { class: 'fill' })),
    el('span', { class: 'number' }, percent(score)),
  );
  bar.querySelector('.fill').style.width = percent(score).replace(' ', '');
  return bar;
}
