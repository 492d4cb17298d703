/* The lab page: choose a behaviour (lab-setup.js), connect, send, and see the replies (lab-plot.js).

   Received text is inserted as text nodes, never as markup. */
"use strict";

const MAX_REPEAT = 1000000;
const BATCH = 250; // messages sent at once, before the page gets its turn
const MAX_BUFFERED = 4 * 1024 * 1024; // beyond this, repeated sending waits for the network

const STATES = {
  idle: "Not connected", connecting: "Connecting…", online: "Connected", waiting: "Closing…", offline: "Lost",
};
const BUTTONS = { idle: "Connect", connecting: "Cancel", online: "Close", waiting: "Do not wait", offline: "Connect" };
const CLOSE_CODES = {
  1000: "normal closure",
  1001: "the server is shutting down, or the page was left",
  1002: "protocol error",
  1003: "this kind of message is not accepted",
  1005: "the Close frame had no code",
  1006: "no Close frame was received: the connection was lost, or the browser ended it because of an error",
  1007: "a message with invalid data, such as text that is not UTF-8",
  1008: "policy violation",
  1009: "message too big",
  1010: "a required extension is missing",
  1011: "unexpected error of the server",
  1012: "the server is restarting",
  1013: "the server is busy or full: try again later",
  1014: "a gateway got an invalid response from its upstream server",
};
const REFUSED = "The handshake failed. A browser tells the page only code 1006, not the status or the body of the "
  + "response.";

let socket = null; // the current connection; events of others are stale and ignored
let startedAt = 0; // when it opened; before that, when it was requested
let wasOpen = false;
let repeating; // the timer of the next batch, or undefined
const trips = new RoundTrips(ui.plot, ui.rtt);
const log = new Log(ui.messages, ui.more, ui.totals, () => trips.paint());

// --- the connection

function setState(next, words = STATES[next]) {
  document.body.dataset.state = next;
  ui.status.textContent = words;
  ui.connect.textContent = BUTTONS[next];
  ui.send.setAttribute("aria-disabled", String(next !== "online")); // not "disabled": Enter must still explain
}

// Every second part is text from the server; its direction must not affect ours.
function isolated(parts) {
  return parts.map((part, index) => (index % 2 ? make("bdi", "", part) : part));
}

function tell(...parts) {
  ui.outcome.replaceChildren(...isolated(parts));
  ui.outcome.hidden = parts.length === 0;
}

function elapsed() {
  return performance.now() - startedAt;
}

function connectOrClose() {
  const { state } = document.body.dataset;
  if (state === "online") return close();
  if (state === "connecting" || state === "waiting") return abandon();
  return connect();
}

function connect() {
  let ws;
  try {
    ws = new WebSocket(address(), offered());
  } catch (error) { // a name that is not a token, or is there twice
    return tell(`The browser refuses to connect: ${error.message}`);
  }
  socket = ws;
  ws.binaryType = "arraybuffer";
  const current = (handler) => (event) => { if (ws === socket) handler(event); };
  ws.onopen = current(opened);
  ws.onmessage = current((event) => received(event.data));
  ws.onclose = current(closed);
  wasOpen = false;
  startedAt = performance.now();
  trips.clear();
  tell();
  log.note(undefined, `Connecting to ${ws.url}`);
  return setState("connecting");
}

function opened() {
  const took = elapsed();
  startedAt += took;
  wasOpen = true;
  setState("online");
  const { protocol, extensions } = socket;
  log.note(elapsed(), `Open after ${ms(took)}`, `; subprotocol: ${protocol || "none"}; extensions: ${extensions || "none"}`);
}

function close() {
  stopRepeating();
  setState("waiting");
  log.note(elapsed(), "Closing with 1000");
  socket.close(1000);
}

function abandon() {
  const ws = socket;
  socket = null;
  ws.close();
  ended("idle", [wasOpen ? "Gave up waiting for the server’s Close." : "Cancelled."]);
}

function closed({ code, reason, wasClean }) {
  socket = null;
  if (!wasOpen) return ended("offline", [REFUSED], "Handshake failed");
  const meaning = CLOSE_CODES[code] ?? (code >= 4000 ? "an application code"
    : code >= 3000 ? "a code of a library or framework" : "an unknown code");
  const end = `: ${meaning}. ${wasClean ? "Clean: both sides sent a Close frame."
    : "Not clean: the Close frames were not exchanged, or the connection did not end after them."}`;
  const words = reason ? [`Closed with ${code} “`, reason, `”${end}`] : [`Closed with ${code}${end}`];
  return ended(wasClean ? "idle" : "offline", words, `Closed (${code})`);
}

function ended(state, words, short) {
  stopRepeating();
  trips.forget();
  setState(state, short);
  tell(...words);
  log.note(wasOpen ? elapsed() : undefined, ...isolated(words));
}

function received(data) {
  const now = elapsed();
  log.message("received", data, now, trips.received(data, now));
}

// --- sending

function kind() {
  return ui.sending.elements.kind.value;
}

function showKind() {
  for (const each of ["text", "binary", "file"]) ui[`${each}Field`].hidden = each !== kind();
  ui.hint.textContent = "";
}

