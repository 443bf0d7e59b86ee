#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes docs/spec/wire.md from src/lib/wire/wire.def and wire.h.

    dev/gen_wire_md.py            writes the page
    dev/gen_wire_md.py --check    exits 1 when the page is not what the table says
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs/spec/wire.md"
SIZES = {"U8": "1", "U16": "2", "U32": "4", "U64": "8", "ID": "16", "HASH": "32"}

HEAD = """# Messages between Tillit's processes

This page is made from `src/lib/wire/wire.def` by `dev/gen_wire_md.py`; the table is the truth, change it there.

## Frames

| field | bytes | what |
| --- | --- | --- |
| length | 4 | of all that follows: {min} to {max} |
| type | 1 | a row below; an unknown one costs the peer its connection |
| id | 8 | chosen by who asks, repeated by who answers; 0 where there is no answer |
| payload | length - 9 | the row's fields, in order, without tags |

Integers are big-endian. *bytes* is a u32 length and that many bytes. Nothing may follow the last field. A new field means a new
version (now {version}); the two sides of a connection always have the same one.

The first frame of both sides is HELLO. It carries one role, which must be one that the listening path is for; after it each frame's
row must allow the sender's role to send it to the receiver's. A frame that breaks a rule - before HELLO, a second HELLO, a wrong
role, a bad length, a field past its bound - closes the connection and nothing of it has an effect.

Roles: front 1, gate 2, keeper 4, steward 8, access 16 (a front for the sessions of the provider's people). Numbers named `WIRE_...` are in `src/lib/wire/wire.h`.

## Lists

Inside *bytes* fields, items without a count, to the end of the field:

{lists}
"""


def constants():
    """Bounds by name, from limits.h and wire.h, evaluated where they are plain arithmetic."""
    values = {}
    for header in ("src/lib/base/limits.h", "src/lib/wire/wire.h"):
        for name, text in re.findall(r"^#define (\w+) +([^/\n]+)", (ROOT / header).read_text(), re.M):
            text = re.sub(r"\b(\d+)u?l?l\b", r"\1", text.strip())
            if re.fullmatch(r"[\w\s()*+-]+", text):
                try:
                    values[name] = eval(text, {"__builtins__": {}}, values)  # arithmetic of our own headers
                except (NameError, SyntaxError):
                    pass
    return values


def roles(text):
    names = [name.strip().removeprefix("WIRE_ROLE_").lower() for name in text.split("|")]
    return ", ".join(names)


def lists():
    comment = (ROOT / "src/lib/wire/wire.h").read_text().split("*/", 1)[0]
    block = comment.split("each item:\n", 1)[1].split("\n *\n", 1)[0]
    lines = [line.removeprefix(" *").rstrip() for line in block.splitlines()]
    return "\n".join("    " + line.strip() if line.startswith("   ") and not line.startswith("     ") else "    " + line[3:] for line in lines)


def page():
    values = constants()
    frame_min = values["WIRE_HEADER_BYTES"] - 4
    out = [HEAD.format(min=frame_min, max=frame_min + values["WIRE_FRAME_BYTES_MAX"], version=values["WIRE_VERSION"], lists=lists())]
    table = (ROOT / "src/lib/wire/wire.def").read_text()
    token = re.compile(
        r"/\* -- (?P<section>.*?) -+ ?\*/"
        r'|MSG\((?P<NAME>\w+), (?P<name>\w+), (?P<number>0x\w+), (?P<senders>[\w |]+), (?P<receiver>[\w |]+), "(?P<text>[^"]*)"\)'
        r'|(?P<kind>U8|U16|U32|U64|ID|HASH)\((?P<field>\w+), "(?P<about>[^"]*)"\)'
        r'|BYTES\((?P<bytes>\w+), (?P<max>[\w*() ]+), "(?P<babout>[^"]*)"\)'
    )
    body = table[table.index("*/") + 2:]
    for m in token.finditer(body):
        if m["section"]:
            out.append(f"## {m['section'][0].upper()}{m['section'][1:]}\n")
        elif m["NAME"]:
            out.append(f"### {m['NAME']} ({m['number']}): {roles(m['senders'])} to {roles(m['receiver'])}\n\n{m['text']}\n\n"
                       "| field | bytes | what |\n| --- | --- | --- |")
        else:
            name, size, about = (m["field"], SIZES[m["kind"]], m["about"]) if m["kind"] else (m["bytes"], "", m["babout"])
            if not m["kind"]:
                bound = m["max"].strip()
                size = f"4 + at most {values.get(bound, bound)}"
            about = about.replace("|", "\\|")
            out.append(f"| {name} | {size} | {about} |")
    text = "\n".join(out) + "\n"
    text = re.sub(r"(\|)\n(#)", r"\1\n\n\2", text)
    missing = len(re.findall(r"^MSG\(", body, re.M)) - len(re.findall(r"^### ", text, re.M))
    if missing:
        sys.exit(f"dev/gen_wire_md.py: {missing} rows of wire.def are not in the form this script reads")
    return text


def main():
    text = page()
    if sys.argv[1:] == ["--check"]:
        if not PAGE.exists() or PAGE.read_text() != text:
            print("docs/spec/wire.md is not what wire.def says: run dev/gen_wire_md.py", file=sys.stderr)
            return 1
        return 0
    if sys.argv[1:]:
        print(__doc__, file=sys.stderr)
        return 2
    PAGE.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
