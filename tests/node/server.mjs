// An echo server with Node's `ws`: prints its port. With CERT and KEY in its arguments, over TLS.
//   node server.mjs [CERT KEY]
import { readFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import { WebSocketServer } from "ws";

const [cert, key] = process.argv.slice(2);
const server = cert ? https.createServer({ cert: readFileSync(cert), key: readFileSync(key) }) : http.createServer();
const sockets = new WebSocketServer({ server, perMessageDeflate: true, handleProtocols: (offered) => [...offered][0] });
sockets.on("connection", (socket) => {
  socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }));
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
