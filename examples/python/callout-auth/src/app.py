"""Lets requests through that an authorization service allows, and says nothing to those that it does not know."""

from tollgate_filter import Filter, Interest, Reply, callout, filter

REFUSALS = {401: Reply.problem(401, "Unauthorized"), 403: Reply.problem(403, "Forbidden"), 302: Reply(302), 303: Reply(303)}
"""What a client who is refused gets, and which fields of the service's answer with it."""
SHOWN = ("www-authenticate", "location")


@filter
class CalloutAuth(Filter):
    def __init__(self, config):
        self.upstream = config["upstream"]
        self.path = config.get("path", "/")
        self.fields = [name.lower() for name in config.get("fields", ["authorization", "cookie"])]
        self.consumer = config.get("consumer")
        self.timeout = config.get("timeout-ms", 500) / 1000

    def interest(self):
        return Interest(request=[":method", ":path", *self.fields])

    def on_request(self, request):
        # A service that does not answer is a fault: what becomes of the request then is the policy's `on-fault`.
        verdict = self.question(request).send()
        if 200 <= verdict.status < 300:
            consumer = verdict.field(self.consumer) if self.consumer else None
            if consumer is not None:
                request.set("@consumer", consumer)
            return None
        if verdict.status not in REFUSALS:
            raise ValueError(f"the authorization service answered {verdict.status}")
        refusal = REFUSALS[verdict.status]
        reply = Reply(refusal.status, refusal.body, dict(refusal.fields))
        for name in SHOWN:
            value = verdict.field(name)
            if value is not None:
                reply.field(name, value)
        return reply

    def question(self, request):
        question = callout.Request(self.upstream, self.path, timeout=self.timeout)
        question.field("x-original-method", request.method).field("x-original-path", request.path)
        for name in self.fields:
            value = request.field_bytes(name)
            if value is not None:
                question.field(name, value)
        return question
