/* A list of what was heard, newest first: the last ten, and more on scrolling. Each with its score, its clip and what
 * people say of it. */
import { api, clockTime, dayName, duration, el, pictogram, soundName, symbol, text } from './common.js';
import { scoreBar } from './hero.js';
import { chooseSound } from './choose.js';

const FIRST = 10;
const MORE = 20;
const LIVE_MOST = 200; /* new ones, before the list is begun anew */

/* In `box`. query: {label, since, until, min_score}, those that are wanted. live: takes events as they come. */
export function eventList(box, { labels, say, live = false, query = {}, onFirst = () => {} }) {
  const items = new Map(); /* event_id: {event, element} */
  const list = el('ol', { class: 'events' });
  const problem = el('p', { class: 'problem', role: 'alert', hidden: true });
  const empty = el('p', { class: 'note', hidden: true }, text('events.none'));
  const more = el(
    'button',
    { type: 'button', class: 'more', hidden: true, onclick: () => load() },
    text('events.more'),
  );
  let next = null;
  let busy = false;
  let added = 0;
  let run = 0; /* answers to an older query are not wanted */
  box.replaceChildren(list, empty, problem, more);

  async function load(fresh = false) {
    if (busy && !fresh) return;
    busy = true;
    const mine = fresh ? ++run : run;
    const search = new URLSearchParams({ limit: fresh ? FIRST : MORE });
    for (const [name, value] of Object.entries(query)) if (value) search.set(name, value);
    if (!fresh && next) search.set('before', next);
    try {
      const answer = await api(`events?${search}`);
      if (mine !== run) return;
      problem.hidden = true;
      if (fresh) clear();
      next = answer.next;
      for (const e of answer.events) put(e, false);
      if (fresh && answer.events[0]) onFirst(answer.events[0]);
      more.hidden = !next;
      empty.hidden = items.size > 0;
    } catch (e) {
      problem.textContent = e.message;
      problem.hidden = false;
    } finally {
      if (mine === run) busy = false;
    }
  }
  function clear() {
    items.clear();
    added = 0;
    list.replaceChildren();
  }
  /* The element of an event, at the top or at the end. One that is there is filled in anew. */
  function put(e, top) {
    const there = items.get(e.event_id);
    if (there) {
      there.event = { ...there.event, ...e };
      there.fill(there.event);
      return;
    }
    const item = row(e);
    items.set(e.event_id, item);
    if (top) list.prepend(item.element);
    else list.append(item.element);
    days();
    empty.hidden = true;
  }
  /* A heading where a day begins, without one for today at the very top. */
  function days() {
    let day = text('day.today');
    for (const e of list.children) {
      const name = dayName(e.dataset.start);
      e.querySelector('.day').textContent = name === day ? '' : name;
      day = name;
    }
  }

  function row(e) {
    const element = el(
      'li',
      { data: { start: e.start, id: e.event_id } },
      el('h3', { class: 'day' }),
      el('div', { class: 'event' }),
    );
    const fill = (event) => {
      const focus = element.contains(document.activeElement) ? document.activeElement.dataset.do : null;
      element.lastChild.replaceWith(card(event));
      if (focus) element.querySelector(`[data-do="${focus}"]`)?.focus();
    };
    const item = { event: e, element, fill };
    fill(e);
    return item;
  }
  function card(e) {
    const name = soundName(e.label, e.name);
    return el(
      'article',
      {
        class: `event group-${e.group || 'background'}${isOver(e) ? '' : ' now'}`,
        'aria-label': `${name}, ${clockTime(e.start)}`,
      },
      el('div', { class: 'picture' }, pictogram(e.label, e.group)),
      el(
        'div',
        { class: 'what' },
        el('strong', {}, name),
        el(
          'span',
          { class: 'when' },
          el('time', { datetime: e.start }, clockTime(e.start)),
          isOver(e) ? length(e) : ` · ${text('event.now')}`,
        ),
        tags(e),
      ),
      scoreBar(e.score),
      el('div', { class: 'buttons' }, e.clip ? clipButton(e, name) : null, e.test ? null : verdictButtons(e, name)),
    );
  }
  const length = (e) => (Number.isFinite(e.duration_s) ? ` · ${duration(e.duration_s)}` : '');
  function tags(e) {
    const found = ['test', 'late'].filter((t) => e[t]);
    if (e.lost_frames) found.push('lost');
    return found.length
      ? el(
          'span',
          { class: 'tags' },
          found.map((t) => el('span', { class: 'tag' }, text(`event.${t}`))),
        )
      : null;
  }
  function verdictButtons(e, name) {
    const corrected = Boolean(e.verdict) && e.verdict !== 'right' && e.verdict !== 'wrong';
    const button = (what, icon, pressed, label, act) =>
      el(
        'button',
        {
          type: 'button',
          class: `verdict ${what}`,
          'aria-pressed': String(pressed),
          data: { do: what },
          onclick: act,
          'aria-label': `${label}: ${name}, ${clockTime(e.start)}`,
        },
        symbol(icon),
        el('span', {}, label),
      );
    const other = corrected
      ? text('verdict.was', { sound: soundName(e.verdict, labels().find((l) => l.label === e.verdict)?.name) })
      : text('verdict.other');
    return [
      button('right', 'check', e.verdict === 'right', text('verdict.right'), () =>
        judge(e, e.verdict === 'right' ? null : 'right'),
      ),
      button('wrong', 'cross', e.verdict === 'wrong', text('verdict.wrong'), () =>
        judge(e, e.verdict === 'wrong' ? null : 'wrong'),
      ),
      button('other', 'pencil', corrected, other, () => ask(e, name)),
    ];
  }
  async function ask(e, name) {
    const answer = await chooseSound({
      title: text('choose.title', { sound: name, time: clockTime(e.start) }),
      labels: labels(),
      chosen: e.verdict,
    });
    if (answer !== undefined) judge(e, answer);
  }
  /* verdict null: takes it back */
  async function judge(e, verdict) {
    const before = e.verdict;
    put({ ...e, verdict }, false);
    try {
      await api(
        `events/${e.event_id}/label`,
        verdict === null ? { method: 'DELETE' } : { method: 'POST', json: { verdict } },
      );
      say(text(verdict === null ? 'verdict.undone' : 'verdict.kept'));
    } catch (error) {
      put({ ...e, verdict: before }, false);
      say(error.message, true);
    }
  }

  if (live) {
    new IntersectionObserver(
      (entries) => {
        if (entries.some((entry) => entry.isIntersecting) && next) load();
      },
      { rootMargin: '200px' },
    ).observe(more);
  }
  return {
    load: () => load(true),
    search(wanted) {
      query = wanted;
      return load(true);
    },
    event(e) {
      if (!items.has(e.event_id) && ++added > LIVE_MOST && scrollY < 200) return void load(true);
      put(e, true);
    },
    verdict({ event_id: id, verdict }) {
      const item = items.get(id);
      if (item) put({ ...item.event, verdict }, false);
    },
  };
}

