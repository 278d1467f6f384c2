// One model in the list: how it does, the one or two things to do with it next, and the rest in a menu.

import { ask, notice } from '../dialogs.js';
import { fill, h, iconButton } from '../dom.js';
import { menu, menuItem } from '../menu.js';
import { changeSide, letterOf } from '../sides.js';
import { session } from '../store.js';
import { bytes, duration, t } from '../text.js';
import { call } from '../wire.js';
import { detailsView } from './details.js';
import { readingOf } from './reading.js';

/** A row; `act(name, body)` asks the server and looks again. */
export function modelRow(act, look) {
  const kind = h('span.model-kind');
  const name = h('span.model-name');
  const facts = h('span.muted.model-facts');
  const state = h('span.model-state');
  const actions = h('span.model-actions');
  const more = menu('', []);
  const unfold = iconButton('chevron', '', toggle, '.unfold');
  const bar = h('progress.model-bar', { max: 1, hidden: true });
  const problem = h('p.problem.model-problem', { role: 'alert', hidden: true });
  const remark = h('p.model-remark', { hidden: true });
  const place = h('div.model-details', { hidden: true });
  const element = h(
    'div.model-row',
    {},
    h('div.model-line', {}, unfold, kind, h('span.model-what', {}, name, facts), h('span.grow'), state, actions, more.button, more.list),
    bar,
    problem,
    remark,
    place,
  );
  let model = null;
  let details = null;
  let drawnActions = '';
  let drawnMenu = '';
  unfold.setAttribute('aria-expanded', 'false');

  function toggle() {
    const open = place.hidden;
    place.hidden = !open;
    unfold.setAttribute('aria-expanded', String(open));
    unfold.classList.toggle('open', open);
    if (!open) return;
    details ??= detailsView(act, place);
    details.draw(model);
  }

  function draw(now) {
    model = now;
    element.dataset.model = now.id;
    const { download } = now;
    fill(name, now.title);
    name.title = now.unlisted ? '' : now.id;
    const status = statusOf(now);
    fill(state, status.text);
    state.dataset.status = status.name;
    bar.hidden = status.progress === undefined;
    if (!bar.hidden) {
      if (status.progress === null) bar.removeAttribute('value');
      else bar.value = status.progress;
      bar.setAttribute('aria-label', status.text);
    }
    problem.hidden = !status.problem;
    if (problem.textContent !== status.problem) fill(problem, status.problem);
    drawActions(status.name, download);
    unfold.hidden = more.button.hidden = kind.hidden = Boolean(now.unlisted);
    if (now.unlisted) return;
    fill(kind, t(`models.${now.kind}`));
    kind.className = `model-kind ${now.kind}`;
    fill(facts, factsOf(now));
    label(more.button, t('models.more', { model: now.title }));
    label(unfold, t('models.details', { model: now.title }));
    drawMenu();
    if (!place.hidden) details.draw(now);
    readingOf(now, drawReading);
  }

  /** What the file says of itself, where that is to be known without asking. */
  function drawReading({ reading, error }) {
    const other = reading && reading.kind !== model.kind && reading.certainty !== 'guess';
    kind.title = reading ? t('models.reads', { kind: t(`models.${reading.kind}`), reason: reading.reason }) : '';
    const said = other ? t('models.mismatch', { kind: t(`models.${model.kind}`), other: t(`models.${reading.kind}`), reason: reading.reason }) : (error ?? reading?.note);
    remark.hidden = !said;
    if (remark.textContent !== said) fill(remark, said);
  }

  function drawActions(status, download) {
    const key = `${model.id} ${status}`;
    if (key === drawnActions) return;
    drawnActions = key;
    const focused = actions.contains(document.activeElement);
    const of = (action, run, filled) =>
      h(`button.small${filled ? '.lead' : ''}`, { type: 'button', 'data-action': action, 'aria-label': t(`models.${action}.label`, { model: model.title }), onclick: run }, t(`models.${action}`));
    const pulling = (action) => () => act(`pull_${action}`, { name: download.key });
    const choices = {
      missing: () => model.repository && [of('download', () => act('pull', { name: model.id }), true)],
      downloading: () => [of('pause', pulling('pause')), of('cancel', pulling('cancel'))],
      paused: () => [of('resume', pulling('resume'), true), of('cancel', pulling('cancel'))],
      stopped: () => [of('resume', pulling('resume'), true), of('cancel', pulling('cancel'))],
      unloaded: () => [of('load', load)],
      failed: () => [of('load', load)],
      died: () => [of('load', load)],
      loading: () => [of('cancel_load', () => act('unload_model', { name: model.id }))],
      ready: () => [of('unload', () => act('unload_model', { name: model.id }))],
    };
    fill(actions, choices[status]() || []);
    if (focused) actions.querySelector('button')?.focus({ preventScroll: true });
  }

  function load() {
    return act('load_model', { name: model.id });
  }

  function drawMenu() {
    const key = JSON.stringify([model.id, model.present, model.own, model.downloaded, session.sides.map(({ id }) => id)]);
    if (key === drawnMenu) return;
    drawnMenu = key;
    const other = model.kind === 'base' ? 'instruct' : 'base';
    const items = [
      ...(model.present ? session.sides.map(({ id }) => menuItem(t('models.use', { side: letterOf(id) }), () => use(id), { 'data-action': `use_${letterOf(id)}` })) : []),
      model.downloaded && menuItem(t('models.verify'), () => act('shelf_verify', { name: model.id }), { 'data-action': 'verify' }),
      model.engine !== 'server' && menuItem(t('models.treat', { kind: t(`models.${other}`) }), () => changeKind(other), { 'data-action': 'kind' }),
      model.own && menuItem(t('models.rename'), rename, { 'data-action': 'rename' }),
      model.downloaded && menuItem(t('models.delete'), () => remove('files'), { 'data-action': 'delete' }),
      model.own && menuItem(t('models.take_out'), () => remove('entry'), { 'data-action': 'take_out' }),
    ].filter(Boolean);
    more.fill(items);
    more.button.disabled = !items.length;
  }

  function use(side) {
    const { preset } = session.sides.find(({ id }) => id === side);
    const change = { model: model.id };
    if (model.kind === 'instruct' && preset === '@draft') change.preset = 'none';
    changeSide(side, change);
    notice(t('models.used', { model: model.title, side: letterOf(side) }));
  }

  async function changeKind(other) {
    const said = t(`models.${other}`);
    const sure = await ask({
      title: t('models.treat.title', { model: model.title, kind: said }),
      body: [h('p', {}, t(model.own ? 'models.treat.own' : 'models.treat.shipped', { kind: said }))],
      ok: t('models.treat.ok'),
    });
    if (!sure) return;
    const id = await act('shelf_kind', { name: model.id, kind: other });
    if (id) notice(t('models.treated', { id }));
  }

  async function rename() {
    const old = model.id;
    const pair = h('input', { type: 'text', id: 'rename-pair', value: model.id.slice(0, -model.kind.length - 1), maxLength: 61, spellcheck: false, autocomplete: 'off' });
    const title = h('input', { type: 'text', id: 'rename-title', value: model.title, maxLength: 200, spellcheck: false, autocomplete: 'off' });
    const id = await ask({
      title: t('models.rename.title', { model: model.title }),
      body: [h('label.rename-field', {}, t('models.rename.name'), pair), h('label.rename-field', {}, t('models.rename.shown'), title), h('p.muted', {}, t('models.rename.hint', { id: old }))],
      ok: t('models.rename.ok'),
      submit: () => call('shelf_rename', { name: old, pair: pair.value, title: title.value }),
    });
    if (!id) return;
    await look();
    notice(t('models.treated', { id }));
  }

  async function remove(what) {
    const sure = await ask({
      title: t(`models.remove_${what}.title`, { model: model.title }),
      body: [h('p', {}, t(`models.remove_${what}.body`, { size: bytes(model.size_bytes) })), h('p.model-path', {}, model.path)],
      ok: t(`models.remove_${what}.ok`),
      danger: true,
    });
    if (sure) await act('shelf_remove', { name: model.id, what });
  }

  return { element, draw };
}

