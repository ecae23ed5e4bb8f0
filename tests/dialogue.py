"""A conversation as a test reads it: what is said, what is heard, how it ends."""

from __future__ import annotations

from typing import Any

import msgspec

from vedette.flow.talk import Ask, Lost, Tell
from vedette.wire.http import Reply


class Dialogue:
    """Drives a conversation by hand: `says` is the last thing said, `result` the end."""

    def __init__(self, talk):
        self._talk = talk
        self.result: Any = None
        self.ended = False
        self.says: Any = None
        self._step(lambda: next(talk))

    def hears(self, status: int, document: Any = None) -> Dialogue:
        body = b"" if document is None else msgspec.json.encode(document)
        return self._hear(Reply(status=status, body=body))

    def loses_the_reply(self) -> Dialogue:
        return self._hear(Lost(why="the connection was reset"))

    def is_told(self, answer: Any) -> Dialogue:
        """Hear what is no reply of the service."""
        return self._hear(answer)

    def _hear(self, answer) -> Dialogue:
        assert not self.ended, "the conversation is over"
        self._step(lambda: self._talk.send(answer))
        return self

    def _step(self, move) -> None:
        try:
            self.says = move()
        except StopIteration as stop:
            self.says, self.ended, self.result = None, True, stop.value


def asks(talk: Dialogue) -> str:
    """Return the URL asked for, or nothing where a write is being said."""
    return talk.says.call.url if isinstance(talk.says, Ask) else ""


def writes(talk: Dialogue) -> Any:
    """Return the document being written."""
    assert isinstance(talk.says, Tell), talk.says
    return msgspec.json.decode(talk.says.call.body)
