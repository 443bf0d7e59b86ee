# SPDX-License-Identifier: Apache-2.0
"""Looks for byte strings where they must not be: files, open descriptors (deleted files too), /proc of processes."""
import os
import re
import stat

PIECE = 8 << 20


def matcher(forms):
    """forms: {label: bytes}. Gives f(bytes) -> label or None."""
    by_bytes = {}
    for label, form in forms.items():
        by_bytes.setdefault(form, label)
    pattern = re.compile(b"|".join(re.escape(f) for f in sorted(by_bytes, key=len, reverse=True)))

    def find(data):
        m = pattern.search(data)
        return by_bytes[m.group(0)] if m else None
    find.overlap = max(map(len, by_bytes)) - 1
    return find


def search_file(path, find, most=None):
    with open(path, "rb") as f:
        tail, read = b"", 0
        while most is None or read < most:
            data = f.read(PIECE)
            if not data:
                return None
            read += len(data)
            label = find(tail + data)
            if label:
                return label
            tail = data[-find.overlap:]
    return None


def search_files(trees, files, forms, most=None):
    """[(path, label)]: names of files and directories, targets of links, contents."""
    find, found = matcher(forms), []
    for tree in trees:
        for directory, names, leaves in os.walk(tree):
            for name in names + leaves:
                path = os.path.join(directory, name)
                label = find(os.fsencode(name))
                try:
                    if os.path.islink(path):
                        label = label or find(os.fsencode(os.readlink(path)))
                    elif stat.S_ISREG(os.lstat(path).st_mode):
                        label = label or search_file(path, find, most)
                except FileNotFoundError:
                    continue
                if label:
                    found.append((path, label))
    for path in files:
        label = search_file(path, find, most)
        if label:
            found.append((path, label))
    return found


def search_processes(pids, forms, most=None, what=("environ", "cmdline", "maps")):
    """[(path, label)] for /proc/PID: texts, names behind descriptors, contents of regular files that are open."""
    find, found = matcher(forms), []
    for pid in pids:
        for name in what:
            path = f"/proc/{pid}/{name}"
            try:
                label = search_file(path, find)
            except (FileNotFoundError, ProcessLookupError):
                continue
            if label:
                found.append((path, label))
        try:
            descriptors = os.listdir(f"/proc/{pid}/fd")
        except (FileNotFoundError, ProcessLookupError):
            continue
        for fd in descriptors:
            path = f"/proc/{pid}/fd/{fd}"
            try:
                target = os.readlink(path)
                label = find(os.fsencode(target))
                if not label and stat.S_ISREG(os.stat(path).st_mode):
                    label = search_file(path, find, most)
            except (FileNotFoundError, ProcessLookupError, OSError):
                continue
            if label:
                found.append((f"{path} -> {target}", label))
    return found
