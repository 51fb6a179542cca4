"""Calls the service of grpc_server.py in the ways that its arguments name, and writes down what came of each."""

import hashlib
import sys

import grpc

same = lambda message: message  # noqa: E731
OPTIONS = [
    ("grpc.max_receive_message_length", 64 << 20),
    ("grpc.max_send_message_length", 64 << 20),
    ("grpc.enable_http_proxy", 0),
    ("grpc.enable_retries", 0),
]
channel = grpc.insecure_channel(sys.argv[1], options=OPTIONS)


def show(pairs):
    return " ".join(f"{key}={value}" for key, value in pairs if key.startswith("x-"))


def unary(argument):
    call = channel.unary_unary("/test.Bytes/Unary", same, same)
    answer, rpc = call.with_call(argument.encode(), metadata=(("x-own", "mine"),), timeout=20)
    print(f"unary {answer.decode()} [{show(rpc.initial_metadata())}] [{show(rpc.trailing_metadata())}]", flush=True)


def large(argument):
    content = b"\x2a" * int(argument)
    answer = channel.unary_unary("/test.Bytes/Unary", same, same)(content, timeout=20)
    print(f"large {hashlib.sha256(answer).digest() == hashlib.sha256(content).digest()}", flush=True)


def server_stream(argument):
    answers = list(channel.unary_stream("/test.Bytes/ServerStream", same, same)(argument.encode(), timeout=20))
    print(f"server-stream {len(answers)} {sum(map(len, answers))}", flush=True)


def client_stream(argument):
    count, size = map(int, argument.split(","))
    requests = (b"x" * size for _ in range(count))
    answer = channel.stream_unary("/test.Bytes/ClientStream", same, same)(requests, timeout=20)
    print(f"client-stream {answer.decode()}", flush=True)


def bidi(argument):
    """Each message is only sent once the answer to the one before is there."""
    import queue

    pending = queue.Queue()
    answers = channel.stream_stream("/test.Bytes/Bidi", same, same)(iter(pending.get, None), timeout=20)
    told = []
    for word in argument.split(","):
        pending.put(word.encode())
        told.append(next(answers).decode())
    pending.put(None)
    print(f"bidi {','.join(told)} {len(list(answers))}", flush=True)


def call(argument):
    """Any method, for its failure."""
    path, _, content = argument.partition(",")
    try:
        channel.unary_unary(path, same, same)(content.encode(), timeout=20)
        print("call OK", flush=True)
    except grpc.RpcError as error:
        print(f"call {error.code().name} {error.details()} [{show(error.trailing_metadata() or ())}]", flush=True)


def deadline(argument):
    try:
        channel.unary_unary("/test.Bytes/Never", same, same)(b"", timeout=float(argument))
    except grpc.RpcError as error:
        print(f"deadline {error.code().name}", flush=True)


STEPS = {
    "unary": unary,
    "large": large,
    "server-stream": server_stream,
    "client-stream": client_stream,
    "bidi": bidi,
    "call": call,
    "deadline": deadline,
}
for step in sys.argv[2:]:
    name, _, argument = step.partition(":")
    STEPS[name](argument)
