/* The status page: what the daemon's feed says once a second, as numbers, small plots and a list.

   connecting --first message--> live --silence--> silent --more silence, or a close--> waiting --time--> connecting ...

   In any state but live a banner says since when the page is old; there is no other way to be old. What comes is
   kept at once, for a plot without holes, but shown with the next frame: a hidden tab has none, and so costs nothing.
   Addresses, targets and causes come from strangers: all of it becomes text nodes, never markup. */
"use strict";

const SILENT_MS = 3500; // a message is due each second
const GIVE_UP_MS = 10000; // after this much silence a connection is dead, and a new one is tried
const STEADY_MS = 10000; // a connection this old lets the back-off start anew
const RETRY_MAX_S = 15;
const MOST_SHOWN = 20; // close codes, causes of refusals
const MAX_TEXT = 300; // of a text from outside, in the list

const STATES = { connecting: "Connecting…", live: "Live", silent: "Silent", waiting: "Feed lost" };
const STRANGE = "What it sends is not what this page knows; reloading the page may help.";
const CLOSE_CODES = {
  1000: "normal end", 1001: "going away", 1002: "protocol error", 1003: "unacceptable data", 1005: "no code given",
  1006: "connection lost", 1007: "invalid text", 1008: "against the rules", 1009: "message too big",
  1010: "extension missing", 1011: "internal error", 1012: "restarting", 1013: "try again later",
  1014: "bad gateway",
};
const COLUMNS = [
  { key: "number", name: "No.", show: String, descending: true },
  { key: "peer", name: "Peer" },
  { key: "subprotocol", name: "Subprotocol" },
  { key: "target", name: "Target" },
  { key: "state", name: "State" },
  { key: "age", name: "Age", show: duration, descending: true },
  { key: "rateIn", name: "In/s", show: bytesPerSecond, descending: true, moving: true },
  { key: "rateOut", name: "Out/s", show: bytesPerSecond, descending: true, moving: true },
  { key: "bytes_in", name: "In", show: bytes, descending: true, moving: true },
  { key: "bytes_out", name: "Out", show: bytes, descending: true, moving: true },
  { key: "waits", name: "Waiting", show: bytes, descending: true, moving: true },
];

const ui = {}; // every element that has an id, by id
for (const element of document.querySelectorAll("[id]")) ui[element.id] = element;

