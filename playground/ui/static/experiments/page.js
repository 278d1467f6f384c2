// Experiments: a form for a new one, the list of all, and one of them with its figures and answers.
//
// Runs belong to the server: closing this tab ends none, and those of the command line are in the list too.

import { complain } from '../dialogs.js';
import { fill, h } from '../dom.js';
import { session, save } from '../store.js';
import { t } from '../text.js';
import { call } from '../wire.js';
import { formView } from './form.js';
import { listView } from './list.js';
import { runView } from './run.js';

const WORKING_MS = 500;
const IDLE_MS = 4000;

export function mount(section) {
  const kept = (session.experiments ??= {});
  const form = formView((id) => open(id));
  const list = listView((id) => open(id), act);
  const home = h('div.exp-home', {}, form.element, list.element);
  const place = h('div.exp-page', {}, home);
  let run = null; // the view of the open run
  let visible = false;
  let timer = null;

  section.append(place);

  function open(id) {
    kept.open = id;
    save();
    run = id ? runView(id, { back: () => open(null), act }) : null;
    fill(place, run ? run.element : home);
    place.scrollTop = 0;
    look();
  }

  /** Do something to a run, then look how all of them are. */
  async function act(name, body) {
    try {
      await call(name, body);
    } catch (error) {
      complain(error);
    }
    await look();
  }

  /** Ask how the runs are, and again soon while one of them is at work. */
  async function look() {
    clearTimeout(timer);
    let next = IDLE_MS;
    try {
      const entries = await call('experiments', {});
      list.draw(entries);
      if (run) {
        const entry = entries.find(({ id }) => id === kept.open);
        if (entry) run.follow(entry);
        else open(null);
      }
      if (entries.some(({ state }) => state === 'running')) next = WORKING_MS;
    } catch (error) {
      list.problem(error.message);
    }
    clearTimeout(timer);
    if (visible) timer = setTimeout(look, next);
  }

  return {
    show: () => {
      visible = true;
      form.show();
      if (kept.open && !run) open(kept.open);
      else look();
    },
    hide: () => {
      visible = false;
      clearTimeout(timer);
    },
  };
}

/** What a run is called in the list and over its figures. */
export function titleOf({ kind, questions, n }) {
  return t('experiments.run_title', { kind: t(`experiments.kind.${kind}`), questions, n });
}
