// The line that says how things are: the worst first, and what to do about it.
import { $, element, fill } from "./elements.js";
import { count, duration, long, many, rate, time } from "./format.js";

/** Seconds that no push should be with a worker. */
export const LONG_IN_HAND = 60;

const RECENT = 600_000;
const MUCH_BACKLOG = 1000;
// They need nobody to do anything: subscriptions end, and newer pushes take the place of older ones.
const usual = ["subscription_expired", "subscription_gone", "superseded"];
const signs = { good: "✓", wait: "!", bad: "✕" };

let spoken;
let lostSince;

export function showStatus(live, past) {
  lostSince = undefined;
  const problems = problemsOf(live, past);
  const [worst, ...others] = problems;
  const pace = paceOf(live.now);
  show(worst?.mood ?? "good", worst ? worst.parts : [`All is well: ${pace}`], others, worst ? `${pace[0].toUpperCase()}${pace.slice(1)}.` : "");
  // Spoken on a change of what is wrong alone, since the numbers change every two seconds.
  speak(problems.map(({ key }) => key).join(), worst ? problems.map(({ parts }) => text(parts)).join(" ") : `All is well: ${pace}`);
}

/** The stream broke. */
export function showLost(past) {
  lostSince ??= past.end;
  const parts = [`This page has heard nothing from Notify since ${time(lostSince)}: it tries again. What it shows below is from then.`];
  show("bad", parts, [], "");
  speak("lost", text(parts));
}

function show(mood, headline, others, pace) {
  $("status").className = `status ${mood}`;
  fill($("headline"), element("span", { className: "sign", attributes: { "aria-hidden": "true" } }, signs[mood]), element("span", {}, headline));
  fill($("problems"), ...others.map(({ key, mood: its, parts }) =>
    element("li", { key, className: its }, element("span", { className: "sign", attributes: { "aria-hidden": "true" } }, signs[its]), element("span", {}, parts))));
  $("pace").textContent = pace;
}

function speak(keys, words) {
  if (spoken === (spoken = keys)) return;
  $("spoken").textContent = words;
}

function text(parts) {
  return parts.map((part) => part.textContent ?? part).join("");
}

function paceOf({ accepted, latencyP50 }) {
  if (accepted === 0) return "no pushes at the moment";
  return `${rate(accepted)} pushes a second${latencyP50 === null ? "" : `, half accepted within ${duration(latencyP50)}`}`;
}

function problemsOf(live, past) {
  return [
    ...workersOf(live),
    ...live.pushServices.filter(({ breaker }) => breaker !== "closed").map((service) => down(service, past.troubleOf(service.host))),
    ...unauthorised(live),
    ...inHand(live),
    ...errors(live),
    ...away(live),
    ...growth(live, past),
    ...live.pushServices.filter(({ breaker, restSeconds }) => breaker === "closed" && restSeconds > 0).map((service) => throttles(service, past.troubleOf(service.host))),
    ...givenUp(live),
  ].sort((one, other) => (one.mood === other.mood ? 0 : one.mood === "bad" ? -1 : 1));
}

const bad = (key, ...parts) => ({ key, mood: "bad", parts });
const wait = (key, ...parts) => ({ key, mood: "wait", parts });
const run = (command) => element("code", {}, command);

function workersOf({ workers }) {
  if (workers.length === 0) return [wait("none", "No worker has reported yet.")];
  if (!workers.every(({ isAway }) => isAway)) return [];
  const last = Math.max(...workers.map(({ at }) => Date.parse(at)));
  return [bad("all-away", `No worker was heard of since ${time(last)}. Are they down, or is the broker away?`)];
}

function lasting({ since, isOlder }) {
  return `since ${time(since)}${isOlder ? " or longer" : ""}`;
}

function down({ host, breaker, restSeconds }, trouble) {
  const next = breaker === "halfOpen" ? "it is being probed" : restSeconds > 0 ? `it is left alone for another ${long(restSeconds)}` : "it is probed again within a minute";
  return bad(`down ${host}`, `${host} is taken to be down ${lasting(trouble)}; ${next}. Its pushes wait.`);
}

function throttles({ host, restSeconds }, trouble) {
  return wait(`rest ${host}`, `${host} throttles all that we send ${lasting(trouble)}; it is left alone for another ${long(restSeconds)}.`);
}

function unauthorised({ at, pushServices, failed, failures }) {
  const hosts = pushServices.filter(({ outcomes }) => outcomes.unauthorised > 0).map(({ host }) => host);
  const recent = failures.filter((failure) => failure.reason?.startsWith("unauthorised") && Date.parse(at) - Date.parse(failure.at) < RECENT).length;
  if (hosts.length === 0 && recent === 0 && !failed.unauthorised) return [];
  return [bad("unauthorised", `${hosts.join(", ") || "A push service"} refused our VAPID key or token within the last ten minutes: run `, run("vapid check"), ".")];
}

function inHand({ workers }) {
  const oldest = Math.max(0, ...workers.filter(({ isAway }) => !isAway).map(({ oldestInHandSeconds }) => oldestInHandSeconds));
  return oldest > LONG_IN_HAND ? [bad("in-hand", `A push has been in hand for ${long(oldest)}: a worker hangs, or what it waits for does.`)] : [];
}

function errors({ backlog }) {
  const messages = (backlog?.errors ?? []).reduce((sum, queue) => sum + queue.messages, 0);
  return messages > 0 ? [wait("errors", `${many(messages, "message")} ${messages === 1 ? "is" : "are"} in error queues: run `, run("replay --list"), ".")] : [];
}

function away({ at, workers }) {
  const gone = workers.filter(({ isAway }) => isAway);
  if (gone.length === workers.length) return [];
  return gone.map((worker) => wait(`away ${worker.id}`, `The worker ${worker.host}, process ${worker.processId}, is away: last heard of ${long((Date.parse(at) - Date.parse(worker.at)) / 1000)} ago.`));
}

function growth({ backlog }, past) {
  const last = past.backlogs.at(-1);
  if (!backlog || !last) return [];
  const { queued, waiting } = last;
  const more = past.growth();
  const isMuch = more > MUCH_BACKLOG && more > (queued + waiting) / 10;
  return isMuch ? [wait("growth", `The backlog grows: ${count(more)} more than a minute ago, ${count(queued + waiting)} in all.`)] : [];
}

function givenUp({ now, failed }) {
  const sum = Object.entries(failed).reduce((all, [reason, number]) => (usual.includes(reason) ? all : all + number), 0);
  return sum > 0 && sum > now.attempts / 20 ? [wait("failed", `${rate(sum)} pushes a second are given up, more than one in twenty: see the last failures.`)] : [];
}
