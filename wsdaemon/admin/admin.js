/* The status page: what the daemon's feed says once a second, as numbers, small plots and a list.

   A message is kept at once, for a plot without holes, but shown with the next frame: a hidden tab has none, and so
   costs nothing. What the page cannot read it does not show: the feed counts as lost. */
"use strict";

const MOST_SHOWN = 20; // close codes, causes of refusals

const CLOSE_CODES = {
  1000: "normal end", 1001: "going away", 1002: "protocol error", 1003: "unacceptable data", 1005: "no code given",
  1006: "connection lost", 1007: "invalid text", 1008: "against the rules", 1009: "message too big",
  1010: "extension missing", 1011: "internal error", 1012: "restarting", 1013: "try again later",
  1014: "bad gateway",
};

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

// --- samples of each message

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

// --- numbers, plots and tables

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
  for (const [name, value] of Object.entries(totals)) {
    put(ui.totals.querySelector(`[data-total="${name}"]`) ?? totalCell(name), count(value));
  }
}

// A total that index.html has no row for, such as a counter's that the daemon has learnt since.
function totalCell(name) {
  const row = countRow(name.replaceAll("_", " "), 1);
  const cell = row.lastChild;
  cell.dataset.total = name;
  cell.colSpan = 2;
  ui.totals.tBodies[1].append(row);
  return cell;
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

// --- the start

function start() {
  if (!location.protocol.startsWith("http") || !("WebSocket" in window)) {
    ui.unsupported.hidden = false;
    write(ui.unsupported, "WebSocket" in window ? "This page was opened from a file. Open it through the daemon."
      : "This browser has no WebSocket. Any current browser has it.");
    return;
  }
  document.addEventListener("selectionchange", paintSoon);
  startList();
  startFeed();
}

start();
