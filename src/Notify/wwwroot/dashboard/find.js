// Finds a message or a user. The address keeps what is sought, so that it can be passed on.
import { call } from "./access.js";
import { $ } from "./elements.js";
import { showMessage, showUser } from "./found.js";

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
let turn = 0;

export function startFinding() {
  $("find-form").onsubmit = (event) => {
    event.preventDefault();
    const id = $("sought").value.trim();
    if (!id) {
      findNothing();
      return;
    }
    const fragment = `#${uuid.test(id) ? "message" : "user"}=${encodeURIComponent(id)}`;
    // The same once more is asked once more.
    if (location.hash === fragment) void find();
    else location.hash = fragment;
  };
  addEventListener("hashchange", () => void find());
  void find();
}

// Blanks alone.
function findNothing() {
  turn++;
  history.replaceState(null, "", location.pathname);
  $("sought").value = "";
  $("found").replaceChildren();
  tell("A message's id or a user's is needed.");
}

async function find() {
  const [, kind, encoded] = /^#(message|user)=(.+)$/.exec(location.hash) ?? [];
  if (!kind) return;
  const mine = ++turn;
  const id = decoded(encoded);
  $("sought").value = id;
  $("find").scrollIntoView();
  tell("Looking…");
  try {
    const shown = await look(kind, id);
    if (mine !== turn) return;
    $("found").replaceChildren(...(shown ? [shown] : []));
    tell(shown ? "" : `Nothing is known of ${id}: no message and no user of this name, or it is too long ago.`);
    $("found").querySelector("h3")?.focus({ preventScroll: true });
  } catch (error) {
    if (mine !== turn) return;
    $("found").replaceChildren();
    tell(error.message);
  }
}

// A user's id may look like a message's.
async function look(kind, id) {
  const message = kind === "message" && (await ask(`/api/dashboard/messages/${encodeURIComponent(id)}`));
  if (message) return showMessage(message);
  const user = await ask(`/api/dashboard/users?id=${encodeURIComponent(id)}`);
  return user && (user.subscriptions.length > 0 || user.deliveries.length > 0) ? showUser(user) : undefined;
}

async function ask(path) {
  const response = await call(path).catch(() => { throw new Error("Notify could not be reached."); });
  if (response.ok) return response.json();
  const problem = await response.json().catch(() => ({}));
  if (problem.code === "not_found") return undefined;
  throw new Error(problem.detail ?? problem.title ?? `Notify answered ${response.status}.`);
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function tell(text) {
  $("finding").textContent = text;
  $("finding").hidden = text === "";
}
