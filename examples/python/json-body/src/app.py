"""Removes and sets members of JSON objects in response bodies."""

import json
import re

from tollgate_filter import Filter, Interest, filter

SPACE = re.compile(r"[ \t\n\r]*")


@filter
class JsonBody(Filter):
    def __init__(self, config):
        self.removed = frozenset(config.get("remove", ()))
        self.set = {name: json.dumps(value) for name, value in config.get("set", {}).items()}

    def interest(self):
        return Interest(response=["content-type"], whole_response_body=True)

    def on_response(self, response):
        kind = response.field("content-type") or ""
        response.state["is_json"] = kind.split(";")[0].strip().lower() == "application/json"

    def on_response_body(self, response, piece):
        if not response.state["is_json"]:
            return None
        try:
            found = members(piece.content.decode())
        except ValueError:
            return None
        if found is None:
            return None
        kept = [(name, self.set.get(name, value)) for name, value in found if name not in self.removed]
        known = {name for name, _ in kept}
        kept += [(name, value) for name, value in self.set.items() if name not in known]
        return "{" + ",".join(f"{json.dumps(name)}:{value}" for name, value in kept) + "}"


def refuse(constant):
    raise ValueError(f"{constant} is no JSON")


def members(text):
    """The names of an object's members, with their values as they are written: numbers would lose digits otherwise. None if it is no object."""
    decoder = json.JSONDecoder(parse_constant=refuse)

    def skip(at):
        return SPACE.match(text, at).end()

    at = skip(0)
    if text[at : at + 1] != "{":
        return None
    found, at = [], skip(at + 1)
    is_first = True
    while text[at : at + 1] != "}":
        if not is_first:
            at = expect(text, at, ",", skip)
        is_first = False
        if text[at : at + 1] != '"':
            raise ValueError("a name is missing")
        name, at = decoder.raw_decode(text, at)
        start = expect(text, skip(at), ":", skip)
        _, end = decoder.raw_decode(text, start)
        found.append((name, text[start:end]))
        at = skip(end)
    if skip(at + 1) != len(text):
        raise ValueError("there is more behind the object")
    return found


def expect(text, at, sign, skip):
    if text[at : at + 1] != sign:
        raise ValueError(f"{sign} is missing")
    return skip(at + 1)
