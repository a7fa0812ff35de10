/** Forms made of fields, in their place or in a dialog; what the API refuses is said within them. */

import { button, element } from './dom.js';
import { makeField } from './fields.js';
import { toast } from './toasts.js';

/**
 * A form. fields: descriptions (fields.js). submit: what the button says. action(values): throws what is wrong; what it
 * returns as text is shown as done.
 */
export function makeForm({ fields, submit, danger = false, action, cancel = null, keeps = false, label = '' }) {
  const made = fields.map(makeField);
  const error = element('p', { class: 'form-error', role: 'alert' });
  const done = element('p', { class: 'form-done', role: 'status' });
  const send = element('button', { type: 'submit', class: danger ? 'danger' : 'primary' }, submit);
  const buttons = element('div', { class: 'form-buttons' }, send);
  if (cancel) {
    buttons.append(button('Cancel', {}, cancel));
  }
  const body = element('div', { class: 'form-fields' }, ...made.map((each) => each.place));
  const form = element('form', { class: 'form', novalidate: '', ...(label ? { 'aria-label': label } : {}) }, body, error, done, buttons);
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    error.textContent = '';
    done.textContent = '';
    const wanting = made.find(({ control }) => control.matches(':invalid'));
    if (wanting) {
      error.textContent = `${wanting.place.querySelector('.label').textContent}: ${wanting.control.validationMessage}`;
      wanting.control.focus();
      return;
    }
    send.disabled = true;
    try {
      const values = Object.fromEntries(made.map((each) => [each.name, each.read()]));
      const text = await action(values);
      if (text && keeps) {
        done.textContent = text;
      } else if (text) {
        toast(text);
      }
    } catch (problem) {
      error.textContent = problem.message;
    } finally {
      send.disabled = false;
    }
  });
  return { form, fields: Object.fromEntries(made.map((each) => [each.name, each])), error };
}

/** A dialog with a form; it closes when the action has succeeded. Resolves when it is closed. */
export function openForm({ title, about = '', ...rest }) {
  const heading = element('h2', { id: 'dialog-title' }, title);
  const dialog = element('dialog', { class: 'form-dialog', 'aria-labelledby': 'dialog-title' }, heading);
  if (about) {
    dialog.append(element('p', { class: 'dialog-about' }, about));
  }
  const { form } = makeForm({
    ...rest,
    cancel: () => dialog.close(),
    action: async (values) => {
      const text = await rest.action(values);
      dialog.close();
      return text;
    },
  });
  dialog.append(form);
  const leave = () => dialog.close();
  addEventListener('hashchange', leave);
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => {
      removeEventListener('hashchange', leave);
      dialog.remove();
      resolve();
    });
  });
}

/** Asks before something is done that can't be undone. */
export function confirmFirst({ title, about, submit, action, fields = [] }) {
  return openForm({ title, about, fields, submit, danger: true, action });
}