const address = new URL("feed", location.href.replace(/^http/, "ws")).href.replace(/#.*/, "");
const clock = new Intl.DateTimeFormat([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const title = document.title;

let socket = null; // the current connection; events of any other are stale and ignored
let state = "connecting";
let heardAt = 0; // when the last message came, by this device's clock; 0 for never
let openedAt = 0;
let attempts = 0; // connections tried since the last steady one
let retryAt = 0;
let timer; // the one of the current state: silence, or the next attempt
let painting = 0;
let now = null; // the last message

const samples = new Samples(["open", "messagesIn", "messagesOut", "bytesIn", "bytesOut", "lag", "backlog", "memory",
  "descriptors", "closesReceived", "closesSent", "refused"]);
const plots = [
  new Plot(ui.openPlot, samples, ["open"], count),
  new Plot(ui.messagesPlot, samples, ["messagesIn", "messagesOut"], perSecond),
  new Plot(ui.bytesPlot, samples, ["bytesIn", "bytesOut"], bytesPerSecond),
  new Plot(ui.lagPlot, samples, ["lag"], milliseconds),
  new Plot(ui.backlogPlot, samples, ["backlog"], bytes),
  new Plot(ui.memoryPlot, samples, ["memory"], bytes),
  new Plot(ui.descriptorsPlot, samples, ["descriptors"], count),
  new Plot(ui.closesPlot, samples, ["closesReceived", "closesSent"], perSecond),
  new Plot(ui.refusedPlot, samples, ["refused"], perSecond),
];

// --- the feed

function setState(next, why = "") {
  state = next;
  document.body.dataset.state = next;
  write(ui.status, STATES[next]);
  document.title = next === "live" ? title : `(${STATES[next]}) ${title}`;
  if (next === "connecting") return; // the banner stays as it is until a message comes
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

// The network may be slow or the daemon busy: the connection gets some more time, but the page says what it shows.
function silent() {
  const quiet = Date.now() - heardAt;
  if (quiet >= GIVE_UP_MS) return lost("");
  if (state === "live") setState("silent", "The daemon has become silent.");
  timer = setTimeout(silent, 500);
  return tick();
}

function lost(why = "") {
  abandon();
  // Exponential back-off; the jitter keeps all pages of a restarted daemon from returning at once.
  const delay = Math.min(2 ** attempts, RETRY_MAX_S) * (0.5 + Math.random() / 2);
  attempts += 1;
  retryAt = Date.now() + delay * 1000;
  const words = now?.draining ? "The daemon was shutting down, and the feed has ended."
    : heardAt ? "The feed is lost; is the daemon running?" : "The feed cannot be had; is the daemon running?";
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

// Since when what the page shows is old, and what happens next.
function tick() {
  if (state === "live" || ui.lost.hidden) return;
  const ago = duration((Date.now() - heardAt) / 1000);
  const since = heardAt ? `All that is shown is from ${clock.format(heardAt)}, ${ago} ago.` : "Nothing has come yet.";
  const next = state === "waiting" ? `Trying again in ${Math.max(1, Math.ceil((retryAt - Date.now()) / 1000))} s.`
    : state === "connecting" ? "Trying again now." : "";
  write(ui.since, `${since} ${next}`.trim());
}

function hurry() {
  if (state === "waiting") connect();
}

// --- what comes, kept

// Counters that only grow; their differences are the rates.
function countersOf({ totals, close_codes: codes, refusals }) {
  const sum = (counts) => Object.values(counts).reduce((all, each) => all + each, 0);
  return {
    messagesIn: totals.messages_in, messagesOut: totals.messages_out,
    bytesIn: totals.bytes_in, bytesOut: totals.bytes_out,
    closesReceived: sum(codes.received), closesSent: sum(codes.sent), refused: sum(refusals),
  };
}

let before = null; // { time, uptime, counters } of the message before, and by number the bytes of each connection
let rates = {}; // by the names of the counters; empty where there is nothing to compare with
let traffic = new Map(); // number -> { taken, given, rateIn, rateOut }

// Throws where the message is not of the kind that this page knows.
function remember(message) {
  const counters = countersOf(message);
  const passed = before && message.uptime >= before.uptime ? message.time - before.time : NaN; // else it began anew
  rates = {};
  for (const [name, value] of Object.entries(counters)) rates[name] = rate(value, before?.counters[name], passed);
  const old = traffic;
  traffic = new Map(message.list.map(({ number, bytes_in: taken, bytes_out: given }) => {
    const last = old.get(number);
    const [rateIn, rateOut] = [rate(taken, last?.taken, passed), rate(given, last?.given, passed)];
    return [number, { taken, given, rateIn, rateOut }];
  }));
  before = { time: message.time, uptime: message.uptime, counters };
  samples.add(message.time, {
    ...rates, open: message.connections.open, lag: message.loop_lag.max, backlog: message.backlog,
    memory: known(message.memory), descriptors: known(message.descriptors.open),
  });
}

function rate(value, last, passed) {
  const difference = value === null ? NaN : value - (last ?? NaN);
  return passed > 0 && difference >= 0 ? difference / passed : NaN;
}

// 0 is how the daemon says that its system does not tell.
function known(value) {
  return value > 0 ? value : NaN;
}

// --- what is shown

function paintSoon() {
  painting ||= requestAnimationFrame(paint);
}

function paint() {
  painting = 0;
  ui.held.hidden = !lookAtSelection();
  try {
    if (now) paintAll();
  } catch {
    if (socket) lost(STRANGE); // what is shown is old now, and the page must not say that it is live
  }
}

function paintAll() {
  paintNumbers();
  paintDraining();
  const { sent, received: got } = now.close_codes;
  paintCounts(ui.codes, ui.codesMore, [...new Set([...Object.keys(got), ...Object.keys(sent)])]
    .map((code) => [nameOf(code), got[code] ?? 0, sent[code] ?? 0]));
  paintCounts(ui.causes, ui.causesMore, Object.entries(now.refusals));
  for (const plot of plots) plot.draw();
  paintList();
}

function nameOf(code) {
  if (code === "none") return "no Close frame";
  return CLOSE_CODES[code] ? `${code} ${CLOSE_CODES[code]}` : code;
}

function paintNumbers() {
  const { connections, totals, descriptors } = now;
  const kinds = Object.entries(connections.by_subprotocol);
  kinds.sort(([a, one], [b, other]) => other - one || (a < b ? -1 : 1));
  put(ui.daemon, `version ${now.version}, up ${duration(now.uptime)}`);
  put(ui.open, count(connections.open));
  const { closing } = connections.by_state;
  put(ui.kinds, kinds.map(([name, each]) => `${count(each)} ${name}`).join(", "));
  put(ui.closing, closing > 0 ? `(${count(closing)} closing)` : "");
  put(ui.http, count(connections.http));
  for (const name of ["messagesIn", "messagesOut", "closesReceived", "closesSent", "refused"]) {
    put(ui[name], perSecond(rates[name]));
  }
  for (const name of ["bytesIn", "bytesOut"]) put(ui[name], bytesPerSecond(rates[name]));
  put(ui.lag, milliseconds(now.loop_lag.max)); // since the message before
  put(ui.lagMax, milliseconds(samples.highest("lag")));
  put(ui.backlog, bytes(now.backlog));
  put(ui.memory, bytes(known(now.memory)));
  put(ui.descriptors, count(known(descriptors.open)));
  put(ui.descriptorsLimit, descriptors.limit < 0 ? "none" : count(known(descriptors.limit)));
  put(ui.allMessagesIn, count(totals.messages_in));
  put(ui.allMessagesOut, count(totals.messages_out));
  put(ui.allFramesIn, count(totals.frames_in));
  put(ui.allFramesOut, count(totals.frames_out));
  put(ui.allBytesIn, count(totals.bytes_in));
  put(ui.allBytesOut, count(totals.bytes_out));
  put(ui.allOpened, count(totals.opened));
  put(ui.allResponses, count(totals.http_responses));
}

function paintDraining() {
  ui.draining.hidden = !now.draining;
  write(ui.drainingWords, now.draining ? "The daemon is shutting down: it takes no new connections." : "");
  write(ui.drainingLeft, now.draining ? `Still open: ${count(now.connections.open)}.` : "");
}

// A table of names with counts, the largest first; rows are kept as long as their names are there.
function paintCounts(body, more, entries) {
  const sum = ([, ...counts]) => counts.reduce((all, each) => all + each, 0);
  entries.sort((one, other) => sum(other) - sum(one) || (one[0] < other[0] ? -1 : 1));
  const old = new Map(Array.from(body.children, (row) => [row.dataset.name, row]));
  const rows = entries.slice(0, MOST_SHOWN).map(([name, ...counts]) => {
    const row = old.get(name) ?? countRow(name, counts.length);
    counts.forEach((each, index) => put(row.children[index + 1], count(each)));
    return row;
  });
  arrange(body, rows);
  const rest = entries.slice(MOST_SHOWN);
  const times = rest.reduce((all, each) => all + sum(each), 0);
  put(more, entries.length === 0 ? "None yet."
    : rest.length > 0 ? `And ${count(rest.length)} others, ${count(times)} times in all.` : "");
}

function countRow(name, columns) {
  const head = make("th", "", make("bdi", "", name));
  head.scope = "row";
  const row = make("tr", "", head, ...Array.from({ length: columns }, () => make("td", "")));
  row.dataset.name = name;
  return row;
}

// Makes `rows` the children of `body`; moves as few as it can, and none that is selected or between such.
function arrange(body, rows) {
  const wanted = new Set(rows);
  for (const row of [...body.children]) if (!wanted.has(row) && !isSelected(row)) row.remove();
  if (isSelected(body)) return body.append(...rows.filter((row) => !row.isConnected));
  let at = body.firstElementChild;
  for (const row of rows) {
    if (row === at) at = at.nextElementSibling;
    else body.insertBefore(row, at);
  }
  return undefined;
}

// --- the list of connections

let sorted = { column: COLUMNS[0], descending: true };
const rows = new Map(); // number -> the row; only of connections that are listed

function paintList() {
  const words = ui.filter.value.toLowerCase().split(/\s+/).filter(Boolean);
  const all = now.list.map((each) => ({ ...each, ...traffic.get(each.number) }));
  const found = all.filter((each) => {
    const text = [each.number, each.peer, each.subprotocol, each.target, each.state].join(" ").toLowerCase();
    return words.every((word) => text.includes(word));
  });
  found.sort(inOrder);
  const there = new Set(all.map(({ number }) => number));
  for (const [number, row] of rows) {
    if (there.has(number)) continue;
    if (row.isConnected && isSelected(row)) row.classList.add("gone");
    else rows.delete(number);
  }
  const shown = found.map(rowOf);
  const kept = anchor(shown);
  arrange(ui.rows, shown);
  kept();
  const { open } = now.connections;
  const newest = open > all.length ? `the newest ${count(all.length)} of ${count(open)}` : `${count(open)} open`;
  put(ui.shown, words.length > 0 ? `${count(found.length)} found; ${newest}` : newest);
  put(ui.none, all.length > 0 ? "No connection has all of these words." : "No connections.");
  ui.none.hidden = found.length > 0;
}

function inOrder(one, other) {
  const { column: { key }, descending } = sorted;
  const [a, b] = [one[key], other[key]];
  const [hasA, hasB] = [a, b].map((value) => typeof value === "string" || Number.isFinite(value));
  if (hasA !== hasB) return hasA ? -1 : 1; // what is not known comes last, either way
  const difference = !hasA || a === b ? 0 : a < b ? -1 : 1;
  return (descending ? -difference : difference) || other.number - one.number;
}

function rowOf(connection) {
  let row = rows.get(connection.number);
  if (!row) {
    row = make("tr", "", ...COLUMNS.map(({ key, name, show }) => {
      const cell = make("td", show ? "figure" : "words");
      cell.dataset.key = key;
      cell.dataset.name = name;
      cell.setAttribute("role", "cell");
      cell.append(make("bdi", ""));
      return cell;
    }));
    row.setAttribute("role", "row");
    rows.set(connection.number, row);
  }
  row.classList.toggle("closing", connection.state !== "open");
  COLUMNS.forEach(({ key, show }, index) => {
    const value = connection[key];
    const cell = row.children[index];
    cell.classList.toggle("zero", !value);
    if (show) return put(cell.firstChild, show(value ?? NaN));
    const text = value.length > MAX_TEXT ? `${value.slice(0, MAX_TEXT)}…` : value;
    if (cell.title !== text) cell.title = text; // where it does not fit
    return put(cell.firstChild, text);
  });
  return row;
}

// Keeps what is read where it is while rows come and go above it. Not where the order itself moves each second:
// there one looks at places, such as the top, and not at a row. Returns what is to be done after the change.
function anchor(shown) {
  const box = ui.scroller;
  const from = box.scrollTop;
  const held = () => { if (box.scrollTop !== from) box.scrollTop = from; };
  if (from === 0 || sorted.column.moving) return held;
  const stays = new Set(shown);
  const top = from + ui.columns.offsetHeight;
  const first = Array.from(ui.rows.children).find((row) => stays.has(row) && row.offsetTop + row.offsetHeight > top);
  if (!first) return held;
  const offset = first.offsetTop - from;
  return () => { if (first.offsetTop - box.scrollTop !== offset) box.scrollTop = first.offsetTop - offset; };
}

function sortBy(column, descending) {
  sorted = { column, descending };
  for (const [index, head] of Array.from(ui.columns.children).entries()) {
    if (COLUMNS[index] === column) head.setAttribute("aria-sort", descending ? "descending" : "ascending");
    else head.removeAttribute("aria-sort");
  }
  ui.sort.value = column.key;
  put(ui.order, descending ? "Descending" : "Ascending");
  paintSoon();
}

function makeColumns() {
  ui.columns.append(...COLUMNS.map((column) => {
    const button = make("button", "", column.name);
    button.type = "button";
    const head = make("th", column.show ? "figure" : "words", button);
    head.scope = "col";
    head.setAttribute("role", "columnheader");
    head.dataset.key = column.key;
    button.addEventListener("click", () => {
      const again = sorted.column === column;
      sortBy(column, again ? !sorted.descending : Boolean(column.descending));
    });
    return head;
  }));
  ui.sort.append(...COLUMNS.map(({ key, name }) => new Option(name, key)));
  ui.sort.addEventListener("change", () => {
    const column = COLUMNS.find(({ key }) => key === ui.sort.value);
    sortBy(column, Boolean(column.descending));
  });
  ui.order.addEventListener("click", () => sortBy(sorted.column, !sorted.descending));
  sortBy(COLUMNS[0], true);
}

// --- the start

function start() {
  if (!location.protocol.startsWith("http") || !("WebSocket" in window)) {
    ui.unsupported.hidden = false;
    write(ui.unsupported, "WebSocket" in window ? "This page was opened from a file. Open it through the daemon."
      : "This browser has no WebSocket. Any current browser has it.");
    return;
  }
  makeColumns();
  ui.filter.addEventListener("input", paintSoon);
  ui.filter.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !ui.filter.value) return; // some browsers do this by themselves
    ui.filter.value = "";
    paintSoon();
  });
  ui.reconnect.addEventListener("click", connect);
  document.addEventListener("selectionchange", paintSoon);
  addEventListener("online", hurry);
  addEventListener("pagehide", abandon);
  addEventListener("pageshow", (event) => { if (event.persisted) connect(); });
  document.addEventListener("visibilitychange", () => { if (!document.hidden) hurry(); });
  connect();
}

start();
