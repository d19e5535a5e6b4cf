// Server-sent events by fetch, since an EventSource sends no token. Comes back by itself, and rests while nobody looks.
import { call } from "./access.js";

const SILENCE = 12_000; // The service tells something every few seconds.
const SHORTEST_PAUSE = 1000;
const LONGEST_PAUSE = 30_000;

/** Follows a stream for ever. `told(name, data)` gets each event, `lost()` is called at each failure. */
export async function follow(path, { told, lost }) {
  let pause = SHORTEST_PAUSE;
  while (true) {
    await untilVisible();
    const stop = new AbortController();
    const hide = () => document.hidden && stop.abort();
    document.addEventListener("visibilitychange", hide);
    try {
      await read(path, stop, (name, data) => {
        pause = SHORTEST_PAUSE;
        // A mistake in the page is no fault of the stream.
        try {
          told(name, data);
        } catch (error) {
          reportError(error);
        }
      });
    } catch {
      // The connection broke, or was ended here.
    } finally {
      document.removeEventListener("visibilitychange", hide);
    }
    if (document.hidden) continue;
    lost();
    // Not all pages at once, when the service is back.
    await new Promise((resolve) => setTimeout(resolve, pause * (0.75 + Math.random() / 2)));
    pause = Math.min(2 * pause, LONGEST_PAUSE);
  }
}

async function read(path, stop, told) {
  let silence;
  const listen = () => {
    clearTimeout(silence);
    silence = setTimeout(() => stop.abort(), SILENCE);
  };
  try {
    const response = await call(path, { signal: stop.signal, headers: { Accept: "text/event-stream" } });
    if (!response.ok) return;
    listen();
    const events = new EventParser(told);
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      listen();
      events.take(part.value);
    }
  } finally {
    clearTimeout(silence);
  }
}

/** As the HTML standard has it, section 9.2.6, as far as this stream goes: lines of event and data, an empty one at the end. */
export class EventParser {
  #rest = "";
  #name = "";
  #data = [];

  constructor(told) {
    this.told = told;
  }

  take(text) {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop();
    for (const line of lines.map((each) => each.replace(/\r$/, ""))) this.#line(line);
  }

  #line(line) {
    if (line === "") {
      if (this.#data.length > 0) this.told(this.#name || "message", JSON.parse(this.#data.join("\n")));
      [this.#name, this.#data] = ["", []];
      return;
    }
    const [, field, value] = /^([^:]*):? ?(.*)$/.exec(line);
    if (field === "event") this.#name = value;
    if (field === "data") this.#data.push(value);
  }
}

function untilVisible() {
  return new Promise((resolve) => {
    const look = () => {
      if (document.hidden) return;
      document.removeEventListener("visibilitychange", look);
      resolve();
    };
    document.addEventListener("visibilitychange", look);
    look();
  });
}
