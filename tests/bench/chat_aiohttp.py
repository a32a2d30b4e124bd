"""What a node is compared with: a broadcast in aiohttp as most would write it; no rights, no log."""

import asyncio
import json
from collections import defaultdict
from itertools import count

import uvloop
from aiohttp import WSMsgType, web

rooms: defaultdict[str, set[web.WebSocketResponse]] = defaultdict(set)
seqs: defaultdict[str, "count[int]"] = defaultdict(lambda: count(1))


async def serve(request: web.Request) -> web.WebSocketResponse:
    room = request.query["room"]
    ws = web.WebSocketResponse(compress=False)
    await ws.prepare(request)
    rooms[room].add(ws)
    await ws.send_str('{"t":"ready","d":{}}')
    try:
        async for message in ws:
            if message.type is WSMsgType.TEXT:
                await tell(room, json.loads(message.data)["d"])
    finally:
        rooms[room].discard(ws)
    return ws


async def tell(room: str, d: object) -> None:
    event = {"t": "message.posted", "room": room, "seq": next(seqs[room]), "d": d}
    text = json.dumps(event, separators=(",", ":"))
    for member in tuple(rooms[room]):
        await member.send_str(text)


async def main() -> None:
    app = web.Application()
    app.router.add_get("/ws", serve)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=4096).start()
    print(f"ready http://127.0.0.1:{runner.addresses[0][1]}", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main())
