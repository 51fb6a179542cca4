"""Counts the requests of each client address, in the store that all workers share, and refuses those beyond a number."""

from tollgate_filter import Filter, Interest, Reply, filter, store


@filter
class Counter(Filter):
    def __init__(self, config):
        self.limit = config["limit"]
        self.window = config["window"]
        if self.limit < 1:
            raise ValueError("limit: is below 1; write how many requests may come in a window")
        if self.window < 1:
            raise ValueError("window: is below 1; write the seconds of a window")

    def interest(self):
        return Interest(request=["@client-address"])

    def on_request(self, request):
        # A store that cannot be used is a fault: what becomes of the request then is the policy's `on-fault`.
        count = store.own().increment(f"requests:{request.field('@client-address')}", ttl=self.window)
        if count > self.limit:
            return Reply.problem(429, "Too Many Requests")
        request.set("x-request-count", str(count))
