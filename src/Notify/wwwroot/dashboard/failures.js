import { $, element, fill, fillTable } from "./elements.js";
import { brief, count, rate, time, words } from "./format.js";

const columns = ["Given up", "Reason", "Status", "Attempts", "User", "Message"];

export function showFailures({ failures, failed, deferred }) {
  const lines = [["Given up a second", failed], ["Made to wait a second", deferred]]
    .map(([what, numbers]) => [what, Object.entries(numbers).sort(([one], [other]) => one.localeCompare(other))])
    .filter(([, numbers]) => numbers.length > 0)
    .map(([what, numbers]) => `${what}: ${numbers.map(([reason, number]) => `${words(reason)} ${rate(number)}`).join(", ")}.`);
  // Kept, though empty, so that nothing jumps.
  $("reasons").textContent = lines.join(" ") || "Just now no push is given up or made to wait.";
  fillTable($("failures"), columns, failures.map(row), $("failures-empty"));
}

function row({ messageId, subscriptionId, userId, attempts, status, reason, at }) {
  const [, word, said] = /^([^:]*):?(.*)$/s.exec(reason ?? "");
  return {
    key: `${messageId} ${subscriptionId} ${at}`,
    cells: [
      time(at),
      element("div", {}, element("strong", {}, words(word) || "unknown"), said.trim() && element("small", {}, said.trim())),
      { number: status ?? "–" }, { number: count(attempts) },
      link("user", userId, userId), link("message", messageId, brief(messageId)),
    ],
  };
}

/** A link that finds a message or a user. */
export function link(kind, id, label) {
  return element("a", { href: `#${kind}=${encodeURIComponent(id)}`, title: id }, label);
}