// The payload as a function of the message's number; throws an Error with a message for the user.
async function payload() {
  if (kind() === "text") {
    const { value } = ui.text;
    const text = value.toWellFormed ? value.toWellFormed() : value; // half a surrogate pair would come back as U+FFFD
    return (number) => (number === null ? text : text.replaceAll("{n}", number));
  }
  if (kind() === "binary") {
    const digits = ui.hex.value.replace(/0x|[\s,:]/gi, "");
    if (/[^0-9a-f]/i.test(digits)) throw new Error("Not sent: write bytes with the digits 0 to 9 and a to f.");
    if (digits.length % 2) throw new Error("Not sent: the number of digits is odd, so half a byte is missing.");
    const bytes = Uint8Array.from(digits.match(/../g) ?? [], (pair) => parseInt(pair, 16));
    return () => bytes.buffer;
  }
  const file = ui.file.files[0];
  if (!file) throw new Error("Not sent: choose a file first.");
  const content = await file.arrayBuffer().catch(() => { throw new Error("Not sent: the file cannot be read."); });
  return () => content;
}

function whole(input, low, high, what) {
  const number = Number(input.value);
  if (/^\d+$/.test(input.value.trim()) && number >= low && number <= high) return number;
  input.focus();
  throw new Error(`Not sent: ${what} must be a whole number from ${show(low)} to ${show(high)}.`);
}

async function send(event) {
  event.preventDefault();
  if (repeating !== undefined) return stopRepeating();
  ui.hint.textContent = "";
  try {
    const count = whole(ui.count, 1, MAX_REPEAT, "the number of messages");
    const every = whole(ui.every, 0, 3600000, "the interval");
    const content = await payload();
    if (!isOpen()) throw new Error("Not sent: there is no open connection. Connect first.");
    if (count === 1) transmit(content(null));
    else if (repeating === undefined) repeat(content, count, every);
  } catch (error) {
    ui.hint.textContent = error.message;
  }
  return undefined;
}

// A closing socket accepts messages, but drops them.
function isOpen() {
  return socket?.readyState === WebSocket.OPEN;
}

function transmit(data) {
  const now = elapsed();
  socket.send(data);
  trips.sent(data, now);
  log.message("sent", data, now);
}

// Sends what is due, in batches; waits for the network if that is slower.
function repeat(content, count, every) {
  const began = performance.now();
  let done = 0;
  const step = () => {
    if (!isOpen()) return stopRepeating();
    const due = every === 0 ? count : Math.min(count, 1 + Math.floor((performance.now() - began) / every));
    for (const end = Math.min(due, done + BATCH); done < end && socket.bufferedAmount < MAX_BUFFERED;) {
      done += 1;
      transmit(content(done));
    }
    if (done === count) return stopRepeating();
    ui.send.textContent = `Stop (${show(done)} of ${show(count)})`;
    const wait = done < due ? 0 : began + done * every - performance.now();
    repeating = setTimeout(step, Math.max(0, wait));
    return undefined;
  };
  step();
}

function stopRepeating() {
  clearTimeout(repeating);
  repeating = undefined;
  ui.send.textContent = "Send";
}

// --- the start

function onEnter(event) {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  if (!event.repeat) ui.sending.requestSubmit();
}

function unsupported(words) {
  ui.unsupported.textContent = words;
  ui.unsupported.hidden = false;
}

async function start() {
  const served = location.protocol.startsWith("http");
  if (!served) return unsupported("This page was opened from a file. Open it through the server.");
  if (!("WebSocket" in window)) return unsupported("This browser does not support WebSocket. Every current browser does.");
  try {
    const response = await fetch("behaviours.json");
    if (!response.ok) throw new Error(`status ${response.status}`);
    lab = await response.json();
  } catch (error) {
    return unsupported(`The list of behaviours, behaviours.json, could not be loaded: ${error.message}`);
  }
  if (!lab.behaviours.some((each) => each.enabled)) return unsupported("No behaviour is enabled on this server.");
  ui.lab.hidden = false;
  listBehaviours();
  restore();
  setState("idle");
  showKind();
  addEventListener("hashchange", restore);
  ui.behaviour.addEventListener("change", () => { ui.linkNote.textContent = ""; choose(ui.behaviour.value); });
  ui.setup.addEventListener("input", (event) => { if (event.target !== ui.behaviour) changed(); });
  ui.setup.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.target.tagName === "INPUT" && !event.isComposing && !socket) connect();
  });
  ui.connect.addEventListener("click", connectOrClose);
  ui.copyUrl.addEventListener("click", () => copy(address(), "Address"));
  ui.copyLink.addEventListener("click", () => copy(new URL(link(), location.href).href, "Link"));
  ui.sending.addEventListener("submit", send);
  ui.sending.addEventListener("change", (event) => { if (event.target.name === "kind") showKind(); });
  ui.text.addEventListener("keydown", onEnter);
  ui.hex.addEventListener("keydown", onEnter);
  ui.clear.addEventListener("click", () => { log.clear(); trips.clear(); });
  return undefined;
}

start();
