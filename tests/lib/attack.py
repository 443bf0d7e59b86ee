# SPDX-License-Identifier: Apache-2.0
"""What attack tests share: the mark, the words they fail with, a store that keeps the red break on, logs read as a stranger reads them.

  @attack("05", ("anon-lists", "an unsigned request was answered"))
  def test_nothing_is_told_without_a_signature(case):
      s = store(case)
      ...
      held(answer["status"] == 403, "an unsigned request was answered")

A test must be seen red: tests/attacks_red.py runs it once as it is and once for each (break, words) pair with that break on. The
red run counts only if held() itself failed and said those words: a harness that fell over proves nothing.
"""
import base64
import hashlib
import json
import os
import threading

from lib import tlog


class Held(AssertionError):
    """The attack went through."""


def attack(number, *reds):
    """reds: pairs (line of the breaks file, words that the failure contains)."""
    def mark(f):
        f.attack, f.reds, f.break_name = number, list(reds), reds[0][0]
        return f
    return mark


def held(condition, words, detail=""):
    if not condition:
        raise Held(f"{words}" + (f": {detail}" if detail else ""))


def store(case, start=True, **kw):
    """A served store on which case.red, when tests/attacks_red.py sets it, stays on whatever else the test switches."""
    s = case.store(start=False, **kw)
    red, plain = getattr(case, "red", None), s.breaks
    s.breaks = lambda *lines: plain(*lines, *([red] if red else []))
    if red:
        s.breaks()
    return s.start() if start else s


class Credentials:
    def __init__(self, info):
        self.key, self.secret, self.region = info["access_key_id"], info["secret_access_key"], info["region"]


def another_tenant(s, name="globex"):
    """What `tillit tenant create` printed, and a credentials file for it."""
    info = json.loads(s.tillit("tenant", "create", s.dir, "--tenant", name, "--json"))
    path = s.case.path(f"credentials-{name}", f"[default]\naws_access_key_id = {info['access_key_id']}\n"
                       f"aws_secret_access_key = {info['secret_access_key']}\n".encode())
    info["credentials"] = path
    info.setdefault("region", s.info["region"])
    return info


def records(s, log="access", tenant=None):
    """The owner's view of a log; tenant is what another_tenant() gave, the first tenant otherwise."""
    extra = []
    if tenant:
        extra = ["--credentials", tenant["credentials"]]
    else:
        key, secret = s.credentials
        extra = ["--credentials", s.case.path("credentials-first", f"aws_access_key_id = {key}\naws_secret_access_key = {secret}\n".encode())]
    out = s.tillit("log", "query", s.dir, "--log", log, "--json", *extra)
    return [json.loads(line) for line in out.splitlines() if line]


def by_id(s, request_id, **kw):
    """The one leaf with this request id."""
    found = [r for r in records(s, **kw) if r.get("id") == request_id]
    if len(found) != 1:
        raise AssertionError(f"{len(found)} leaves with id {request_id}")
    return found[0]


def leaves(s, log):
    """All published leaves of logs[log], fetched as tiles: what anyone with the capability sees."""
    return tlog.leaves(s.endpoints["logs"][log]["url"])


def stored(s):
    """{path: hash} of what lies in the clear of the file system: packs and blobs (the index changes with every batch)."""
    out = {}
    for tree in ("blobs", "packs"):
        for directory, _, names in os.walk(os.path.join(s.dir, "keeper", tree)):
            for name in names:
                with open(os.path.join(directory, name), "rb") as f:
                    out[tree, name] = hashlib.sha256(f.read()).hexdigest()
    return out


def parallel(*functions):
    """Runs them at once; the first exception is raised here; gives their results."""
    results, errors = [None] * len(functions), []

    def run(i, f):
        try:
            results[i] = f()
        except BaseException as e:
            errors.append(e)
    threads = [threading.Thread(target=run, args=(i, f), daemon=True) for i, f in enumerate(functions)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    if errors:
        raise errors[0]
    return results


def shapes(text):
    """Ways in which the same bytes may be written down: as they are, hex, base64 at its three offsets, escaped."""
    raw = text.encode() if isinstance(text, str) else text
    out = {"plain": raw, "hex": raw.hex().encode(), "HEX": raw.hex().upper().encode(), "utf-16": raw.decode("latin-1").encode("utf-16-le")}
    for offset in range(3):
        coded = base64.b64encode(b"\0" * offset + raw)
        # The first and last characters depend on the neighbours.
        out[f"base64+{offset}"] = coded[4 if offset else 0:-4]
        out[f"base64url+{offset}"] = base64.urlsafe_b64encode(b"\0" * offset + raw)[4 if offset else 0:-4]
    return out
