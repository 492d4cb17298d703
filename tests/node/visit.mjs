// Visits many URLs with Node's `ws` and prints what it saw of each, as a JSON list. The cases come as JSON in the
// standard input.
import { readFileSync } from "node:fs";
import { text } from "node:stream/consumers";
import WebSocket from "ws";

const visitAll = eval(readFileSync(new URL("../cases/visit.js", import.meta.url), "utf8"));

function camelCase(name) {
  return name.replace(/_(.)/g, (_, letter) => letter.toUpperCase());
}

function offered(deflate) {
  if (typeof deflate === "boolean") return deflate;
  return Object.fromEntries(Object.entries(deflate).map(([name, value]) => [camelCase(name), value]));
}

function make({ url, offers, deflate, maxSize, follows, origin }) {
  return new WebSocket(url, offers, {
    rejectUnauthorized: false,
    perMessageDeflate: offered(deflate),
    origin: origin || undefined,
    followRedirects: follows,
    maxPayload: maxSize ?? 0,
    maxPendingAutoPongs: 0, // by default, a client that is too busy for a flood of pings cuts the connection
  });
}

const own = {
  ping: (socket, payload) => socket.ping(payload),
  terminate: (socket) => socket.terminate(),
  watch(socket, see, finish) {
    socket.on("ping", (data) => see("pings", data.toString()));
    socket.on("pong", (data) => see("pongs", data.toString()));
    socket.on("unexpected-response", async (request, response) => {
      const body = await text(response);
      request.destroy();
      finish({ status: response.statusCode, location: response.headers.location, body });
    });
  },
};

const cases = JSON.parse(await text(process.stdin));
console.log(JSON.stringify(await visitAll(cases, 16, make, own)));
