"""A WebSocket client that does what its arguments say, and writes down what came of it."""

import asyncio
import hashlib
import os
import sys

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus


async def main(uri, *steps):
    try:
        connection = await connect(uri, subprotocols=["superchat"], max_size=64 << 20, proxy=None, ping_interval=None)
    except InvalidStatus as refused:
        print(f"refused {refused.response.status_code}", flush=True)
        return
    print(f"subprotocol {connection.subprotocol}", flush=True)
    extensions = [extension.name for extension in connection.protocol.extensions]
    print(f"extensions {','.join(extensions)}", flush=True)
    for step in steps:
        name, _, argument = step.partition(":")
        if name == "text":
            await connection.send(argument)
            print(f"text {await connection.recv()}", flush=True)
        elif name == "binary":
            content = os.urandom(int(argument))
            await connection.send(content)
            same = hashlib.sha256(await connection.recv()).digest() == hashlib.sha256(content).digest()
            print(f"binary {same}", flush=True)
        elif name == "pieces":
            await connection.send(iter(argument.split(",")))
            print(f"pieces {await connection.recv()}", flush=True)
        elif name == "ping":
            await (await connection.ping())
            print("pong", flush=True)
        elif name == "close":
            code, _, reason = argument.partition(",")
            await connection.close(int(code), reason)
        elif name == "wait":
            try:
                await connection.recv()
            except ConnectionClosed:
                print(f"closed {connection.close_code}", flush=True)


asyncio.run(main(*sys.argv[1:]))