function label(button, text) {
  button.title = text;
  button.setAttribute('aria-label', text);
}

/** How a model does: a name that the actions go by, a text, and where there is one a progress or a problem. */
function statusOf(model) {
  const { download, check } = model;
  if (download) return downloadStatus(download);
  const checked = check && checkStatus(check);
  switch (model.status) {
    case 'loading':
      return { name: 'loading', text: t('models.loading', { n: Math.round(model.progress * 100) }), progress: model.progress || null };
    case 'ready':
      return {
        name: 'ready',
        text: model.memory_bytes ? t('models.ready', { size: bytes(model.memory_bytes), n_ctx: model.n_ctx }) : t('models.ready_somewhere', { n_ctx: model.n_ctx }),
        ...checked,
      };
    case 'failed':
    case 'died':
      return { name: model.status, text: t(`model.${model.status}`), problem: model.detail };
    case 'missing':
      return { name: 'missing', text: model.repository ? '' : t('model.missing'), problem: model.repository ? '' : model.detail };
    default:
      return { name: 'unloaded', text: '', ...checked };
  }
}

function downloadStatus({ status, done_bytes: done, total_bytes: total, bytes_per_s: rate, eta_s: left, sentence }) {
  const figures = { done: bytes(done), total: bytes(total) };
  const progress = total ? done / total : null;
  switch (status) {
    case 'queued':
      return { name: 'downloading', text: t('models.queued'), progress: progress ?? 0 };
    case 'waiting':
      return { name: 'downloading', text: sentence, progress };
    case 'checking':
      return { name: 'downloading', text: t('models.checking', figures), progress };
    case 'paused':
      return { name: 'paused', text: total ? t('models.paused', figures) : t('models.paused_early'), progress: progress ?? 0 };
    case 'failed':
      return { name: 'stopped', text: t('models.stopped'), problem: sentence };
    default:
      if (!total) return { name: 'downloading', text: t('models.asking'), progress };
      if (sentence) return { name: 'downloading', text: `${t('models.sofar', figures)} · ${sentence}`, progress };
      if (!rate) return { name: 'downloading', text: t('models.sofar', figures), progress };
      return { name: 'downloading', text: t('models.running', { ...figures, rate: bytes(rate), left: left === null ? '…' : duration(left) }), progress };
  }
}

function checkStatus({ status, done_bytes: done, total_bytes: total, sentence }) {
  if (status === 'running') return { text: t('models.verifying', { done: bytes(done), total: bytes(total) }), progress: total ? done / total : null };
  if (status === 'wrong') return { problem: sentence };
  return { text: t(status === 'right' ? 'models.verified' : 'models.not_verified') };
}

function factsOf({ present, quantization, size_bytes: size, engine, repository, gated, own, path }) {
  const parts = [
    quantization || (engine === 'transformers' && 'safetensors') || (engine === 'server' && t('models.server')),
    size > 0 && bytes(size),
    !present && repository,
    gated && t('models.gated'),
    own && t('models.own'),
  ].filter(Boolean);
  return [h('span', { title: path }, parts.join(' · '))];
}