/* Of the stream, or of the history. */
const isOver = (e) => (e.event_type ? e.event_type === 'end' : e.state !== 'going_on');

let player = null; /* one at a time: {clip, show, stop} */
const SOON_MS = 30000; /* within which a clip may still be on its way to the disk */
const TRIES = 8;

function play(e, show) {
  const audio = new Audio();
  const mine = { clip: e.clip, show, stop };
  let tries = 0;
  function stop(words) {
    player = null;
    audio.pause();
    audio.removeAttribute('src');
    mine.show(false, words);
  }
  function attempt() {
    if (player !== mine) return;
    audio.src = `/api/v1/clips/${encodeURIComponent(e.clip)}`;
    audio.play().catch(failed);
  }
  function failed() {
    if (player !== mine) return;
    if (Date.now() - Date.parse(e.end ?? e.start) < SOON_MS && ++tries < TRIES) setTimeout(attempt, 1000);
    else stop('clip.gone');
  }
  player?.stop();
  player = mine;
  audio.addEventListener('ended', () => stop());
  show(true);
  attempt();
}

function clipButton(e, name) {
  const icon = symbol('play');
  const label = el('span', {}, text('clip.play'));
  const button = el(
    'button',
    {
      type: 'button',
      class: 'play',
      data: { do: 'play' },
      'aria-label': text('clip.label', { sound: name, time: clockTime(e.start) }),
      'aria-pressed': 'false',
    },
    icon,
    label,
  );
  const show = (playing, words = playing ? 'clip.stop' : 'clip.play') => {
    icon.firstElementChild.setAttribute('href', `ui.svg#${playing ? 'stop' : 'play'}`);
    label.textContent = text(words);
    button.setAttribute('aria-pressed', String(playing));
  };
  button.addEventListener('click', () => (player?.clip === e.clip ? player.stop() : play(e, show)));
  if (player?.clip === e.clip) {
    player.show = show; /* the row was made anew while it plays */
    show(true);
  }
  return button;
}
