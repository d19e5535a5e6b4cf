// Who may look: on a machine of a developer's own a name will do, elsewhere a token that the operator gives.
import { $ } from "./elements.js";

const TOKEN = "notify.operator.token";
const NOT_ACCEPTED = "That token was not accepted: it is malformed, has expired or is not from the issuer that Notify believes.";
const isHere = ["localhost", "127.0.0.1", "[::1]"].includes(location.hostname);
let isNameEnough = isHere;
let token = stored();
let given = later();

function later() {
  const made = {};
  made.promise = new Promise((resolve) => { made.resolve = resolve; });
  return made;
}

// Where site data are blocked, the token lasts as long as the page does.
function stored() {
  try {
    return sessionStorage.getItem(TOKEN);
  } catch {
    return null;
  }
}

function remember(value) {
  token = value;
  try {
    if (value) sessionStorage.setItem(TOKEN, value);
    else sessionStorage.removeItem(TOKEN);
  } catch {
    // It is kept above.
  }
}

/** An answer of the dashboard's API; asks for a token as long as the service does. */
export async function call(path, options = {}) {
  while (true) {
    const mine = token;
    if (mine || isNameEnough) {
      const response = await fetch(path, { ...options, headers: { ...options.headers, ...(mine ? { Authorization: `Bearer ${mine}` } : { "X-Notify-User": "operator" }) } });
      if (response.status !== 401 && response.status !== 403) {
        $("access").hidden = true;
        return response;
      }
      refuse(mine, response.status);
    } else ask();
    await given.promise;
  }
}

// RFC 6750 section 2.1; with anything else in it fetch would not even begin.
function isToken(text) {
  return /^[-\w.~+/]+=*$/.test(text);
}

function refuse(refused, status) {
  // Another call may have been refused the same one.
  if (refused === token) remember(null);
  isNameEnough = false;
  ask(refused && (status === 403 ? "That token is good, but lacks the scope notify.operate." : NOT_ACCEPTED));
}

function ask(problem) {
  if (problem) $("access-problem").textContent = problem;
  $("access-problem").hidden = !$("access-problem").textContent;
  if (!$("access").hidden) return;
  $("access").hidden = false;
  $("token").focus();
}

$("access").onsubmit = (event) => {
  event.preventDefault();
  // Who copies the whole header means the same.
  const entered = $("token").value.trim().replace(/^Bearer\s+/i, "");
  $("token").value = "";
  if (!isToken(entered)) {
    ask(NOT_ACCEPTED);
    return;
  }
  remember(entered);
  $("access-problem").textContent = "";
  given.resolve();
  given = later();
};
