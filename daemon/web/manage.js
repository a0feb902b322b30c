/* What is done rather than set: choosing a model, trying the alarm chain, forgetting a taught sound, signing in a
 * phone. */
import { api, clockTime, el, pictogram, soundName, symbol, text } from './common.js';
import { set } from './threshold.js';

const card = (id, title, ...content) =>
  el('section', { class: 'card', 'aria-labelledby': id }, el('h2', { id }, title), content);
const problemNote = () => el('p', { class: 'problem', role: 'alert', hidden: true });

function fail(note, words) {
  note.hidden = !words;
  note.textContent = words ?? '';
}

export function modelCard({ say, refresh }) {
  const list = el('div', { class: 'models', role: 'radiogroup', 'aria-label': text('model.title') });
  const problem = problemNote();
  async function choose(name) {
    const { problem: wrong } = await set('model.file', name);
    fail(problem, wrong);
    if (!wrong) say(text('model.says', { name }));
    await open();
    await refresh();
  }
  async function open() {
    let models;
    try {
      ({ models } = await api('models'));
    } catch (e) {
      return fail(problem, e.message);
    }
    const focused = list.contains(document.activeElement);
    list.replaceChildren(
      ...models.map((m) =>
        el(
          'label',
          { class: 'model' },
          el('input', {
            type: 'radio',
            name: 'model',
            value: m.name,
            checked: m.in_use,
            onchange: () => choose(m.name),
          }),
          el(
            'span',
            {},
            el('strong', {}, m.name),
            el('span', { class: 'note' }, m.description ?? ''),
            el('span', { class: 'note' }, text('model.knows', { n: m.labels, s: m.window_s })),
          ),
        ),
      ),
    );
    if (focused) list.querySelector('input:checked')?.focus();
  }
  return {
    element: card('h-model', text('model.title'), el('p', { class: 'note' }, text('model.help')), list, problem),
    open,
    status: () => list.contains(document.activeElement) || open(),
  };
}

export function testCard({ labels, say }) {
  const select = el('select', { id: 'test-label' });
  const reports = el('ul', { class: 'reports' });
  const problem = problemNote();
  const button = el('button', { type: 'button', class: 'big', onclick: run }, symbol('bell'), text('test.send'));
  async function run() {
    button.disabled = true;
    reports.replaceChildren(el('li', { class: 'note' }, text('test.waiting')));
    fail(problem, null);
    try {
      const answer = await api('test', { json: { label: select.value } });
      reports.replaceChildren(
        ...answer.reports.map((r) =>
          el(
            'li',
            { class: r.ok ? 'good' : 'bad' },
            symbol(r.ok ? 'check' : 'cross'),
            el(
              'span',
              {},
              el('strong', {}, r.output),
              ` ${r.text}`,
              r.ok ? el('span', { class: 'note' }, ` ${Math.round(r.ms)} ms`) : null,
            ),
          ),
        ),
      );
      if (!answer.reports.length) reports.replaceChildren();
    } catch (e) {
      reports.replaceChildren();
      fail(problem, e.message);
      say(e.message);
    }
    button.disabled = false;
  }
  function status() {
    const known = labels();
    if (select.options.length === known.length || !known.length) return;
    const chosen = select.value;
    const option = (l) => el('option', { value: l.label }, soundName(l.label, l.name));
    select.replaceChildren(
      el('optgroup', { label: text('test.alarms') }, known.filter((l) => l.alarm).map(option)),
      el('optgroup', { label: text('test.others') }, known.filter((l) => !l.alarm).map(option)),
    );
    if (known.some((l) => l.label === chosen)) select.value = chosen;
  }
  return {
    element: card(
      'h-test',
      text('test.title'),
      el('p', { class: 'note' }, text('test.help')),
      el('div', { class: 'line' }, el('label', { for: 'test-label' }, text('test.label')), select, button),
      el('div', { role: 'status' }, reports),
      problem,
    ),
    status,
    open: status,
  };
}

