"""A gRPC service whose messages are plain bytes: unary and all streaming kinds, with metadata and statuses."""

import time
from concurrent import futures

import grpc

same = lambda message: message  # noqa: E731


def metadata(context):
    return dict(context.invocation_metadata())


def unary(request, context):
    told = metadata(context)
    context.send_initial_metadata((("x-seen", told.get("x-own", "none")), ("x-te", told.get("te", "none"))))
    context.set_trailing_metadata((("x-trailer", "of the end"), ("x-raw-bin", b"\x00\xff")))
    return request


def fail(request, context):
    context.set_trailing_metadata((("x-trailer", "of the failure"),))
    context.abort(grpc.StatusCode.FAILED_PRECONDITION, request.decode())


def server_stream(request, context):
    count, size = map(int, request.split(b","))
    for index in range(count):
        yield bytes([index % 256]) * size


def client_stream(requests, context):
    total = sum(len(request) for request in requests)
    return str(total).encode()


def bidi(requests, context):
    for request in requests:
        yield request


def never(request, context):
    while context.is_active():
        time.sleep(0.02)
    return b""


METHODS = {
    "Unary": grpc.unary_unary_rpc_method_handler(unary, same, same),
    "Fail": grpc.unary_unary_rpc_method_handler(fail, same, same),
    "ServerStream": grpc.unary_stream_rpc_method_handler(server_stream, same, same),
    "ClientStream": grpc.stream_unary_rpc_method_handler(client_stream, same, same),
    "Bidi": grpc.stream_stream_rpc_method_handler(bidi, same, same),
    "Never": grpc.unary_unary_rpc_method_handler(never, same, same),
}

OPTIONS = [("grpc.max_receive_message_length", 64 << 20), ("grpc.max_send_message_length", 64 << 20)]
server = grpc.server(futures.ThreadPoolExecutor(16), options=OPTIONS)
server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Bytes", METHODS),))
port = server.add_insecure_port("127.0.0.1:0")
server.start()
print(f"listening {port}", flush=True)
server.wait_for_termination()
