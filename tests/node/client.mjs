// Runs one check against a WebSocket address with Node's `ws` and prints what it saw as JSON:
//   node client.mjs URL '{"subprotocols": [...], "messages": ["text", {"binary": "hex"}], "deflate": true, "close": 1000}'
import WebSocket from "ws";

const [url, text] = process.argv.slice(2);
const options = JSON.parse(text);
const socket = new WebSocket(url, options.subprotocols ?? [], {
  perMessageDeflate: options.deflate ?? false,
  headers: options.headers ?? {},
  rejectUnauthorized: false,
});
const seen = { messages: [] };

socket.on("unexpected-response", (request, response) => {
  seen.status = response.statusCode;
  console.log(JSON.stringify(seen));
  request.destroy();
});
socket.on("open", () => {
  seen.subprotocol = socket.protocol;
  seen.extensions = socket.extensions;
  for (const message of options.messages ?? []) {
    socket.send(typeof message === "string" ? message : Buffer.from(message.binary, "hex"));
  }
  socket.ping("ping");
});
socket.on("message", (data, isBinary) => {
  seen.messages.push(isBinary ? { binary: data.toString("hex") } : data.toString());
});
// Frames are answered in order: the pong comes behind every answer.
socket.on("pong", () => socket.close(options.close ?? 1000, "done"));
socket.on("close", (code, reason) => {
  seen.close = code;
  seen.reason = reason.toString();
  console.log(JSON.stringify(seen));
});
socket.on("error", (error) => { seen.error = error.message; });
