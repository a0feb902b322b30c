/* A dialog that asks which sound it was. */
import { el, pictogram, soundName, symbol, text } from './common.js';

/* labels: [{label, name, group}]. Answers a label, null (nothing: take back what was said) or undefined (closed). */
export function chooseSound({ title, labels, chosen }) {
  return new Promise((resolve) => {
    let answer;
    const close = (value) => {
      answer = value;
      dialog.close();
    };
    const sorted = labels
      .map((l) => ({ ...l, shown: soundName(l.label, l.name) }))
      .sort((a, b) => a.shown.localeCompare(b.shown));
    const list = el(
      'ul',
      { class: 'choices' },
      sorted.map((l) =>
        el(
          'li',
          { data: { name: l.shown.toLowerCase() } },
          el(
            'button',
            {
              type: 'button',
              class: `group-${l.group || 'background'}`,
              'aria-pressed': String(l.label === chosen),
              onclick: () => close(l.label),
            },
            el('span', { class: 'picture' }, pictogram(l.label, l.group)),
            l.shown,
          ),
        ),
      ),
    );
    const none = el('p', { class: 'note', role: 'status' });
    const search = el('input', {
      type: 'search',
      autocomplete: 'off',
      'aria-label': text('choose.search'),
      placeholder: text('choose.search'),
      onkeydown: (event) => event.key === 'Escape' && close(undefined) /* and does not only empty the field */,
      oninput: () => {
        const wanted = search.value.trim().toLowerCase();
        let found = 0;
        for (const item of list.children) {
          item.hidden = !item.dataset.name.includes(wanted);
          found += !item.hidden;
        }
        none.textContent = found ? '' : text('choose.none');
      },
    });
    const form = el(
      'form',
      {
        method: 'dialog',
        onsubmit: (event) => {
          event.preventDefault();
          const visible = [...list.children].filter((item) => !item.hidden);
          if (visible.length === 1) visible[0].firstChild.click();
        },
      },
      el('label', { class: 'search' }, symbol('search'), search),
    );
    const dialog = el(
      'dialog',
      {
        class: 'choose',
        'aria-label': title,
        onclose: () => {
          dialog.remove();
          resolve(answer);
        },
      },
      el(
        'div',
        { class: 'head' },
        el('h2', {}, title),
        el(
          'button',
          { type: 'button', class: 'close', 'aria-label': text('close'), onclick: () => close(undefined) },
          symbol('cross'),
        ),
      ),
      form,
      none,
      list,
      chosen
        ? el(
            'button',
            { type: 'button', class: 'undo', onclick: () => close(null) },
            symbol('undo'),
            text('choose.undo'),
          )
        : '',
    );
    document.body.append(dialog);
    dialog.showModal();
    search.focus();
  });
}
