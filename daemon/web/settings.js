/* Settings: what can be set, from the daemon's own table of options; and what is done rather than set. */
import { api, el, hasText, symbol, text } from './common.js';
import { set } from './threshold.js';
import { modelCard, phoneCard, taughtCard, testCard } from './manage.js';

export function start(box, shared) {
  const cards = [modelCard(shared), testCard(shared), taughtCard(shared), phoneCard(shared)];
  const keep = el('input', { type: 'checkbox', id: 'keep', checked: true });
  const here = el('div', { class: 'writable' });
  const sections = el('div', { class: 'sections' });
  const problem = el('p', { class: 'problem', role: 'alert', hidden: true });
  const found = el('p', { class: 'note', role: 'status' });
  const search = el('input', {
    type: 'search',
    autocomplete: 'off',
    'aria-label': text('settings.search'),
    placeholder: text('settings.search'),
    oninput: filter,
  });
  const rows = new Map(); /* key: {option, update} */

  box.replaceChildren(
    el(
      'div',
      { class: 'columns even' },
      cards.map((c) => c.element),
    ),
    el(
      'section',
      { class: 'card options', 'aria-labelledby': 'h-options' },
      el(
        'div',
        { class: 'head' },
        el('h2', { id: 'h-options' }, text('settings.options')),
        el('label', { class: 'search' }, symbol('search'), search),
      ),
      el('label', { class: 'check', for: 'keep' }, keep, text('settings.keep')),
      problem,
      found,
      here,
      el('p', { class: 'note file' }, text('settings.file')),
      sections,
    ),
  );

  async function read() {
    let options;
    try {
      ({ settings: options } = await api('settings'));
    } catch (e) {
      problem.textContent = e.message;
      problem.hidden = false;
      return;
    }
    problem.hidden = true;
    if (rows.size) {
      for (const o of options) rows.get(o.key)?.update(o);
      return;
    }
    const own = (o) => {
      const row = optionRow(o, () => keep.checked, shared.say);
      rows.set(o.key, row);
      return row.element;
    };
    here.append(...options.filter((o) => o.writable).map(own));
    const others = options.filter((o) => !o.writable);
    for (const section of new Set(others.map((o) => o.section))) {
      sections.append(
        el(
          'details',
          { class: 'section' },
          el('summary', {}, el('strong', {}, sectionName(section)), el('code', {}, `[${section}]`)),
          others.filter((o) => o.section === section).map(own),
        ),
      );
    }
  }
  const sectionName = (section) => (hasText(`section.${section}`) ? text(`section.${section}`) : section);
  function filter() {
    const wanted = search.value.trim().toLowerCase();
    let n = 0;
    for (const { element, option } of rows.values()) {
      element.hidden = !`${option.key} ${option.help}`.toLowerCase().includes(wanted);
      n += !element.hidden;
    }
    for (const section of sections.children) {
      section.hidden = !section.querySelector('.option:not([hidden])');
      section.open = wanted !== '' && !section.hidden;
    }
    found.textContent = wanted ? text('settings.found', { n }) : '';
  }
  return {
    open() {
      read();
      for (const c of cards) c.open?.();
    },
    status: (s) => cards.forEach((c) => c.status?.(s)),
    setting: () => box.closest('.view').hidden || read(),
  };
}

/* What can be set here has a name for people; the others are called as in the file. */
const nameOf = (o) => (hasText(`option.${o.key}`) ? text(`option.${o.key}`) : o.name.replaceAll('_', ' '));

/* One option: its control, its help, what is allowed, and the way back to the default. */
function optionRow(option, keep, say) {
  let o = option;
  const id = `option-${o.key}`;
  const control = controlFor(o, id);
  const problem = el('p', { class: 'problem', id: `${id}-problem`, role: 'alert', hidden: true });
  const done = el('span', { class: 'done', role: 'status' });
  const reset = el(
    'button',
    {
      type: 'button',
      class: 'reset',
      onclick: () => put(null),
      'aria-label': text('settings.reset.label', { key: o.key }),
    },
    symbol('undo'),
    text('settings.reset'),
  );
  const helpId = `${id}-help`;
  control.field.setAttribute('aria-describedby', `${helpId} ${problem.id}`);
  control.field.addEventListener('change', () => put(control.value()));
  const element = el(
    'div',
    { class: `option${o.writable ? '' : ' fixed'}` },
    el('div', { class: 'ask' }, el('label', { for: id }, nameOf(o)), control.element, done, reset),
    el('p', { class: 'help', id: helpId }, o.help.replace(/`/g, ''), ' ', el('span', { class: 'allowed' }, allowed(o))),
    problem,
  );

  function show() {
    control.show(o.value);
    control.field.disabled = !o.writable;
    reset.hidden = !o.writable || o.value === null || String(o.value) === String(o.default);
  }
  async function put(value) {
    const { value: taken, problem: wrong } = await set(o.key, value, keep());
    control.field.setAttribute('aria-invalid', String(Boolean(wrong)));
    problem.hidden = !wrong;
    problem.textContent = wrong ?? '';
    done.replaceChildren(...(wrong ? [] : [symbol('check'), text('settings.done')]));
    if (wrong) return;
    o = { ...o, value: taken ?? (value === null ? o.default : value) };
    show();
    say(text('settings.says', { name: nameOf(o), value: o.value }));
    setTimeout(() => done.replaceChildren(), 3000);
  }
  show();
  return {
    element,
    option,
    update(now) {
      o = now;
      if (document.activeElement !== control.field) show();
    },
  };
}

function allowed(o) {
  const parts = [];
  const range = o.min !== null && o.max !== null && o.min !== undefined && o.min !== o.max;
  if (range) parts.push(text('settings.range', { min: o.min, max: o.max, unit: o.unit ?? '' }).trim());
  if (o.choices?.length && range) parts.push(text('settings.or', { choices: o.choices.join(', ') }));
  if (o.default !== '' && o.default !== null && o.default !== undefined)
    parts.push(text('settings.default', { value: o.default }));
  if (o.applies && o.applies !== 'now') parts.push(text(`settings.applies.${o.applies}`));
  return parts.join(' · ');
}

/* {element, field, value(), show(value)} */
function controlFor(o, id) {
  const common = { id, name: o.key };
  if (o.type === 'boolean') {
    const field = el('input', { ...common, type: 'checkbox', role: 'switch' });
    return {
      element: field,
      field,
      value: () => (field.checked ? 'on' : 'off'),
      show: (v) => {
        field.checked = v === true || v === 'on';
      },
    };
  }
  const list = o.type === 'names' || o.type === 'labels';
  if (o.choices?.length && !list && !(o.min !== null && o.min !== undefined && o.min !== o.max)) {
    const field = el(
      'select',
      common,
      o.choices.map((c) => el('option', { value: c }, c)),
    );
    return {
      element: field,
      field,
      value: () => field.value,
      show: (v) => {
        field.value = String(v ?? '');
      },
    };
  }
  const field = el('input', {
    ...common,
    type: 'text',
    autocomplete: 'off',
    spellcheck: 'false',
    autocapitalize: 'off',
  });
  return {
    element: field,
    field,
    value: () => field.value,
    show: (v) => {
      field.value = v ?? '';
    },
  };
}
