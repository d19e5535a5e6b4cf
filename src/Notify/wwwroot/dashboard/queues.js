import { $, bars, element, fill } from "./elements.js";
import { isStale } from "./past.js";
import { count, long, many, time } from "./format.js";

export function showQueues({ at, backlog }) {
  if (!backlog) {
    fill($("queues"), element("p", { className: "empty" }, "Not looked into yet."));
    return;
  }
  const { queues, redeliveries, mailboxes } = backlog;
  const stages = Object.entries(Object.groupBy(queues, ({ stage }) => stage));
  const lanes = stages.filter(([, its]) => its.length > 1 || its[0].name !== its[0].stage);
  const single = stages.filter(([, its]) => its.length === 1 && its[0].name === its[0].stage);
  fill($("queues"),
    ...(isStale(backlog, at) ? [block("stale", "As they were", said(`They could not be looked into since ${time(backlog.at)}: the broker does not answer.`))] : []),
    ...(queues.length === 0 ? [block("mailboxes", "The in-memory bus", said(
      "It cannot be looked into: its queues are this process's own. ", element("b", {}, many(mailboxes, "push", "pushes")), ` ${mailboxes === 1 ? "waits" : "wait"} in mailboxes.`))] : []),
    ...lanes.map(([stage, its]) => block(stage, `${stage}, ${count(total(its))} in ${many(its.length, "lane")}`, list(its, ({ name }) => name.slice(stage.length + 1)))),
    ...(single.length > 0 ? [block("single", "Other queues", list(single.flatMap(([, its]) => its), ({ name }) => name))] : []),
    waiting(backlog),
    ...(queues.length > 0 ? [block("redeliveries", "Held back by the broker", redeliveries.length === 0
      ? said("Nothing.")
      : element("ul", { className: "bars" }, bars(redeliveries.map(({ seconds, messages }) => ({ name: `for ${long(seconds)}`, value: messages })), count)))] : []),
    ...(queues.length > 0 ? [errors(backlog)] : []));
}

function block(key, title, ...content) {
  return element("div", { key, className: "block" }, element("h3", {}, title), ...content);
}

function said(...parts) {
  return element("p", { className: "said" }, parts);
}

function list(queues, nameOf) {
  const items = queues.map((queue) => ({ name: nameOf(queue), value: queue.messages, note: many(queue.consumers, "worker") }));
  return element("ul", { className: "bars noted" }, bars(items, count));
}

function total(queues) {
  return queues.reduce((sum, { messages }) => sum + messages, 0);
}

function waiting({ waitingLines, waitingPushes, nextAttemptAt }) {
  return block("waiting", "Waiting lines", waitingLines === 0
    ? said("No push waits for its next attempt.")
    : said(element("b", {}, many(waitingPushes, "push", "pushes")), ` ${waitingPushes === 1 ? "waits" : "wait"} at ${many(waitingLines, "subscription")}`, nextAttemptAt ? `; the next attempt is due at ${time(nextAttemptAt)}.` : "."));
}

function errors({ errors: queues }) {
  return queues.length === 0
    ? block("errors", "Error queues", said("All are empty."))
    : block("errors", "Error queues", element("ul", { className: "bars" }, bars(queues.map(({ name, messages }) => ({ name, value: messages, mood: "bad" })), count)), said("Why, tells ", element("code", {}, "replay --list"), "."));
}
