"""Rewrites the heads of requests and responses: removes fields, sets them, adds them."""

from tollgate_filter import Filter, filter


@filter
class Headers(Filter):
    def __init__(self, config):
        self.request = config.get("request", {})
        self.response = config.get("response", {})

    def on_request(self, request):
        apply(request, self.request)

    def on_response(self, response):
        apply(response, self.response)


def apply(message, changes):
    for name in changes.get("remove", ()):
        message.remove(name)
    for name, value in changes.get("set", {}).items():
        message.set(name, value)
    for name, value in changes.get("add", {}).items():
        message.add(name, value)
