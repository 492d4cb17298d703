// Node's `ws`: echoes at /, sends each message to all at /broadcast, and agrees to permessage-deflate.
//   node server.mjs PORT TLS_PORT CERTIFICATE KEY
import { readFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import { WebSocketServer } from "ws";

const [port, tlsPort, certificate, key] = process.argv.slice(2);
const BACKLOG = 4096;
const room = new Set();

function echo(data, isBinary) {
  this.send(data, { binary: isBinary });
}

function broadcast(data, isBinary) {
  for (const member of room) member.send(data, { binary: isBinary });
}

function serve(server, port) {
  const sockets = new WebSocketServer({ server, perMessageDeflate: true, maxPayload: 32 << 20 });
  sockets.on("connection", (socket, request) => {
    socket.on("error", () => {});
    if (request.url === "/broadcast") {
      room.add(socket);
      socket.on("close", () => room.delete(socket));
      socket.on("message", broadcast);
    } else {
      socket.on("message", echo);
    }
  });
  server.listen({ port: Number(port), host: "127.0.0.1", backlog: BACKLOG });
}

serve(http.createServer(), port);
serve(https.createServer({ cert: readFileSync(certificate), key: readFileSync(key) }), tlsPort);
