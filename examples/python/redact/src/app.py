"""Hides words in response bodies as these stream: what may still become a word is held back until the next piece."""

import re

from tollgate_filter import Filter, filter


@filter
class Redact(Filter):
    def __init__(self, config):
        self.words = [word.encode() for word in config["words"]]
        if not self.words or not all(self.words):
            raise ValueError("words: is empty, or one of them is; write what is to be hidden")
        self.longest = max(len(word) for word in self.words)
        # Of alternatives the first one counts, so the longest comes first.
        alternatives = (re.escape(word) for word in sorted(self.words, key=len, reverse=True))
        self.pattern = re.compile(b"(" + b"|".join(alternatives) + b")")
        self.replacement = config.get("replacement", "***").encode()

    def on_response_body(self, response, piece):
        text = response.state.pop("held", b"") + piece.content
        # What is between words, and words, in turn.
        parts = self.pattern.split(text)
        if not piece.last:
            response.state["held"] = self.take_unfinished(parts, text)
        parts[1::2] = [self.replacement] * (len(parts) // 2)
        return b"".join(parts)

    def take_unfinished(self, parts, text):
        """Takes off what may go on to be a word, or a longer one, wherever one could begin."""
        near = len(text) - self.longest + 1
        index, start = len(parts), len(text)
        while index > 0 and start > near:
            index -= 1
            start -= len(parts[index])
        while index < len(parts):
            is_word = index % 2 == 1
            for at in range(max(0, near - start), 1 if is_word else len(parts[index])):
                tail = text[start + at :]
                if any(len(word) > len(tail) and word.startswith(tail) for word in self.words):
                    parts[index:] = [] if is_word else [parts[index][:at]]
                    return tail
            start += len(parts[index])
            index += 1
        return b""
