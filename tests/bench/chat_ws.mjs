// What a node is compared with: the same broadcast on npm's `ws`; no rights, no log.
import { createServer } from "node:http";
import { WebSocketServer } from "ws";

const rooms = new Map();
const server = createServer();
const sockets = new WebSocketServer({ server, perMessageDeflate: false });

sockets.on("connection", (socket, request) => {
  const name = new URL(request.url, "http://localhost").searchParams.get("room");
  if (!rooms.has(name)) rooms.set(name, { members: new Set(), seq: 0 });
  const room = rooms.get(name);
  room.members.add(socket);
  socket.on("message", (data) => {
    const d = JSON.parse(data).d;
    room.seq += 1;
    const text = JSON.stringify({ t: "message.posted", room: name, seq: room.seq, d });
    for (const member of room.members) member.send(text);
  });
  socket.on("close", () => room.members.delete(socket));
  socket.on("error", () => room.members.delete(socket));
  socket.send('{"t":"ready","d":{}}');
});

server.listen(0, "127.0.0.1", 4096, () => {
  console.log(`ready http://127.0.0.1:${server.address().port}`);
});
process.on("SIGTERM", () => process.exit(0));
