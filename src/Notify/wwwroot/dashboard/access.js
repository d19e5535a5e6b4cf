// Who may look: on a machine of a developer's own a name will do, elsewhere a token that the operator gives.
import { $ } from "./elements.js";

const TOKEN = "notify.operator.token";
const NOT_ACCEPTED = "That token was not accepted: it is malformed, has expired or is not from the issuer that Notify believes.";
const isHere = ["localhost", "127.0.0.1", "[::1]"].includes(location.hostname);
let isNameEnough = isHere;
let given = later();

function later() {
  const made = {};
  made.promise = new Promise((resolve) => { made.resolve = resolve; });
  return made;
}

/** An answer of the dashboard's API; asks for a token as long as the service does. */
export async function call(path, options = {}) {
  while (true) {
    const token = sessionStorage.getItem(TOKEN);
    if (token || isNameEnough) {
      const response = await fetch(path, { ...options, headers: { ...options.headers, ...(token ? { Authorization: `Bearer ${token}` } : { "X-Notify-User": "operator" }) } });
      if (response.status !== 401 && response.status !== 403) {
        $("access").hidden = true;
        return response;
      }
      refuse(token, response.status);
    } else ask();
    await given.promise;
  }
}

// RFC 6750 section 2.1; with anything else in it fetch would not even begin.
function isToken(text) {
  return /^[-\w.~+/]+=*$/.test(text);
}

function refuse(token, status) {
  // Another call may have been refused the same one.
  if (token === sessionStorage.getItem(TOKEN)) sessionStorage.removeItem(TOKEN);
  isNameEnough = false;
  ask(token && (status === 403 ? "That token is good, but lacks the scope notify.operate." : NOT_ACCEPTED));
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
  const token = $("token").value.trim().replace(/^Bearer\s+/i, "");
  $("token").value = "";
  if (!isToken(token)) {
    ask(NOT_ACCEPTED);
    return;
  }
  sessionStorage.setItem(TOKEN, token);
  $("access-problem").textContent = "";
  given.resolve();
  given = later();
};
