// What became of a message, or of what was meant for a user.
import { element, fillTable } from "./elements.js";
import { between, brief, count, many, precise, time, words } from "./format.js";
import { link } from "./failures.js";

const OPEN = 5;
const moods = { retrying: "wait", expired: "bad", failed: "bad" };

export function showMessage({ messageId, publishedAt, fannedOutAt, states, deliveries }) {
  const all = Object.values(states).reduce((sum, number) => sum + number, 0);
  const facts = [publishedAt && `posted ${time(publishedAt)}`, fannedOutAt && `fanned out ${time(fannedOutAt)}`, many(all, "delivery", "deliveries")];
  return element("div", {},
    heading("Message ", messageId),
    element("p", { className: "said" }, facts.filter(Boolean).join(" · ")),
    element("p", { className: "states" }, Object.entries(states).map(([state, number]) => element("span", { className: `state ${moods[state] ?? ""}` }, `${state} ${count(number)}`))),
    list(deliveries, ({ userId, subscriptionId }) => [link("user", userId, userId), element("small", {}, `subscription ${brief(subscriptionId)}`)]),
    deliveries.length < all && element("p", { className: "hint" }, `The ${count(deliveries.length)} that changed last.`));
}

export function showUser({ userId, subscriptions, deliveries }) {
  return element("div", {},
    heading("User ", userId),
    element("h4", {}, many(subscriptions.length, "subscription")),
    subscriptionsTable(subscriptions),
    element("h4", {}, "Last deliveries"),
    deliveries.length === 0 ? element("p", { className: "empty" }, "None is known.") : list(deliveries, ({ messageId, subscriptionId, events }) => [
      element("span", {}, events[0] ? time(events[0].at) : ""), link("message", messageId, `message ${brief(messageId)}`), element("small", {}, `subscription ${brief(subscriptionId)}`),
    ]));
}

function heading(kind, id) {
  return element("h3", { tabIndex: -1 }, kind, element("code", {}, id));
}

function subscriptionsTable(subscriptions) {
  const columns = ["Browser", "Push service", "Subscription", "Since", "Last accepted", "Failing since", "Ends", "Waiting"];
  const table = element("table", { attributes: { "aria-label": "Subscriptions" } },
    element("thead", {}, element("tr", {}, columns.map((name) => element("th", { attributes: { scope: "col" }, className: name === "Waiting" ? "number" : "" }, name)))), element("tbody"));
  fillTable(table, columns, subscriptions.map(({ id, browser, pushService, createdAt, lastAcceptedAt, failingSince, expirationTime, waiting }) => ({
    key: id,
    cells: [
      browser, pushService, element("span", { title: id }, brief(id)), time(createdAt), lastAcceptedAt ? time(lastAcceptedAt) : "never",
      failingSince ? element("span", { className: "no" }, time(failingSince)) : "–", expirationTime ? time(expirationTime) : "–", { number: count(waiting) },
    ],
  })));
  return table;
}

function list(deliveries, titleOf) {
  return element("div", { className: "deliveries" }, deliveries.map((delivery, index) => element("details", { open: index < OPEN },
    element("summary", {}, titleOf(delivery), element("span", { className: `state ${moods[delivery.state] ?? ""}` }, delivery.state)),
    timeline(delivery.events))));
}

function timeline(events) {
  return element("ol", { className: "timeline" }, events.map(({ at, what, attempt, status, detail }, index) => element("li", { className: moods[what] ?? "" },
    element("time", { dateTime: at }, precise(at)),
    element("span", { className: "since" }, index > 0 ? `+ ${between(events[index - 1].at, at)}` : ""),
    element("span", {}, [what === "attempted" ? `attempt ${attempt}` : words(what), what === "attempted" ? (status ? `HTTP ${status}` : "no answer") : status && `HTTP ${status}`, detail].filter(Boolean).join(" · ")))));
}
