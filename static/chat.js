/* The chat page: one WebSocket to the page's own address, in the broadcast room.

   A message on the wire is "NAME:text", split at the first ":". The server sends each message to every member, the
   sender included, and the page shows a message only when it comes back: everything in the log has been to the server.

   idle --join--> connecting --open--> online --close--> waiting --time or button--> connecting ...
   A final close code leads to offline instead of waiting; Leave leads to idle from every state.

   Received text is inserted as text nodes, never as markup. */
"use strict";

const SUBPROTOCOL = "org.ietf.websocket.test-echo-broadcast";
const JOINED = "has joined!";
const LEFT = "has left!";
const MAX_MESSAGE_BYTES = 64 * 1024 - 1; // the server closes with 1009 above its limit of 64 KiB
const MAX_LINES = 500;
const MAX_PEOPLE = 100;
const MAX_NAME_SHOWN = 80; // other clients may use longer names than this page does
const MAX_TEXT_SHOWN = 2000; // longer texts are folded
const RETRY_MAX_S = 30;
const ANSWER_MS = 15000; // if a handshake or an echo takes longer, the connection is dead
const STEADY_MS = 10000; // a connection that lasts this long resets the back-off

const STATES = {
  idle: "Not joined", connecting: "Connecting…", online: "Online", waiting: "Reconnecting", offline: "Offline",
};
const CLOSE_CODES = {
  1000: "The server closed the connection.",
  1001: "The server is shutting down or restarting.",
  1002: "The server found a protocol error.",
  1003: "The server does not accept this kind of message.",
  1006: "The connection was lost.",
  1007: "The server found invalid text.",
  1008: "The server’s policy does not allow the connection.",
  1009: "The server refused a message that was too big.",
  1011: "The server met an unexpected error.",
  1012: "The server is restarting.",
  1013: "The server is busy or full and asks to try again later.",
};
const FINAL_CODES = new Set([1002, 1003, 1008]); // a retry would be refused too

const ui = {}; // every element that has an id, by id
for (const element of document.querySelectorAll("[id]")) ui[element.id] = element;

const address = `${location.protocol.replace("http", "ws")}//${location.host}${location.pathname}${location.search}`;
const clock = new Intl.DateTimeFormat([], { hour: "2-digit", minute: "2-digit" });
const title = document.title;

let state = "idle";
let me = "";
let socket = null; // the current connection; events of others are stale and ignored
let attempts = 0; // connections tried since the last steady one
let retryAt = 0;
let retryTimer, answerTimer, steadyTimer, paintTimer;
let unconfirmed = []; // sent messages that have not come back: { wire, text }, text null for announcements
let fresh = []; // lines not yet in the document
let atEnd = true;
let unread = 0;
const people = new Map(); // name -> { at: Date, left: boolean }, in order of first appearance

// Storage for one tab. The chat works without it, where a browser forbids it.
function remember(key, value) {
  try { sessionStorage.setItem(`chat-${key}`, value); } catch { /* see above */ }
}
function recall(key) {
  try { return sessionStorage.getItem(`chat-${key}`) ?? ""; } catch { return ""; }
}

// --- the connection

function setState(next, why = "") {
  state = next;
  document.body.dataset.state = next;
  ui.status.textContent = STATES[next];
  ui.countdown.textContent = "";
  ui.send.setAttribute("aria-disabled", String(next !== "online")); // not "disabled": Enter must still explain
  ui.why.textContent = why;
  if (!why && document.activeElement === ui.reconnect) ui.text.focus(); // the focus must not stay on a hidden button
  ui.notice.hidden = !why;
}

function connect() {
  abandon();
  setState("connecting", ui.why.textContent);
  const ws = new WebSocket(address, SUBPROTOCOL);
  const current = (handler) => (event) => { if (ws === socket) handler(event); };
  socket = ws;
  ws.onopen = current(opened);
  ws.onmessage = current((event) => received(event.data));
  ws.onclose = current((event) => lost(event.code, event.reason));
  answerTimer = setTimeout(noAnswer, ANSWER_MS);
}

// Drops the current connection with its unconfirmed messages and its timers.
function abandon() {
  unconfirmed = [];
  for (const timer of [retryTimer, answerTimer, steadyTimer]) clearTimeout(timer);
  const ws = socket;
  socket = null;
  if (ws) ws.close(1000);
}

function opened() {
  if (attempts > 0) note("Connected again. Messages sent in the meantime are missing here.");
  setState("online");
  ui.hint.textContent = "";
  steadyTimer = setTimeout(() => { attempts = 0; }, STEADY_MS);
  transmit(`${me}:${JOINED}`, null);
}

