"""A WebSocket server that sends back what it gets, and writes down how each connection ended."""

import asyncio

from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed


async def echo(connection):
    try:
        async for message in connection:
            await connection.send(message)
    except ConnectionClosed:
        pass
    code, reason = connection.close_code, connection.close_reason
    print(f"closed {code} {reason}", flush=True)


async def main():
    async with serve(echo, "127.0.0.1", 0, subprotocols=["chat", "superchat"], max_size=64 << 20) as server:
        print(f"listening {server.sockets[0].getsockname()[1]}", flush=True)
        await server.serve_forever()


asyncio.run(main())
