"""Runs a command on a terminal and draws its last screen: picture.py COLUMNS FILE COMMAND...

Knows as much of a terminal as step lines and spinners use: colours, moves of the cursor, and what is erased.
"""

import fcntl
import html
import itertools
import os
import pty
import re
import struct
import sys
import termios

ROWS = 50
CELL_WIDTH, CELL_HEIGHT, FONT_SIZE, MARGIN = 8.4, 20, 14, 16
BACKGROUND, FOREGROUND = "#0d1117", "#c9d1d9"
COLORS = {31: "#ff7b72", 32: "#3fb950", 33: "#d29922", 34: "#58a6ff", 35: "#bc8cff", 36: "#39c5cf", 90: "#8b949e"}
PLAIN = (None, False, False)  # colour, bold, dim
SEQUENCE = re.compile(r"\x1b\[([?\d;]*)([A-Za-z])|\x1b\][^\x07]*\x07|\x1b[=>()78]?|[\r\n\b]|[^\x1b\r\n\b]", re.DOTALL)


def record(columns, command):
    """What the command writes to its terminal, and its exit status. It is shown at the same time."""
    process, terminal = pty.fork()
    if process == 0:
        fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, columns, 0, 0))
        environment = {name: value for name, value in os.environ.items() if name not in ("CI", "NO_COLOR")}
        try:
            os.execvpe(command[0], command, environment | {"TERM": "xterm-256color", "COLUMNS": str(columns)})
        except OSError as error:
            os.write(2, f"{command[0]}: {error.strerror}\n".encode())
            os._exit(127)
    written = bytearray()
    while True:
        try:
            piece = os.read(terminal, 65536)
        except OSError:  # Linux: nobody has the other side open any more
            break
        if not piece:
            break
        written += piece
        sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()
    return written.decode(errors="replace"), os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def screen(text, columns):
    """The rows of the last screen, each a list of (character, style); rows that scrolled away are kept."""
    rows, row, column, style = [[]], 0, 0, PLAIN
    for match in SEQUENCE.finditer(text):
        sign, (arguments, action) = match.group(), match.groups()
        number = int(arguments) if arguments and arguments.isdigit() else None
        if sign == "\r":
            column = 0
        elif sign == "\b":
            column = max(column - 1, 0)
        elif sign == "\n" or action == "B":
            row += number or 1
        elif action == "A":
            row = max(row - (number or 1), 0)
        elif action == "C":
            column = min(column + (number or 1), columns - 1)
        elif action == "D":
            column = max(column - (number or 1), 0)
        elif action == "G":
            column = (number or 1) - 1
        elif action == "K":
            rows[row][:] = [] if number == 2 else rows[row][:column]
        elif action == "J":
            rows[row][column:] = []
            del rows[row + 1 :]
        elif action == "m":
            style = restyled(style, [int(code or 0) for code in arguments.split(";")])
        elif not sign.startswith("\x1b") and sign.isprintable():
            if column == columns:
                row, column = row + 1, 0
            rows.extend([] for _ in range(row + 1 - len(rows)))
            line = rows[row]
            line.extend((" ", PLAIN) for _ in range(column + 1 - len(line)))
            line[column] = (sign, style)
            column += 1
        rows.extend([] for _ in range(row + 1 - len(rows)))
    while rows and not rows[-1]:
        rows.pop()
    return rows


def restyled(style, codes):
    """The style after these codes of a `m` sequence."""
    color, bold, dim = style
    for code in codes:
        if code == 0:
            color, bold, dim = PLAIN
        elif code == 1:
            bold = True
        elif code == 2:
            dim = True
        elif code == 22:
            bold = dim = False
        elif code == 39:
            color = None
        elif code in COLORS or code - 60 in COLORS:
            color = code if code in COLORS else code - 60
    return color, bold, dim


def runs(line):
    """The line in pieces of one style each, as (column, text, style), without wide gaps."""
    text = "".join(sign for sign, _ in line)
    for words in re.finditer(r"\S+(?: \S+)*", text):
        for style, columns in itertools.groupby(range(*words.span()), lambda column: line[column][1]):
            columns = [column for column in columns if text[column] != " "]
            if columns:
                yield columns[0], text[columns[0] : columns[-1] + 1], style


def svg(rows, columns, title):
    """The rows as a picture of a terminal."""
    width, height = columns * CELL_WIDTH + 2 * MARGIN, len(rows) * CELL_HEIGHT + 2 * MARGIN
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" role="img">',
        f"<title>{html.escape(title)}</title>",
        f'<rect width="100%" height="100%" rx="8" fill="{BACKGROUND}"/>',
        f'<g font-family="ui-monospace, Menlo, Consolas, \'DejaVu Sans Mono\', monospace" font-size="{FONT_SIZE}"'
        f' fill="{FOREGROUND}" xml:space="preserve">',
    ]
    for number, line in enumerate(rows):
        baseline = MARGIN + number * CELL_HEIGHT + FONT_SIZE
        for column, text, (color, bold, dim) in runs(line):
            looks = f' fill="{COLORS[color]}"' if color else ""
            looks += ' font-weight="bold"' if bold else ""
            looks += ' opacity="0.65"' if dim else ""
            x, length = MARGIN + column * CELL_WIDTH, len(text) * CELL_WIDTH
            lines.append(
                f'<text x="{x:.1f}" y="{baseline}" textLength="{length:.1f}"'
                f' lengthAdjust="spacingAndGlyphs"{looks}>{html.escape(text)}</text>'
            )
    return "\n".join([*lines, "</g>", "</svg>", ""])


def main():
    columns, file, command = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
    text, status = record(columns, command)
    if status != 0:
        sys.exit(status)
    line = " ".join(command)
    rows = screen(f"\x1b[32m$\x1b[0m \x1b[1m{line}\x1b[0m\r\n{text}", columns)
    with open(file, "w", encoding="utf-8") as picture:
        picture.write(svg(rows, columns, f"A terminal after `{line}`"))


main()
