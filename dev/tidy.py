#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Style as a test: what CODESTYLE.md says and a script can see.

    dev/tidy.py [--strict] [--build DIR] [--root DIR]

Each finding is one line, `file:line: rule: what to do`; any finding makes it exit 1. Without --strict, laws that have no
site or no test yet are listed and not counted. With --build, the archives there are looked through with nm.
"""
import argparse
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
FILE_LINES_MAX = 600
FUNCTION_LINES_MAX = 70
HEADER_LINES = 16
LAWS = range(1, 8)

BANNED = {
    "strcpy": "buf_put_str, or snprintf into a fixed array",
    "strcat": "buf_put_str",
    "sprintf": "buf_printf, or snprintf",
    "vsprintf": "vsnprintf",
    "strtok": "slice_cut",
    "atoi": "slice_u64",
    "atol": "slice_u64",
    "atoll": "slice_u64",
    "gets": "a reader over a slice",
    "alloca": "a struct buf with a bound",
    "rand": "struct rng",
    "srand": "struct rng",
    "random": "struct rng",
    "localtime": "time_iso8601 (always UTC)",
    "localtime_r": "time_iso8601 (always UTC)",
    "mktime": "time_parse_iso8601",
    "system": "posix_spawn or fork and exec with an argument vector",
    "popen": "posix_spawn or fork and exec with an argument vector",
}
SECRET_NAME = re.compile(r"secret|hmac|\bmac\b|_mac\b|signature|password|_tag\b|\btag\b", re.I)
DOMAIN_WORDS = re.compile(r"\b(tenant|bucket|principal|grant|leaf)s?\b", re.I)
DOMAIN_WORD_FILES_EXEMPT = {"limits.h"}  # the bounds of all rooms stand together

# A type of its own may give its name to its functions.
MORE_PREFIXES = {"keys": ("secret_",)}

IMPURE = set(
    "open openat open64 creat read write pread pwrite pread64 pwrite64 fopen fopen64 fread fwrite stat fstat lstat unlink rename "
    "fsync fdatasync socket send recv connect time gettimeofday clock_gettime clock nanosleep usleep sleep getenv secure_getenv "
    "setenv malloc calloc realloc reallocarray aligned_alloc posix_memalign rand srand random getrandom arc4random RAND_bytes "
    "RAND_priv_bytes RAND_bytes_ex printf fprintf puts putchar fputs syslog abort exit getpid "
    "clock_wall_ms clock_mono_ms clock_mono_us log_line log_init".split()
)


class Tidy:
    def __init__(self, root):
        self.root = pathlib.Path(root)
        self.findings = []
        self.warnings = []

    def find(self, path, line, rule, text):
        where = path.relative_to(self.root) if path.is_absolute() else path
        self.findings.append(f"{where}:{line}: {rule}: {text}")

    def files(self, *patterns, under=("src", "dev", "tests", "bench", "deploy", "docs")):
        found = set()
        for top in under:
            for pattern in patterns:
                found.update(path for path in (self.root / top).rglob(pattern) if path.is_file())
        skipped = ("node_modules", "__pycache__", "vectors", "corpus")
        return sorted(path for path in found if not any(part in skipped for part in path.relative_to(self.root).parts))

    def sources(self, *patterns):
        return self.files(*(patterns or ("*.c", "*.h", "*.cc")), under=("src",))


def is_test(path):
    return path.name.endswith(("_test.c", "_fuzz.c")) or path.name in ("test.h",) or "_test." in path.name


def blank(text, keep_strings=False):
    """The text with comments (and strings and characters) replaced by blanks, so that lines and columns stay."""
    token = re.compile(r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", re.S)

    def cover(match):
        piece = match[0]
        if keep_strings and piece[0] == '"':
            return piece
        return re.sub(r"[^\n]", " ", piece)

    return token.sub(cover, text)


def without_directives(code):
    """Preprocessor lines and their continuations as blanks."""
    return re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", lambda match: re.sub(r"[^\n]", " ", match[0]), code, flags=re.M)


def line_of(text, at):
    return text.count("\n", 0, at) + 1


# rooms and arrows -----------------------------------------------------------------------------------------------------


def read_rooms(path):
    rooms = {}
    for line in path.read_text().splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        name, folder, colon, *arrows = line.split()
        if colon != ":":
            raise ValueError(f"{path}: not 'name folder : arrows': {line}")
        rooms[name] = {"folder": folder, "arrows": set(arrows) - {"pure"}, "pure": "pure" in arrows}
    for name, room in rooms.items():
        if unknown := room["arrows"] - set(rooms):
            raise ValueError(f"{path}: {name} points at {', '.join(sorted(unknown))}, which is no room")
    return rooms


def room_of(rooms, relative):
    """The room with the longest folder that the path begins with; src/tools/verify covers src/tools/verify_log.c too."""
    text = relative.as_posix()
    best = None
    for name, room in rooms.items():
        folder = room["folder"]
        if text.startswith((folder + "/", folder + "_", folder + ".")) and (best is None or len(folder) > len(rooms[best]["folder"])):
            best = name
    return best


def closure(rooms, name):
    seen, todo = set(), [name]
    while todo:
        one = todo.pop()
        if one not in seen:
            seen.add(one)
            todo += rooms[one]["arrows"]
    return seen


def check_rooms(tidy):
    table = tidy.root / "src/rooms.txt"
    rooms = read_rooms(table)
    for path in tidy.sources():
        name = room_of(rooms, path.relative_to(tidy.root))
        if name is None:
            tidy.find(path, 1, "rooms", "this folder is no room: add it to src/rooms.txt with its arrows")
            continue
        for number, line in enumerate(blank(path.read_text(), keep_strings=True).splitlines(), 1):
            if (match := re.match(r'\s*#\s*include\s+"([^"/]+)/', line)) and match[1] != name:
                other = match[1]
                # Shared test helpers of a process's folder may be reached under the folder's own name.
                if other in rooms and other not in rooms[name]["arrows"]:
                    tidy.find(path, number, "rooms", f"{name} may not include {other}; src/rooms.txt has its arrows")
                elif other not in rooms:
                    tidy.find(path, number, "rooms", f"{other} is no room in src/rooms.txt")
    for path in tidy.files("meson.build", under=("src",)):
        name = room_of(rooms, path.relative_to(tidy.root))
        if name is None:
            continue
        folder = rooms[name]["folder"]
        # A folder may hold several programs (src/tools): its build file may link what any room below it may include.
        allowed = set().union(*(closure(rooms, other) for other, room in rooms.items() if room["folder"].startswith(folder)))
        for number, line in enumerate(path.read_text().splitlines(), 1):
            for used in re.findall(r"\blib_(\w+?)_dep\b", line.split("#")[0]):
                if used in rooms and used not in allowed:
                    tidy.find(path, number, "rooms", f"{name} may not link {used}; src/rooms.txt has its arrows")
    return rooms


# functions, files, words ------------------------------------------------------------------------------------------------


def check_banned(tidy):
    call = re.compile(r"\b(" + "|".join(BANNED) + r")\s*\(")
    compare = re.compile(r"\bmemcmp\s*\(([^;]*?)\)")
    for path in tidy.sources():
        code = blank(path.read_text())
        for match in call.finditer(code):
            before = code[max(0, match.start() - 2):match.start()]
            if before.endswith((".", "->")):
                continue  # a member of that name
            tidy.find(path, line_of(code, match.start()), "banned", f"{match[1]}: use {BANNED[match[1]]}")
        if is_test(path):
            continue
        raw = path.read_text().splitlines()
        for match in compare.finditer(code):
            if SECRET_NAME.search(match[1]) and "public" not in raw[line_of(code, match.start()) - 1]:
                tidy.find(path, line_of(code, match.start()), "banned", "memcmp on what looks like a secret: use ct_equal, or say on the line that it is public")


def functions(text):
    """(name, first line, last line) of each function defined at the top of a C file."""
    code = without_directives(blank(text))
    depth, start, found = 0, 0, []
    for match in re.finditer(r"[{};]", code):
        at = match.start()
        if match[0] == "{":
            if depth == 0:
                head = code[start:at]
                # In extern "C" { and namespace { the functions inside are still at the top.
                if re.search(r"\b(extern|namespace(\s+\w+)?)\s*$", head):
                    start = at + 1
                    continue
                signature = re.search(r"([A-Za-z_]\w*)\s*\((?:[^()]|\([^()]*\))*\)\s*(?:__attribute__\s*\(\(.*?\)\)\s*)?$", head, re.S)
                opened = (signature[1], line_of(code, start + len(head) - len(head.lstrip()))) if signature else None
            depth += 1
        elif match[0] == "}":
            if depth == 0:
                start = at + 1
                continue
            depth -= 1
            if depth == 0:
                if opened and opened[0] not in ("if", "for", "while", "switch"):
                    found.append((*opened, line_of(code, at)))
                start = at + 1
        elif depth == 0:
            start = at + 1
    return found


def check_lengths(tidy):
    for path in tidy.sources() + tidy.files("*.py", "*.sh", "*.c", "*.h", under=("dev", "tests", "bench")):
        text = path.read_text()
        lines = text.splitlines()
        if len(lines) > FILE_LINES_MAX:
            tidy.find(path, len(lines), "length", f"{len(lines)} lines: past {FILE_LINES_MAX} look for the second idea and give it a file")
        if path.suffix not in (".c", ".cc", ".h"):
            continue
        for name, first, last in functions(text):
            if last - first + 1 > FUNCTION_LINES_MAX and not any("/*" in line or "//" in line for line in lines[first - 1:first + 2]):
                tidy.find(path, first, "length", f"{name} has {last - first + 1} lines: split it, or say why on its first line")


def check_headers(tidy):
    for path in tidy.sources() + tidy.files("*.c", "*.h", "*.py", under=("dev", "tests", "bench")):
        head = path.read_text().splitlines()[:HEADER_LINES]
        first = "\n".join(head[:3])
        if "SPDX-License-Identifier: Apache-2.0" not in first:
            tidy.find(path, 1, "header", "the file begins with its SPDX line")
        if path.suffix not in (".c", ".cc") or is_test(path) or path.relative_to(tidy.root).parts[0] != "src":
            continue
        top = "\n".join(head)
        for wanted, words in (("Role:", ("Role:",)), ("Trusts: or Distrusts:", ("Trusts:", "Distrusts:")), ("Spec:", ("Spec:",))):
            if not any(re.search(r"(^|[\s*/])" + word, top) for word in words):
                tidy.find(path, 1, "header", f"the opening comment has no {wanted} line (CODESTYLE.md, headers)")


def check_laws(tidy, strict):
    tag = re.compile(r"\bLAW-(\d)\b")
    sites, tests = set(), set()
    for path in tidy.sources("*.c", "*.h", "*.cc", "*.def"):
        (tests if is_test(path) else sites).update(int(number) for number in tag.findall(path.read_text()))
    for path in tidy.files("*.py", "*.c", "*.sh", "*.txt", "*.pml", under=("tests",)):
        tests.update(int(number) for number in tag.findall(path.read_text(errors="replace")))
    for law in LAWS:
        for found, what in ((sites, "site in src/"), (tests, "test")):
            if law in found:
                continue
            if strict:
                tidy.find(tidy.root / "src", 0, "laws", f"LAW-{law} has no {what}: tag where it is held and where it is tested")
            else:
                tidy.warnings.append(f"LAW-{law} has no {what} yet")


def check_magics(tidy):
    seen = {}
    for path in tidy.sources():
        code = blank(path.read_text(), keep_strings=True)
        for match in re.finditer(r"^#define (\w*MAGIC\w*)[ \t]+([^\s/]+)", code, re.M):
            value = match[2].lower().rstrip("ul")
            if value in seen and seen[value][0] != match[1]:
                name, where = seen[value]
                tidy.find(path, line_of(code, match.start()), "magic", f"{match[1]} has the value of {name} ({where})")
            seen.setdefault(value, (match[1], path.relative_to(tidy.root)))


def check_base_words(tidy):
    for path in tidy.sources():
        if path.parent != tidy.root / "src/lib/base" or path.name in DOMAIN_WORD_FILES_EXEMPT:
            continue
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if match := DOMAIN_WORDS.search(line):
                tidy.find(path, number, "base", f"'{match[0]}' is a word of the domain; base knows bytes, errors and time")


# documents --------------------------------------------------------------------------------------------------------------


def check_documents(tidy):
    pages = tidy.files("*.md") + sorted(tidy.root.glob("*.md"))
    for path in pages:
        for number, line in enumerate(path.read_text().splitlines(), 1):
            for target in re.findall(r"\]\(([^)\s]+)\)", line):
                target = target.split("#")[0]
                if target and not re.match(r"[a-z]+:", target) and not (path.parent / target).exists():
                    tidy.find(path, number, "links", f"{target} is not there")
            for target in re.findall(r"`((?:src|docs|dev|tests|bench|deploy)/[\w./-]+)`", line):
                if not (tidy.root / target).exists():
                    tidy.find(path, number, "links", f"{target} is not there")
    for path in tidy.sources():
        head = path.read_text().splitlines()[:HEADER_LINES]
        for number, line in enumerate(head, 1):
            for target in re.findall(r"\b(docs/[\w./-]+\.md)", line):
                if not (tidy.root / target).exists():
                    tidy.find(path, number, "links", f"{target} is not there")


def check_machine_paths(tidy):
    """Nothing here may depend on, or tell of, the machine it was written on."""
    pattern = re.compile(r"(?<![\w.$}/~])/(?:work|home|root|Users)/\w")
    everything = tidy.files("*.c", "*.h", "*.cc", "*.def", "*.py", "*.sh", "*.md", "*.txt", "meson.build", "*.in", "*.tsv")
    everything += sorted(tidy.root.glob("*.md")) + [tidy.root / "Makefile", tidy.root / "meson.build"]
    for path in everything:
        if path.exists() and not path.name.startswith("tidy"):
            for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
                if match := pattern.search(line):
                    tidy.find(path, number, "paths", f"'{match[0]}...' names one machine")


# archives ---------------------------------------------------------------------------------------------------------------


def check_purity(tidy, rooms, build):
    for name, room in rooms.items():
        if not room["pure"]:
            continue
        for archive in sorted((pathlib.Path(build) / room["folder"]).glob("*.a")):
            done = subprocess.run(["nm", "--undefined-only", "--format=posix", str(archive)], capture_output=True, text=True)
            if done.returncode != 0:
                tidy.find(tidy.root / room["folder"], 0, "pure", f"nm cannot read {archive.name}: {done.stderr.strip()}")
            member = archive.name
            for line in done.stdout.splitlines():
                if line.endswith(":"):
                    member = line.rstrip(":")
                    continue
                symbol = line.split()[0].split("@")[0] if line.split() else ""
                bare = symbol.removeprefix("__").removesuffix("_chk")
                if symbol in IMPURE or bare in IMPURE:
                    tidy.find(tidy.root / room["folder"], 0, "pure", f"{member} calls {symbol}; {name} takes it as an argument")


def check_symbols(tidy, rooms, build):
    """Every external symbol of a library room begins with the room's name; base is everybody's."""
    for name, room in rooms.items():
        if name == "base" or not room["folder"].startswith("src/lib/"):
            continue
        prefixes = (name + "_", *MORE_PREFIXES.get(name, ()))
        for archive in sorted((pathlib.Path(build) / room["folder"]).glob("*.a")):
            done = subprocess.run(["nm", "--defined-only", "--extern-only", "--format=posix", str(archive)], capture_output=True, text=True)
            for line in done.stdout.splitlines():
                words = line.split()
                if len(words) >= 2 and words[1] in "TDBR" and not words[0].startswith(("_Z", *prefixes)):
                    tidy.find(tidy.root / room["folder"], 0, "symbols", f"{words[0]} does not begin with {name}_: rename it or make it static")


def main():
    parser = argparse.ArgumentParser(description="Style as a test.")
    parser.add_argument("--strict", action="store_true")
    parser.add_argument("--build")
    parser.add_argument("--root", default=ROOT)
    arguments = parser.parse_args()
    tidy = Tidy(pathlib.Path(arguments.root).resolve())
    rooms = check_rooms(tidy)
    check_banned(tidy)
    check_lengths(tidy)
    check_headers(tidy)
    check_laws(tidy, arguments.strict)
    check_magics(tidy)
    check_base_words(tidy)
    check_documents(tidy)
    check_machine_paths(tidy)
    if arguments.build:
        check_purity(tidy, rooms, arguments.build)
        check_symbols(tidy, rooms, arguments.build)
    for line in tidy.findings:
        print(line)
    for line in tidy.warnings:
        print(f"note: {line}")
    if tidy.findings:
        print(f"{len(tidy.findings)} findings", file=sys.stderr)
    return 1 if tidy.findings else 0


if __name__ == "__main__":
    sys.exit(main())
