/* Feed: a WebSocket on which the daemon sends a snapshot every second.

   connecting --first message--> live --silence--> silent --more silence, or a close--> waiting --time--> connecting ...

   In every state but live a banner tells the time of the last update, and when the next attempt is due. */
"use strict";

const SILENT_MS = 3500; // a message is due each second
const GIVE_UP_MS = 10000; // after this much silence the connection counts as dead, and the page connects again
const STEADY_MS = 10000; // a connection of this age resets the back-off
const RETRY_MAX_S = 15;

const STATES = { connecting: "Connecting…", live: "Live", silent: "Silent", waiting: "Feed lost" };
const STRANGE = "The daemon sends something that this page does not know; reloading the page may help.";

const address = new URL("feed", location.href.replace(/^http/, "ws")).href.replace(/#.*/, "");
const clock = new Intl.DateTimeFormat([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const title = document.title;

let socket = null; // the current connection; events of others are ignored
let state = "connecting";
let heardAt = 0; // time of the last message, by this device's clock; 0: none
let openedAt = 0;
let attempts = 0; // since the last steady connection
let retryAt = 0;
let timer; // of the current state: until silence, or until the next attempt

function startFeed() {
  ui.reconnect.addEventListener("click", connect);
  addEventListener("online", hurry);
  addEventListener("pagehide", abandon);
  addEventListener("pageshow", (event) => { if (event.persisted) connect(); });
  document.addEventListener("visibilitychange", () => { if (!document.hidden) hurry(); });
  connect();
}

function setState(next, why = "") {
  state = next;
  document.body.dataset.state = next;
  write(ui.status, STATES[next]);
  document.title = next === "live" ? title : `(${STATES[next]}) ${title}`;
  if (next === "connecting") return; // the banner does not change until a message arrives
  write(ui.why, why);
  if (next === "live" && document.activeElement === ui.reconnect) ui.scroller.focus({ preventScroll: true });
  ui.lost.hidden = next === "live";
}

function connect() {
  abandon();
  setState("connecting");
  const ws = new WebSocket(address);
  const current = (handler) => (event) => { if (ws === socket) handler(event); };
  socket = ws;
  openedAt = Date.now();
  ws.onmessage = current((event) => received(event.data));
  ws.onclose = current((event) => lost(event.reason ? `It said: “${event.reason}”` : ""));
  timer = setTimeout(lost, GIVE_UP_MS);
  tick();
}

function abandon() {
  clearTimeout(timer);
  const ws = socket;
  socket = null;
  if (ws) ws.close(1000);
}

function received(data) {
  let message;
  try {
    message = JSON.parse(data);
    remember(message);
  } catch {
    return lost(STRANGE);
  }
  now = message;
  heardAt = Date.now();
  if (heardAt - openedAt > STEADY_MS) attempts = 0;
  if (state !== "live") setState("live");
  clearTimeout(timer);
  timer = setTimeout(silent, SILENT_MS);
  return paintSoon();
}

// The network may be slow or the daemon busy: the connection gets more time, but the banner tells that the page is old.
function silent() {
  const quiet = Date.now() - heardAt;
  if (quiet >= GIVE_UP_MS) return lost("");
  if (state === "live") setState("silent", "The daemon sends no updates.");
  timer = setTimeout(silent, 500);
  return tick();
}

function lost(why = "") {
  abandon();
  // Exponential back-off, with jitter: not all pages should connect to a restarted daemon at once.
  const delay = Math.min(2 ** attempts, RETRY_MAX_S) * (0.5 + Math.random() / 2);
  attempts += 1;
  retryAt = Date.now() + delay * 1000;
  const words = now?.draining ? "The daemon was shutting down, and the feed has ended."
    : heardAt ? "The feed is lost; is the daemon running?" : "The feed cannot be reached; is the daemon running?";
  setState("waiting", `${words} ${why}`.trim());
  ui.draining.hidden = true;
  waitForRetry();
}

function waitForRetry() {
  const left = retryAt - Date.now();
  if (left <= 0) return connect();
  tick();
  timer = setTimeout(waitForRetry, document.hidden ? left : Math.min(left, 500));
  return undefined;
}

// Updates the banner: the time of the last update, and what happens next.
function tick() {
  if (state === "live" || ui.lost.hidden) return;
  const ago = duration((Date.now() - heardAt) / 1000);
  const since = heardAt ? `Last update at ${clock.format(heardAt)}, ${ago} ago.` : "No update yet.";
  const next = state === "waiting" ? `Trying again in ${Math.max(1, Math.ceil((retryAt - Date.now()) / 1000))} s.`
    : state === "connecting" ? "Trying again now." : "";
  write(ui.since, `${since} ${next}`.trim());
}

function hurry() {
  if (state === "waiting") connect();
}
