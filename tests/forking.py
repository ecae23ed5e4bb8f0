"""
Commands in processes of their own, without waiting for Python each time: `python forking.py`
reads a command line as a JSON array, forks, says the child's id, and how it ended.
"""

from __future__ import annotations

import json
import os
import sys

# what a command imports when it is used, imported once
import vedette.cli.change
import vedette.cli.past
import vedette.cli.runs
import vedette.embedded
import vedette.run.connect
import vedette.run.sender
import vedette.run.tokens  # noqa: F401
from vedette.cli.main import main


def child(words, out):
    for name, number in (("out", 1), ("err", 2)):
        os.dup2(os.open(f"{out}.{name}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    try:
        main(words)
    except SystemExit as ended:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(ended.code or 0)
    os._exit(99)


def say(word):
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            child(json.loads(line), sys.argv[1])
        say(pid)
        say(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
