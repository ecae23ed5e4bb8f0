"""
Look at our Markdown files: links between them resolve, every `vedette` command and option
and every `make` target they name exists, and every command is named somewhere.
"""

from __future__ import annotations

import importlib
import re
import shlex
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import unquote

import click
from msgspec import Struct

_ROOT = Path(__file__).resolve().parents[1]
_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})[ \t]*(\S*)(.*?)^ {0,3}\1\s*$", re.MULTILINE | re.DOTALL)
_SPOKEN = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_LINK = re.compile(
    r"\]\(\s*<?([^()\s>]+(?:\([^()\s]*\))?)>?[^)]*\)|^\[[^\]]+\]:\s*(\S+)", re.MULTILINE
)
_HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*$", re.MULTILINE)
_CONTINUED = re.compile(r"(?:[^\n]*\\\n)+[^\n]*")
_SHELLS = frozenset({"", "sh", "bash", "shell", "console", "zsh"})
_OPERATORS = frozenset("|&;()<>")


class Page(Struct, frozen=True):
    """A Markdown file: its prose without code, and its shell lines with their line numbers."""

    path: Path
    prose: str
    spoken: tuple[tuple[int, str], ...]

    @property
    def name(self) -> str:
        """Its path from the root."""
        return self.path.relative_to(_ROOT).as_posix()

    @property
    def anchors(self) -> frozenset[str]:
        """What a link may point at in it, as the forges spell it."""
        return frozenset(_slug(heading) for heading in _HEADING.findall(self.prose))


def _slug(heading: str) -> str:
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").lower()
    return re.sub(r"[^\w\- ]", "", text).replace(" ", "-")


def pages() -> Iterator[Page]:
    """Yield our Markdown files; what is installed or made is not ours."""
    for path in sorted(_ROOT.rglob("*.md")):
        if not any(part.startswith(".") for part in path.relative_to(_ROOT).parts):
            yield _page(path)


def _joined(found: re.Match[str]) -> str:
    return found[0].replace("\\\n", " ") + "\n" * found[0].count("\n")


def _page(path: Path) -> Page:
    text = path.read_text(encoding="utf-8")
    spoken: list[tuple[int, str]] = []

    def line_of(position: int) -> int:
        return text.count("\n", 0, position) + 1

    def unfence(found: re.Match[str]) -> str:
        if found[2] in _SHELLS:
            block = _CONTINUED.sub(_joined, found[3])
            at = line_of(found.start(3))
            spoken.extend((at + n, line) for n, line in enumerate(block.split("\n")))
        return "\n" * found[0].count("\n")

    prose = _FENCE.sub(unfence, text)
    # lines keep their numbers: a fence leaves its line ends behind
    spoken.extend(
        (prose.count("\n", 0, found.start()) + 1, found[1]) for found in _SPOKEN.finditer(prose)
    )
    return Page(path, prose, tuple(spoken))


def broken_links(page: Page, known: dict[Path, Page]) -> Iterator[str]:
    """Yield a complaint for each link of ours that leads nowhere."""
    for found in _LINK.finditer(_SPOKEN.sub("", page.prose)):
        target = unquote(found[1] or found[2])
        if re.match(r"[a-z][a-z0-9+.-]*:", target):
            continue
        file, _, anchor = target.partition("#")
        path = (page.path.parent / file).resolve() if file else page.path
        if not path.exists():
            yield f"{page.name}: no such file: {target}"
        elif anchor and path in known and anchor not in known[path].anchors:
            yield f"{page.name}: no such heading: {target}"


def said(line: str) -> Iterator[list[str]]:
    """Yield the words of each `vedette` or `make` command on a shell line."""
    line = re.sub(r"(^|\s)#\s.*", "", line.strip().removeprefix("$ "))
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    lexer.commenters = ""
    words: list[str] = []
    try:
        for word in [*lexer, ";"]:
            if not set(word) <= _OPERATORS:
                words.append(word)
                continue
            while words and re.fullmatch(r"\w+=.*", words[0]):
                words.pop(0)
            if words and words[0].rpartition("/")[2] in ("vedette", "make"):
                yield words
            words = []
    except ValueError:  # an apostrophe in prose is no shell
        return


def unknown_words(words: Sequence[str], main: click.Command) -> str | None:
    """Return what in a `vedette` command does not exist, None where all does."""
    command, path, options = main, ["vedette"], _options(main)
    rest = iter(words[1:])
    for word in rest:
        if word == "--":
            return None
        if re.match(r"--?[a-z]", word):
            name, _, value = word.partition("=")
            if name not in options:
                return f"{' '.join(path)} has no option {name}"
            if options[name] and not value:
                next(rest, None)
        elif isinstance(command, click.Group) and re.fullmatch(r"[a-z][a-z-]*", word):
            found = command.get_command(click.Context(command), word)
            if found is None:
                return f"{' '.join(path)} has no command {word}"
            command, path = found, [*path, word]
            options |= _options(found)
    return None


def _options(command: click.Command) -> dict[str, bool]:
    """Return the names of its options, and whether each takes a value."""
    named = {"-h": False, "--help": False, "--version": False}
    for option in command.params:
        if isinstance(option, click.Option):
            takes = not (option.is_flag or option.count)
            named |= dict.fromkeys([*option.opts, *option.secondary_opts], takes)
    return named


def commands(command: click.Command, name: str = "vedette") -> Iterator[str]:
    """Yield the full names of the commands that do something."""
    if not isinstance(command, click.Group):
        yield name
        return
    context = click.Context(command)
    for word in command.list_commands(context):
        found = command.get_command(context, word)
        if found is not None and not found.hidden:
            yield from commands(found, f"{name} {word}")


def _command_line() -> click.Command | None:
    try:
        found = importlib.import_module("vedette.cli.main").main
    except ModuleNotFoundError as error:
        if error.name not in ("vedette.cli", "vedette.cli.main"):
            raise
        return None
    assert isinstance(found, click.Command), "vedette.cli.main:main is no command"
    return found


def _targets() -> frozenset[str]:
    makefile = (_ROOT / "Makefile").read_text(encoding="utf-8")
    return frozenset(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))


def complaints(read: Sequence[Page], main: click.Command | None) -> Iterator[str]:
    """Yield all that is wrong."""
    known = {page.path: page for page in read}
    targets = _targets()
    named: set[str] = set()
    for page in read:
        yield from broken_links(page, known)
        for number, words in ((n, w) for n, line in page.spoken for w in said(line)):
            place = f"{page.name}:{number}"
            if words[0] == "make":
                wrong = {w for w in words[1:] if w.isalpha() and w.islower()} - targets
                yield from (f"{place}: no such target: make {word}" for word in sorted(wrong))
            elif main is not None:
                named |= {" ".join(["vedette", *words[1 : n + 1]]) for n in range(1, len(words))}
                complaint = unknown_words(words, main)
                if complaint is not None:
                    yield f"{place}: {complaint}"
    if main is not None:
        yield from (f"{name} is in no page" for name in commands(main) if name not in named)


def check() -> int:
    """Print what is wrong and return how the process should end."""
    read = list(pages())
    main = _command_line()
    wrong = list(complaints(read, main))
    for complaint in wrong:
        print(complaint)
    if main is None:
        print("SKIPPED: the commands named, for there is no vedette.cli.main to ask")
    print(f"{len(read)} pages, {len(wrong)} complaints")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(check())
