"""A terminal for a program to write to, and what a person would see there."""
import os
import pty
import re
import select
import termios

from support.bounds import BOUND, Late

SGR = re.compile(r"\x1b\[[0-9;]*m")


class Terminal:
    def __init__(self, columns=80, lines=24):
        self.mine, self.its = pty.openpty()
        self.resize(columns, lines)
        self.rest = b""

    def resize(self, columns, lines=24):
        termios.tcsetwinsize(self.its, (lines, columns))

    def is_readable(self):
        return bool(self.rest) or bool(select.select([self.mine], [], [], 0)[0])

    def line(self, bound=BOUND):
        """The next line with its colours, without its end."""
        while b"\n" not in self.rest:
            if not select.select([self.mine], [], [], bound)[0]:
                raise Late(f"no line on the terminal within {bound:g} s; unread: {self.rest!r}")
            self.rest += os.read(self.mine, 65536)
        line, _, self.rest = self.rest.partition(b"\n")
        return line.decode("ascii").rstrip("\r")

    def close(self):
        os.close(self.mine)
        os.close(self.its)


def seen(line):
    """The line without colours; there is nothing else in it that a terminal would obey."""
    text = SGR.sub("", line)
    assert text.isascii() and text.isprintable(), line
    return text