export function taughtCard({ say, refresh, labels }) {
  const list = el('ul', { class: 'tops' });
  const problem = problemNote();
  async function open() {
    let classes;
    try {
      ({ classes } = await api('taught'));
      fail(problem, null);
    } catch (e) {
      return fail(problem, e.status === 404 ? null : e.message);
    }
    list.replaceChildren(
      ...classes.map((c) =>
        el(
          'li',
          { class: 'group-taught' },
          el('span', { class: 'picture' }, pictogram(c.label, 'taught')),
          el(
            'span',
            { class: 'name' },
            soundName(c.label, c.name),
            typeof c.examples === 'number'
              ? el('span', { class: 'note' }, text('taught.examples', { n: c.examples }))
              : null,
            labels().some((l) => l.label === c.label)
              ? null
              : el('span', { class: 'problem' }, symbol('warning'), text('taught.unheard')),
          ),
          el(
            'button',
            {
              type: 'button',
              'aria-label': text('taught.forget.label', { sound: soundName(c.label, c.name) }),
              onclick: () => forget(c),
            },
            symbol('trash'),
            text('taught.forget'),
          ),
        ),
      ),
    );
    if (!classes.length) list.append(el('li', { class: 'note' }, text('taught.none')));
  }
  async function forget(c) {
    const name = soundName(c.label, c.name);
    if (!(await sure(text('taught.sure', { sound: name }), text('taught.forget')))) return;
    try {
      await api(`taught/${encodeURIComponent(c.label)}`, { method: 'DELETE' });
      say(text('taught.forgotten', { sound: name }));
    } catch (e) {
      fail(problem, e.message);
    }
    await open();
    document.getElementById('h-taught').focus();
    refresh();
  }
  const element = card(
    'h-taught',
    text('taught.title'),
    el('p', { class: 'note' }, text('taught.help')),
    list,
    problem,
  );
  element.querySelector('h2').tabIndex = -1;
  return { element, open };
}

/* Asks before something is gone for good. */
function sure(question, act) {
  return new Promise((resolve) => {
    const dialog = el(
      'dialog',
      {
        'aria-label': question,
        onclose: () => {
          resolve(dialog.returnValue === 'yes');
          dialog.remove();
        },
      },
      el(
        'form',
        { method: 'dialog' },
        el('p', {}, question),
        el(
          'div',
          { class: 'line' },
          el('button', { value: 'no' }, text('cancel')),
          el('button', { value: 'yes', class: 'danger' }, act),
        ),
      ),
    );
    document.body.append(dialog);
    dialog.showModal();
  });
}

export function phoneCard({ status, say }) {
  const code = el('div', { class: 'qr' });
  const problem = problemNote();
  const help = el('p', { class: 'note' });
  const show = el('button', { type: 'button', class: 'big', onclick: run }, symbol('phone'), text('phone.show'));
  const out = el(
    'button',
    {
      type: 'button',
      onclick: async () => {
        try {
          await api('session', { method: 'DELETE' });
          location.reload();
        } catch (e) {
          say(e.message, true);
        }
      },
    },
    symbol('lock'),
    text('signin.out'),
  );
  async function run() {
    fail(problem, null);
    try {
      const answer = await api('signin', { json: {} });
      code.replaceChildren(
        picture(answer.svg),
        el('p', {}, text('phone.until', { time: clockTime(answer.expires, false) })),
        el('p', { class: 'note address' }, answer.url.split('#')[0]),
      );
    } catch (e) {
      code.replaceChildren();
      fail(problem, e.message);
    }
  }
  function update() {
    const token = status().auth === 'token';
    help.textContent = text(token ? 'phone.help' : 'phone.off');
    show.hidden = !token;
    out.hidden = !token || !status().signed_in;
  }
  return {
    element: card('h-phone', text('phone.title'), help, el('div', { class: 'line' }, show, out), code, problem),
    open: update,
    status: update,
  };
}

/* The QR code as the box drew it, as an image: whatever is in it, it is no part of the page. */
function picture(svgText) {
  const image = el('img', { alt: text('phone.alt'), width: 220, height: 220 });
  image.src = `data:image/svg+xml,${encodeURIComponent(svgText)}`;
  return image;
}
