"""Puts a stamp on every request that does not have one."""

from tollgate_filter import Filter, Interest, filter


@filter
class Stamp(Filter):
    def __init__(self, config):
        self.value = config["value"]

    def interest(self):
        return Interest(request=["x-stamp"])

    def on_request(self, request):
        if request.field("x-stamp") is None:
            request.set("x-stamp", self.value)
