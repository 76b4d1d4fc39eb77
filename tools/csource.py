"""A small view of C source that the lint programs share: which files there are, text without comments
and strings, and where each function begins and ends.

It leans on clang-format: the brace of a function stands alone in column one, those of types do not."""
import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent
_TOKEN = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
_NAME = re.compile(r"([A-Za-z_]\w*)\s*\(")


def files(*suffixes, under=("src", "tests", "bench")):
    """The project's files with one of these suffixes, as paths relative to its root."""
    listed = subprocess.run(["git", "-C", ROOT, "ls-files", "-co", "--exclude-standard"],
                            capture_output=True, text=True, check=True).stdout.splitlines()
    found = [pathlib.Path(name) for name in listed if name.endswith(suffixes)]
    return sorted(p for p in found if (not under or p.parts[0] in under) and (ROOT / p).exists())


def read(path):
    return (ROOT / path).read_text(encoding="utf-8")


def blank(text):
    """The text with comments and the insides of strings made spaces; every line stays where it is."""
    def spaces(match):
        token = match.group(0)
        if token[0] in "\"'":
            return token[0] + " " * (len(token) - 2) + token[0]
        return re.sub(r"[^\n]", " ", token)
    return _TOKEN.sub(spaces, text)


def comments(text):
    """(line, text) of each comment."""
    for match in _TOKEN.finditer(text):
        if match.group(0)[0] == "/":
            yield text.count("\n", 0, match.start()) + 1, match.group(0)


def functions(blanked):
    """(name, first line, last line) of each function, lines counted from 1."""
    lines, found, head, begin = blanked.split("\n"), [], 0, None
    for number, line in enumerate(lines, 1):
        if line == "{":
            names = _NAME.findall(" ".join(lines[head:number - 1]))
            begin = (names[0] if names else "?", head + 1)
        elif line.startswith("}"):
            if begin and line == "}":
                found.append((*begin, number))
            begin, head = None, number
        elif begin is None and (not line.strip() or line.startswith("#") or line.endswith(";")):
            head = number
    return found
