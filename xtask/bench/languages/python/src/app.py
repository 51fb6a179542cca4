"""Three reads and one write: what the bench of languages measures in each of them."""

from tollgate_filter import Filter, Interest, filter


@filter
class ThreeReads(Filter):
    def interest(self):
        return Interest(request=["user-agent", "accept", "x-api-key"])

    def on_request(self, request):
        request.set("x-out", f"{request.field('user-agent')}{request.field('accept')}{request.field('x-api-key')}")
