"""What the plays of the dashboard do with its page, and find on it."""
import json

from support import sample

NOW_US = 1_795_000_000_000_000


def rows(screen, number):
    screen.wait(f"document.querySelector('#counts').textContent.startsWith('{number} ')", f"{number} transactions")
    screen.wait("document.querySelector('.body .row:not([hidden])')", "them to be drawn")


def records(count, first=1):
    return [sample.record(seq, NOW_US + seq * 10_000) for seq in range(first, first + count)]


def shown(screen):
    """The targets that are in view, from top to bottom."""
    return screen.run("""[...document.querySelectorAll('.body .row:not([hidden]):not(.group)')].sort((a, b) =>
        a.ariaRowIndex - b.ariaRowIndex).map((row) => row.querySelector('.c-target').title)""")


def open_row(screen, number):
    screen.wait(f"document.querySelector('#row-{number}:not([hidden])')")
    screen.click(f"#row-{number}")
    screen.wait("!document.querySelector('#detail').hidden")


def fill(screen, name, text):
    screen.run(f"document.querySelector('#filter [name={name}]').focus()")
    screen.type(text)


def choose(screen, name, value):
    screen.run(f"""(() => {{ const field = document.querySelector('[name={name}], #{name}'); field.value = {json.dumps(value)};
        field.dispatchEvent(new Event('input', {{bubbles: true}})); field.dispatchEvent(new Event('change')); }})()""")


def asked(front, path):
    return [target for method, target, _ in front.seen if target.startswith(path)]