function lost(code, reason) {
  const wasOnline = state === "online";
  const why = explain(code, reason, wasOnline);
  if (wasOnline) note(why);
  for (const { text } of unconfirmed) if (text !== null) addLine("note", "This may not have arrived: ", ...fold(text));
  abandon();
  if (FINAL_CODES.has(code)) return setState("offline", why);
  // Exponential back-off; with jitter the members of a restarted server do not all return at once.
  const delay = Math.min(2 ** attempts, RETRY_MAX_S) * (0.5 + Math.random() / 2);
  attempts += 1;
  retryAt = Date.now() + delay * 1000;
  setState("waiting", why);
  countDown();
}

function noAnswer() {
  lost(1006, "");
}

function explain(code, reason, wasOnline) {
  if (code === 1006 && !navigator.onLine) return "This device has no network.";
  if (code === 1006 && !wasOnline) return "The server cannot be reached or refuses the connection.";
  const words = CLOSE_CODES[code] ?? `The connection was closed with code ${code}.`;
  return reason ? `${words} It says: “${reason}”` : words;
}

function countDown() {
  const seconds = Math.ceil((retryAt - Date.now()) / 1000);
  if (seconds <= 0) return connect();
  ui.countdown.textContent = `Reconnecting in ${seconds} s.`;
  retryTimer = setTimeout(countDown, 250);
}

// A sent message is kept until its echo arrives. This tells our own lines from a namesake's, and a dead connection
// (which a browser may not notice for minutes) from a quiet room.
function transmit(wire, text) {
  socket.send(wire);
  unconfirmed.push({ wire, text });
  expectAnswer();
}

function expectAnswer() {
  clearTimeout(answerTimer);
  if (unconfirmed.length > 0) answerTimer = setTimeout(noAnswer, ANSWER_MS);
}

function received(data) {
  const sent = unconfirmed.findIndex(({ wire }) => wire === data);
  if (sent >= 0) unconfirmed.splice(sent, 1);
  expectAnswer();
  if (typeof data !== "string") return note(`binary message, ${data.size.toLocaleString()} bytes`);
  const colon = data.indexOf(":");
  const name = shorten(data.slice(0, Math.max(colon, 0)));
  const text = data.slice(colon + 1);
  if (name) see(name, text === LEFT);
  if (name && (text === JOINED || text === LEFT)) addLine("note", make("bdi", "", name), ` ${text}`);
  else addMessage(name, text, sent >= 0);
}

// --- the log

function make(tag, className, ...children) {
  const element = document.createElement(tag);
  element.className = className;
  element.append(...children); // strings become text nodes
  return element;
}

function shorten(name) {
  return name.length > MAX_NAME_SHOWN ? `${name.slice(0, MAX_NAME_SHOWN)}…` : name;
}

function fold(text) {
  if (text.length <= MAX_TEXT_SHOWN) return [make("bdi", "", text)];
  const summary = make("summary", "", `Long text, ${text.length.toLocaleString()} characters: `);
  summary.append(make("bdi", "", `${text.slice(0, 200)}…`));
  return [make("details", "", summary, make("bdi", "", text))];
}

function timestamp(at) {
  const time = make("time", "", clock.format(at));
  time.dateTime = at.toISOString();
  return time;
}

function note(words) {
  addLine("note", words);
}

function addMessage(name, text, own) {
  const author = name ? make("bdi", `name hue-${hue(name)}`, name) : make("span", "name", "(no name)");
  const body = make("div", "text", ...fold(text));
  body.dir = "auto"; // a right-to-left text starts at the right
  addLine(own ? "message own" : "message", make("p", "meta", author, " ", timestamp(new Date())), body);
  if (document.hidden) unread += 1;
  document.title = unread > 0 ? `(${unread}) ${title}` : title;
}

function hue(name) {
  let sum = 0;
  for (const character of name) sum = (sum * 31 + character.codePointAt(0)) % 6007;
  return sum % 6;
}

// Lines are added to the document in batches, so that a flood costs one layout instead of thousands.
function addLine(className, ...children) {
  const line = make("div", `line ${className}`, ...children);
  if (className === "note") line.append(" ", timestamp(new Date()));
  fresh.push(line);
  if (fresh.length > MAX_LINES) fresh.shift();
  paintSoon();
}

function paintSoon() {
  paintTimer ??= setTimeout(paint, 30);
}

