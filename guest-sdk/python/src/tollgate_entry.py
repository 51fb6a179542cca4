"""What the component exports: the author's module ``app``, between the types of the interface and those of the SDK."""

import json
import sys
from types import SimpleNamespace as Record

import app  # noqa: F401 - it marks its filter
from componentize_py_types import Err
from tollgate_filter.answers import ABORT, HOLD, End, Replace, Reply
from tollgate_filter.filter import implemented, registered
from tollgate_filter.gateway import GatewayError
from tollgate_filter.message import Piece, Request, Response, Trailers
from wit_world import exports
from wit_world.imports import types

# A record may be anything that has its fields, and a case needs no more than its class: what Python makes by itself costs a hook less than
# the constructors of the generated types, which are functions in Python.
FORWARD = types.HeadAction_Forward()
PASS = types.BodyAction_Pass()
NO_EDITS = Record(action=FORWARD, edits=[])
EDITS = {"set": types.Edit_Set, "add": types.Edit_Add, "remove": types.Edit_Remove}
new = object.__new__
# Facts are two values, `data` and `ends`, which are `start` and `stop` of a slice.
types.Facts = slice


def edits_of(message):
    edits = []
    for kind, name, value in message.edits:
        edit = new(EDITS[kind])
        edit.value = name if kind == "remove" else Record(name=name, value=value)
        edits.append(edit)
    return edits


def reply_of(reply):
    return types.Reply(reply.status, [types.Field(name, value) for name, value in reply.fields], reply.body)


def fault(error):
    told = str(error) if isinstance(error, (ValueError, GatewayError)) else f"{type(error).__name__}: {error}"
    return Err(told + places(error))


def places(error):
    """Where it was raised, the innermost function first, in lines that the gateway knows. The SDK's own are left out."""
    frames, trace = [], error.__traceback__
    while trace is not None:
        code, line, trace = trace.tb_frame.f_code, trace.tb_lineno, trace.tb_next
        if not code.co_filename.endswith("tollgate_entry.py") and "tollgate_filter" not in code.co_filename:
            file = code.co_filename
            for folder in sys.path:
                file = file.removeprefix(folder.rstrip("/") + "/")
            frames.append(f"\n    at {code.co_qualname} (src/{file}:{line})")
    return "".join(reversed(frames[-16:]))


def looker(direction):
    """What asks the gateway for a fact of a request (0) or a response."""

    def look_up(exchange, name):
        try:
            from wit_world.imports import exchange as gateway
        except ImportError:
            raise ValueError(
                f'{name} is not in the interest of the filter; name it there, or write "exchange" to "imports" of manifest.json'
            ) from None
        return gateway.get(exchange, gateway.Message(direction), name)

    return look_up


LOOK_UP = (looker(0), looker(1))


class Hooks(exports.Hooks):
    """Made anew for each call, so there is one that all of them are."""

    _only = None

    def __new__(cls):
        if cls._only is None:
            cls._only = super().__new__(cls)
        return cls._only

    def configure(self, configuration):
        try:
            self.filter = registered()(json.loads(configuration))
            interest = self.filter.interest()
        except KeyError as error:
            raise Err(f"{error.args[0]}: is missing") from None
        except Exception as error:
            raise fault(error) from None
        self.states = {}
        self.places = tuple(
            {name: place for place, name in enumerate(names)} for names in (interest.request, interest.response)
        )
        present = implemented(type(self.filter))
        # State is given up when the exchange ends, so the end is of interest to whoever is called more than once for one: a body hook is.
        present[6] = present[6] or present[1] or present[4] or sum(present[:6]) > 1
        self.keeps_state = present[6]
        self.on_request_head = self.head_hook(Request, 0, self.filter.on_request)
        self.on_response_head = self.head_hook(Response, 1, self.filter.on_response)
        hooks = types.Hooks(0)
        for bit, is_present in enumerate(present):
            if is_present:
                hooks |= types.Hooks(1 << bit)
        mode = lambda whole: types.BodyMode.WHOLE if whole else types.BodyMode.PIECES
        return types.Subscription(
            hooks, interest.request, interest.response, mode(interest.whole_request_body), mode(interest.whole_response_body),
            interest.tick_ms,
        )

    def state(self, exchange):
        return self.states.setdefault(exchange, {}) if self.keeps_state else {}

    def head_hook(self, kind, direction, hook):
        """A head hook with all that it needs at hand: it is what is called most."""
        places, look_up, states, keeps_state = self.places[direction], LOOK_UP[direction], self.states, self.keeps_state

        def on_head(exchange, facts):
            state = states.setdefault(exchange, {}) if keeps_state else {}
            message = kind(facts.start, facts.stop, places, state, look_up, exchange)
            try:
                answer = hook(message)
                if answer is None:
                    return Record(action=FORWARD, edits=edits_of(message)) if message.edits else NO_EDITS
                if answer is HOLD:
                    return Record(action=types.HeadAction_Hold(), edits=edits_of(message))
                if isinstance(answer, Reply):
                    return Record(action=types.HeadAction_Reply(reply_of(answer)), edits=[])
            except Exception as error:
                raise fault(error) from None
            raise Err(f"a head hook cannot return {answer!r}")

        return on_head

    def body(self, kind, direction, hook, exchange, piece, last):
        message = kind(b"", (), {}, self.state(exchange), LOOK_UP[direction], exchange)
        try:
            answer = hook(message, Piece(piece, last))
            if answer is None:
                action = PASS
            elif isinstance(answer, (Replace, str, bytes)):
                content = answer.content if isinstance(answer, Replace) else Replace(answer).content
                action = types.BodyAction_Replace(content)
            elif isinstance(answer, Reply):
                action = types.BodyAction_Reply(reply_of(answer))
            elif isinstance(answer, End):
                action = types.BodyAction_End(answer.content)
            elif answer is ABORT:
                action = types.BodyAction_Abort()
            else:
                raise ValueError(f"a body hook cannot return {answer!r}")
            return types.BodyAnswer(action, message.released, edits_of(message))
        except Exception as error:
            raise fault(error) from None

    def trailers(self, kind, direction, hook, exchange, fields):
        message = kind(b"", (), {}, self.state(exchange), LOOK_UP[direction], exchange)
        trailers = Trailers([(field.name, field.value) for field in fields])
        try:
            answer = hook(message, trailers)
            if answer is None:
                action = types.TrailersAction_Pass()
            elif isinstance(answer, Reply):
                action = types.TrailersAction_Reply(reply_of(answer))
            elif answer is ABORT:
                action = types.TrailersAction_Abort()
            else:
                raise ValueError(f"a trailers hook cannot return {answer!r}")
            return types.TrailersAnswer(action, edits_of(trailers))
        except Exception as error:
            raise fault(error) from None

    # Made by `configure`.
    on_request_head = on_response_head = None

    def on_request_body(self, exchange, piece, last):
        return self.body(Request, 0, self.filter.on_request_body, exchange, piece, last)

    def on_response_body(self, exchange, piece, last):
        return self.body(Response, 1, self.filter.on_response_body, exchange, piece, last)

    def on_request_trailers(self, exchange, fields):
        return self.trailers(Request, 0, self.filter.on_request_trailers, exchange, fields)

    def on_response_trailers(self, exchange, fields):
        return self.trailers(Response, 1, self.filter.on_response_trailers, exchange, fields)

    def on_exchange_end(self, exchange):
        self.filter.on_end(self.states.pop(exchange, {}))

    def on_tick(self):
        try:
            self.filter.on_tick()
        except Exception as error:
            raise fault(error) from None
