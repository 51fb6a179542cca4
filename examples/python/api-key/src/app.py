"""Knows consumers by their API keys: a request with a known key goes on as its consumer's, any other is answered."""

import hashlib
import re

from tollgate_filter import Filter, Interest, Reply, filter

DIGEST = re.compile("[0-9A-Fa-f]{64}")


@filter
class ApiKey(Filter):
    def __init__(self, config):
        self.header = config.get("header", "x-api-key").lower()
        self.consumers = {}
        for number, key in enumerate(config["keys"]):
            if not DIGEST.fullmatch(key["sha256"]):
                raise ValueError(f"keys[{number}].sha256: is no digest; write what `printf %s KEY | sha256sum` prints")
            # Whoever measures how a digest is looked up knows that of the key that they sent anyway.
            self.consumers[bytes.fromhex(key["sha256"])] = key["consumer"]
        if not self.consumers:
            raise ValueError("keys: is empty, so nobody could pass; add `consumer` and `sha256` of a key")

    def interest(self):
        return Interest(request=[self.header])

    def on_request(self, request):
        key = request.field_bytes(self.header)
        if key is None:
            return self.refuse(f"Send an API key in the header `{self.header}`.")
        consumer = self.consumers.get(hashlib.sha256(key).digest())
        if consumer is None:
            return self.refuse("The API key is not known.")
        request.set("@subject", consumer)
        request.remove(self.header)

    def refuse(self, detail):
        challenge = f'ApiKey in="header", name="{self.header}"'
        return Reply.problem(401, "Unauthorized", detail).field("www-authenticate", challenge)
