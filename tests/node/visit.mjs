// Visits many URLs with Node's `ws`, some at a time, and prints what it saw of each, as a JSON list. The cases come as
// JSON in the standard input; tests/cases/vocabulary.py (`asked`) says what they hold.
import { createHash } from "node:crypto";
import { text } from "node:stream/consumers";
import WebSocket from "ws";

const AT_ONCE = 16;

function camelCase(name) {
  return name.replace(/_(.)/g, (_, letter) => letter.toUpperCase());
}

function offered(deflate) {
  if (typeof deflate === "boolean") return deflate;
  return Object.fromEntries(Object.entries(deflate).map(([name, value]) => [camelCase(name), value]));
}

function send(socket, message) {
  if (typeof message === "string") socket.send(message);
  else if ("payload" in message) socket.ping(message.payload);
  else socket.send("size" in message ? Buffer.alloc(message.size) : Buffer.from(message.binary, "hex"));
}

function shown(data, isBinary) {
  if (data.length > 10000) {
    const sha256 = createHash("sha256").update(data).digest("hex");
    return { type: isBinary ? "binary" : "text", size: data.length, sha256 };
  }
  return isBinary ? { binary: data.toString("hex") } : data.toString();
}

function visit({ url, offers, deflate, sends, until, linger, patience, maxSize, follows, origin }) {
  return new Promise((resolve) => {
    const at = {};
    const seen = { opened: false, messages: [], pings: [], pongs: [], behind: [], error: null, gave_up: false, at };
    const begun = performance.now();
    const mark = (event) => { at[event] = performance.now() - begun; };
    const socket = new WebSocket(url, offers, {
      rejectUnauthorized: false,
      perMessageDeflate: offered(deflate),
      origin: origin || undefined,
      followRedirects: follows,
      maxPayload: maxSize ?? 0,
    });
    let isClosing = false;
    let impatience;
    const wait = (milliseconds, then) => {
      clearTimeout(impatience);
      impatience = setTimeout(then, milliseconds);
    };
    const giveUp = () => {
      seen.gave_up = true;
      socket.terminate();
    };
    const close = () => {
      isClosing = true;
      socket.close(1000, "enough");
      wait(patience.closing, giveUp);
    };
    const loseInterest = () => {
      Object.assign(seen, { gave_up: true, held_up: socket.bufferedAmount > 0 });
      close();
    };
    const count = () => {
      const isEnough = Object.entries(until).every(([what, number]) => seen[what].length >= number);
      if (!isEnough || linger === null || at.enough || socket.readyState !== WebSocket.OPEN) return;
      mark("enough");
      if (linger === 0) close();
      else wait(linger, loseInterest);
    };
    const see = (what, content) => {
      seen[isClosing && what === "messages" ? "behind" : what].push(content);
      count();
    };
    wait(patience.connecting, giveUp);
    socket.on("unexpected-response", async (request, response) => {
      clearTimeout(impatience);
      const body = await text(response);
      request.destroy();
      resolve({ ...seen, status: response.statusCode, location: response.headers.location, body });
    });
    socket.on("open", () => {
      mark("opened");
      wait(patience.open, giveUp);
      Object.assign(seen, { opened: true, subprotocol: socket.protocol || null, extensions: socket.extensions });
      for (const message of sends) send(socket, message);
      count();
    });
    socket.on("message", (data, isBinary) => see("messages", shown(data, isBinary)));
    socket.on("ping", (data) => see("pings", data.toString()));
    socket.on("pong", (data) => see("pongs", data.toString()));
    socket.on("error", (error) => { seen.error ??= seen.gave_up ? null : error.message; });
    socket.on("close", (code, reason) => {
      mark("closed");
      clearTimeout(impatience);
      resolve({ ...seen, code, reason: reason.toString() });
    });
  });
}

const cases = JSON.parse(await text(process.stdin));
const results = [];
let next = 0;
const work = async () => {
  while (next < cases.length) {
    const number = next++;
    results[number] = await visit(cases[number]);
  }
};
await Promise.all(Array.from({ length: AT_ONCE }, work));
console.log(JSON.stringify(results));