function paint() {
  paintTimer = undefined;
  const follow = atEnd || fresh.some((line) => line.classList.contains("own"));
  if (fresh.length > 0 && !follow) ui.more.hidden = false;
  ui.log.append(...fresh);
  fresh = [];
  while (ui.log.childElementCount > MAX_LINES) ui.log.firstElementChild.remove();
  if (follow) scrollToEnd();
  showPeople();
}

function scrollToEnd() {
  ui.log.scrollTop = ui.log.scrollHeight;
}

function watchScroll() {
  atEnd = ui.log.scrollHeight - ui.log.scrollTop - ui.log.clientHeight < 40;
  if (!atEnd) return;
  if (document.activeElement === ui.more) ui.text.focus();
  ui.more.hidden = true;
}

// --- people: the protocol has no presence, so this is derived from the messages

function see(name, left) {
  people.set(name, { at: new Date(), left });
  if (people.size > MAX_PEOPLE) people.delete(people.keys().next().value);
  paintSoon();
}

function showPeople() {
  ui.people.replaceChildren(...Array.from(people, ([name, { at, left }]) => {
    const who = make("span", "who", make("bdi", `name hue-${hue(name)}`, name), name === me ? " (you)" : "");
    return make("li", left ? "gone" : "", who, make("span", "when", left ? "left " : "", timestamp(at)));
  }));
  ui.seenCount.textContent = Array.from(people.values()).filter(({ left }) => !left).length;
}

// --- user actions

function join(event) {
  event.preventDefault();
  const name = ui.name.value.trim();
  ui.nameError.textContent = name ? "" : "Please enter a name.";
  ui.name.setAttribute("aria-invalid", String(!name));
  if (!name) return ui.name.focus();
  remember("name", name);
  me = wellFormed(name.replaceAll(":", "_"));
  attempts = 0;
  show(true);
  connect();
}

function leave() {
  sayGoodbye();
  people.clear();
  paintSoon();
  setState("idle");
  show(false);
}

function sayGoodbye() {
  if (state === "online") socket.send(`${me}:${LEFT}`);
  abandon();
}

function show(joined) {
  ui.join.hidden = joined;
  ui.chat.hidden = ui.leave.hidden = !joined;
  document.body.classList.toggle("joined", joined);
  (joined ? ui.text : ui.name).focus();
  if (joined) scrollToEnd();
}

function send(event) {
  event.preventDefault();
  const text = wellFormed(ui.text.value);
  const wire = `${me}:${text}`;
  const size = new TextEncoder().encode(wire).length;
  ui.text.focus();
  ui.hint.textContent = "";
  if (!text.trim()) return;
  if (size > MAX_MESSAGE_BYTES) {
    const [is, limit] = [size.toLocaleString(), MAX_MESSAGE_BYTES.toLocaleString()];
    ui.hint.textContent = `Not sent, too long: ${is} bytes with your name; the limit is ${limit}. Your text is kept.`;
  } else if (state !== "online") {
    ui.hint.textContent = "Not sent: there is no connection at the moment. Your text is kept.";
  } else {
    transmit(wire, text);
    ui.text.value = "";
    remember("draft", "");
  }
}

// Half a surrogate pair would come back as U+FFFD and not be recognized as ours.
function wellFormed(text) {
  return text.toWellFormed ? text.toWellFormed() : text;
}

function hurry() {
  if (state === "waiting") connect();
}

function start() {
  ui.address.textContent = address;
  ui.seen.open = matchMedia("(min-width: 48rem)").matches;
  const served = location.protocol.startsWith("http");
  if (!served || !("WebSocket" in window)) {
    ui.unsupported.hidden = false;
    ui.unsupported.textContent = served
      ? "This browser does not support WebSocket, which the chat needs. Every current browser does."
      : "This page was opened from a file. Open it through the server to chat.";
    return;
  }
  ui.name.value = recall("name").slice(0, ui.name.maxLength);
  ui.text.value = recall("draft");
  ui.join.addEventListener("submit", join);
  ui.compose.addEventListener("submit", send);
  ui.text.addEventListener("input", () => remember("draft", ui.text.value));
  ui.leave.addEventListener("click", leave);
  ui.reconnect.addEventListener("click", () => { connect(); ui.text.focus(); });
  ui.more.addEventListener("click", scrollToEnd);
  ui.log.addEventListener("scroll", watchScroll, { passive: true });
  new ResizeObserver(() => { if (atEnd) scrollToEnd(); }).observe(ui.log);
  addEventListener("online", hurry);
  addEventListener("pagehide", sayGoodbye);
  addEventListener("pageshow", (event) => { if (event.persisted && state !== "idle") connect(); });
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return;
    unread = 0;
    document.title = title;
    hurry();
  });
  show(false);
}

start();
