/* Which alarms are up on this screen: a list and its rules, without a picture of it.
 *
 * An alarm is up until somebody acknowledged it, here or anywhere else. All sounds of one label are one alarm. It outlives a reload
 * (it is kept in this browser, and the box tells what is up), and a restart of the box, which then knows nothing of it any more. */

const KEPT = 'earshot.flash.up';
const OLD_MS = 24 * 3600 * 1000;

/* changed() is called after every change of the list. */
export class Alarms {
  constructor({ chosen, changed }) {
    this.chosen = chosen; /* (label, alarm) => whether it is to be shown here */
    this.changed = changed;
    this.up = []; /* {label, name, group, test, sounds: [{id, start, end, score, boot}]}, the newest last */
    this.ringing = new Map(); /* event_id => {label, name, group, start}: acknowledged, and sounds on */
    this.boot = null; /* when the box's daemon started, s */
    try {
      const kept = JSON.parse(localStorage.getItem(KEPT)) ?? [];
      const young = (a) => a.sounds.some((s) => Date.now() - Date.parse(s.start) < OLD_MS);
      this.up = kept.filter((a) => young(a) && chosen(a.label));
    } catch {
      /* nothing was kept that can be read */
    }
  }

  /* An event as the stream has it. Returns the alarm if one came up or came up again. */
  event(e) {
    const sound = this.#sound(e.event_id);
    if (e.event_type === 'end') {
      this.ringing.delete(e.event_id);
      if (sound) Object.assign(sound, { end: e.end, duration: e.duration_s });
      this.#tell();
      return null;
    }
    if (sound) {
      sound.score = Math.max(sound.score, e.score);
      return null;
    }
    if (e.event_type !== 'start' || this.ringing.has(e.event_id) || !this.chosen(e.label, Boolean(e.alarm))) return null;
    return this.#add({ ...e, id: e.event_id });
  }

  /* What the box says is up, at the start and after each loss of the connection: {alarms, uptime_s, now}. Returns what came up. */
  status({ alarms, uptime_s, now }) {
    const boot = Date.parse(now) / 1000 - uptime_s;
    const known = new Map(alarms.map((a) => [a.event_id, a]));
    /* Gone from the list of the same run of the daemon: acknowledged while nobody told us. */
    for (const alarm of this.up)
      alarm.sounds = alarm.sounds.filter((s) => {
        const there = known.get(s.id);
        if (there) return !there.acknowledged;
        return !s.listed || Math.abs(s.boot - boot) > 5;
      });
    this.up = this.up.filter((a) => a.sounds.length);
    this.boot = boot;
    this.ringing = new Map(alarms.filter((a) => a.acknowledged && !a.ended && this.chosen(a.label)).map((a) => [a.event_id, a]));
    const added = [];
    for (const a of alarms) {
      if (a.acknowledged || !this.chosen(a.label)) continue;
      const sound = this.#sound(a.event_id);
      if (!sound) added.push(this.#add({ ...a, id: a.event_id, end: a.ended ? a.start : null, listed: true }));
      else Object.assign(sound, { listed: true, end: sound.end ?? (a.ended ? a.start : null) });
    }
    this.#tell();
    return added;
  }

  /* Somebody acknowledged: {event_id} or {label} or {events: [{event_id}]}, or all. */
  acknowledged(what) {
    const ids = new Set((what.events ?? []).map((e) => e.event_id));
    if (what.event_id) ids.add(what.event_id);
    const all = what.value === 'all' || what.label === 'all';
    for (const alarm of this.up)
      alarm.sounds = alarm.sounds.filter((s) => {
        const gone = all || ids.has(s.id) || (what.label && what.label === alarm.label);
        if (gone && !s.end) this.ringing.set(s.id, { ...alarm, start: s.start, sounds: undefined });
        return !gone;
      });
    this.up = this.up.filter((a) => a.sounds.length);
    this.#tell();
  }

  /* After the choice of labels has changed. */
  choose() {
    this.up = this.up.filter((a) => this.chosen(a.label));
    this.#tell();
  }

  #sound(id) {
    for (const alarm of this.up) for (const s of alarm.sounds) if (s.id === id) return s;
    return null;
  }

  #add({ id, label, name, group, test, start, end = null, score, listed = false }) {
    let alarm = this.up.find((a) => a.label === label);
    if (!alarm) this.up.push((alarm = { label, name, group, test: true, sounds: [] }));
    alarm.test &&= Boolean(test); /* one real sound makes it real */
    alarm.sounds.push({ id, start, end, score, listed, boot: this.boot });
    this.#tell();
    return alarm;
  }

  #tell() {
    try {
      if (this.up.length) localStorage.setItem(KEPT, JSON.stringify(this.up));
      else localStorage.removeItem(KEPT);
    } catch {
      /* not kept: the box still knows */
    }
    this.changed();
  }
}
