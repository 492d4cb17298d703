// Runs many connections with Node's `ws`, a few at a time, and prints what each of them saw, as a JSON list:
//   node behave.mjs < '[{"url": "ws://...", "subprotocols": [], "options": {}, "ping": false,
//                        "send": ["text", {"binary": "hex"}, {"size": 1000}], "until": {"messages": 1}}]'
// A connection is closed by this side, with 1000, once it has counted what `until` says. It is ended for good after
// `patience`, in milliseconds: what never comes has to be given up.
import { createHash } from "node:crypto";
import { text } from "node:stream/consumers";
import WebSocket from "ws";

const AT_ONCE = 16;

function octets(data) {
  if (typeof data === "string") return data;
  return "size" in data ? Buffer.alloc(data.size) : Buffer.from(data.binary, "hex");
}

function shown(data, isBinary) {
  if (data.length > 10000) return { size: data.length, sha256: createHash("sha256").update(data).digest("hex") };
  return isBinary ? { binary: data.toString("hex") } : data.toString();
}

function run({ url, subprotocols = [], options = {}, send = [], ping = false, until = {}, patience = 10000 }) {
  return new Promise((resolve) => {
    const seen = { opened: false, messages: [], pings: [], pongs: [], error: null };
    const begun = performance.now();
    const elapsed = () => Math.round(performance.now() - begun);
    const socket = new WebSocket(url, subprotocols, { rejectUnauthorized: false, perMessageDeflate: false, ...options });
    const impatience = setTimeout(() => {
      seen.gaveUp = true;
      seen.buffered = socket.bufferedAmount;
      socket.terminate();
    }, patience);

    const counted = () => {
      const counts = Object.entries(until);
      const enough = counts.length > 0 && counts.every(([what, count]) => seen[what].length >= count);
      if (enough && socket.readyState === WebSocket.OPEN) {
        seen.enoughAfter = elapsed();
        socket.close(1000, "enough");
      }
    };
    socket.on("unexpected-response", (request, response) => {
      seen.status = response.statusCode;
      seen.location = response.headers.location;
      text(response).then((body) => {
        clearTimeout(impatience);
        seen.body = body;
        request.destroy();
        resolve(seen);
      });
    });
    socket.on("open", () => {
      seen.opened = true;
      seen.openedAfter = elapsed();
      seen.subprotocol = socket.protocol;
      seen.extensions = socket.extensions;
      if (ping) socket.ping("are you there");
      for (const message of send) socket.send(octets(message));
    });
    socket.on("message", (data, isBinary) => {
      seen.messages.push(shown(data, isBinary));
      counted();
    });
    socket.on("ping", (data) => {
      seen.pings.push(data.toString());
      counted();
    });
    socket.on("pong", (data) => {
      seen.pongs.push(data.toString());
      counted();
    });
    socket.on("error", (error) => {
      seen.error = error.message;
    });
    socket.on("close", (code, reason) => {
      seen.code = code;
      seen.closedAfter = elapsed();
      seen.reason = reason.toString();
      clearTimeout(impatience);
      resolve(seen);
    });
  });
}

const cases = JSON.parse(await text(process.stdin));
const results = [];
let next = 0;
async function work() {
  while (next < cases.length) {
    const number = next++;
    results[number] = await run(cases[number]);
  }
}
await Promise.all(Array.from({ length: AT_ONCE }, work));
console.log(JSON.stringify(results));
