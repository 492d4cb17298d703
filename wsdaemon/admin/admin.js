/* Status page: the snapshots of the daemon's feed as numbers, small plots and a list.

   Each message is stored at once, so that plots have no gaps, but painted with the next animation frame: a hidden tab
   has none, and so costs nothing. When a message cannot be understood, the feed counts as lost. */
"use strict";

const MOST_SHOWN = 20; // close codes, causes of refusals

const CLOSE_CODES = {
  1000: "normal closure", 1001: "going away", 1002: "protocol error", 1003: "unsupported data", 1005: "no status code",
  1006: "abnormal closure", 1007: "invalid payload", 1008: "policy violation", 1009: "message too big",
  1010: "extension missing", 1011: "internal error", 1012: "service restart", 1013: "try again later",
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

// Counters; their differences are the rates.
function countersOf({ totals, close_codes: codes, refusals }) {
  const sum = (counts) => Object.values(counts).reduce((all, each) => all + each, 0);
  return {
    messagesIn: totals.messages_in, messagesOut: totals.messages_out,
    bytesIn: totals.bytes_in, bytesOut: totals.bytes_out,
    closesReceived: sum(codes.received), closesSent: sum(codes.sent), refused: sum(refusals),
  };
}

let before = null; // { time, uptime, counters } of the previous message
let rates = {}; // by the names of the counters
let traffic = new Map(); // number -> { bytesIn, bytesOut, rateIn, rateOut }

// Throws if the message does not have the expected form.
function remember(message) {
  const counters = countersOf(message);
  const passed = before && message.uptime >= before.uptime ? message.time - before.time : NaN; // else it has restarted
  rates = {};
  for (const [name, value] of Object.entries(counters)) rates[name] = rate(value, before?.counters[name], passed);
  const old = traffic;
  traffic = new Map(message.list.map(({ number, bytes_in: bytesIn, bytes_out: bytesOut }) => {
    const last = old.get(number);
    const [rateIn, rateOut] = [rate(bytesIn, last?.bytesIn, passed), rate(bytesOut, last?.bytesOut, passed)];
    return [number, { bytesIn, bytesOut, rateIn, rateOut }];
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

// The daemon sends 0 for what its system does not report.
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
    if (socket) lost(STRANGE); // the page is out of date now, and must not say that it is live
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
  put(ui.lag, milliseconds(now.loop_lag.max)); // since the previous message
  put(ui.lagMax, milliseconds(samples.highest("lag")));
  put(ui.backlog, bytes(now.backlog));
  put(ui.memory, bytes(known(now.memory)));
  put(ui.descriptors, count(known(descriptors.open)));
  put(ui.descriptorsLimit, descriptors.limit < 0 ? "none" : count(known(descriptors.limit)));
  for (const [name, value] of Object.entries(totals)) {
    put(ui.totals.querySelector(`[data-total="${name}"]`) ?? totalCell(name), count(value));
  }
}

// Returns a cell for a total that index.html has no row for.
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

// Fills a table of names and counts, the largest first; a row is reused while its name is in the table.
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
    : rest.length > 0 ? `And ${count(rest.length)} others, ${count(times)} in total.` : "");
}

function countRow(name, columns) {
  const head = make("th", "", make("bdi", "", name));
  head.scope = "row";
  const row = make("tr", "", head, ...Array.from({ length: columns }, () => make("td", "")));
  row.dataset.name = name;
  return row;
}

// Makes `rows` the children of `body`; moves as few as it can, and none while there is a selection in it.
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
      : "This browser does not support WebSocket.");
    return;
  }
  document.addEventListener("selectionchange", paintSoon);
  startList();
  startFeed();
}

start();
