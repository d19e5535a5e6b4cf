// What the last ten minutes were like, as far as the service or this page remembers.
const SPAN = 600_000;
const GAP = 10_000;

export class Past {
  /** Rates, oldest first. */
  rates = [];
  /** Backlogs, oldest first; of these the service keeps none. */
  backlogs = [];
  /** By push service: how its breaker stands or that it rests, since when, and whether that is only how long this page has looked. */
  #troubles = new Map();
  #last;

  /** The time of the last event, in milliseconds. */
  get end() {
    return this.#last ?? Date.now();
  }

  /** Starts anew from the service's own memory. */
  begin(history) {
    this.rates = history.map((rate) => ({ ...rate, time: Date.parse(rate.at) }));
  }

  add({ at, now, pushServices, backlog }) {
    const time = Date.parse(at);
    const isFirst = this.#last === undefined || time - this.#last > GAP;
    this.#last = time;
    if (time > (this.rates.at(-1)?.time ?? 0)) this.rates.push({ ...now, time });
    if (backlog && !isStale(backlog, at)) this.backlogs.push({ time, queued: inQueues(backlog), waiting: backlog.waitingPushes, hasQueues: backlog.queues.length > 0 });
    for (const points of [this.rates, this.backlogs]) while (points[0]?.time < time - SPAN) points.shift();
    this.#note(pushServices, time, isFirst);
  }

  #note(pushServices, time, isFirst) {
    const before = this.#troubles;
    this.#troubles = new Map();
    for (const { host, breaker, restSeconds } of pushServices) {
      const standing = breaker !== "closed" ? "down" : restSeconds > 0 ? "rests" : undefined;
      if (!standing) continue;
      // What was in between is not known after a gap.
      const known = isFirst ? undefined : before.get(host);
      this.#troubles.set(host, known?.standing === standing ? known : { standing, since: time, isOlder: isFirst });
    }
  }

  /** Since when a push service is in the trouble that it is in. */
  troubleOf(host) {
    return this.#troubles.get(host);
  }

  /** By how much the backlog has grown within about a minute; 0 until that is known. */
  growth() {
    const last = this.backlogs.at(-1);
    const earlier = last && this.backlogs.findLast(({ time }) => time <= last.time - 60_000 && time > last.time - 90_000);
    return earlier ? last.queued + last.waiting - earlier.queued - earlier.waiting : 0;
  }
}

/** Whether the queues could not be looked into lately. */
export function isStale(backlog, at) {
  return Date.parse(at) - Date.parse(backlog.at) > GAP;
}

/** Where nothing was told for a while, a line has to break. */
export function withGaps(points) {
  return points.flatMap((point, index) => (index > 0 && point.time - points[index - 1].time > GAP ? [{ time: points[index - 1].time + 1 }, point] : [point]));
}

function inQueues({ queues, mailboxes }) {
  return queues.reduce((sum, { messages }) => sum + messages, mailboxes);
}
