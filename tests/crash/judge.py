# SPDX-License-Identifier: Apache-2.0
"""The judge, who holds what the clients of a load were told against the store and its log.

  judge(store, load) -> Verdict                               lost, unrecorded, unvoided and what each of them is
"""
import hashlib
import json
import os
import re
import urllib.parse

from crash.judge_wide import judge_wide
from lib.raw import Caller, encode


class Verdict:
    def __init__(self):
        self.lost, self.unrecorded, self.unvoided, self.other = [], [], [], []

    @property
    def clean(self):
        return not (self.lost or self.unrecorded or self.unvoided or self.other)

    def lines(self, most=20):
        for name in ("lost", "unrecorded", "unvoided", "other"):
            for x in getattr(self, name)[:most]:
                yield f"{name}: {x}"


ACTS = {"PUT": {"PutObject"}, "DELETE": {"DeleteObject"}, "GET": {"GetObject"}, "RANGE": {"GetObject"}, "HEAD": {"HeadObject"}, "LIST": {"ListObjectsV2"},
        "BATCH": {"DeleteObjects"}}


def judge(store, load):
    """Holds what clients were told against the log, the log against what the store shows, and has the tools check the log."""
    v = Verdict()
    v.other += load.strange
    shown = show_all(store, load, v)
    logs = {log: {x["index"]: x for x in store.log_records(log)} for log in ("access", "control")}
    manifest = judge_wide(store, load, logs, v)
    replay(store, [*({"bucket": load.bucket, "key": key, "etag": x["etag"]} for key, x in shown.items()), *manifest], v)
    leaves = logs["access"]
    voided = {x["ref"]: x["index"] for x in leaves.values() if x["kind"] == "void"}
    for t in load.told:
        leaf = leaves.get(t["index"])
        where = f"{t['kind']} {t['key']} {t['status']} id {t['id']} leaf {t['index']}"
        if not leaf or leaf["kind"] != "acc" or leaf["id"] != t["id"] or leaf["act"] not in ACTS[t["kind"]] or leaf.get("key") != t["key"]:
            v.unrecorded.append(f"{where}: the log has {leaf}")
            continue
        write = t["kind"] in ("PUT", "DELETE") and t["status"] in (200, 204)
        idle = t["kind"] == "DELETE" and leaf.get("version") is None and leaf.get("w") != 1      # of a key that is not there: a read
        if write and leaf["dec"] != "allow" or write and leaf.get("w") != 1 and not idle:
            v.unrecorded.append(f"{where}: its leaf is no write: {leaf}")
        if write and t["index"] in voided:
            v.lost.append(f"{where}: acknowledged, and voided by leaf {voided[t['index']]}")
        if t["kind"] == "PUT" and write and leaf.get("etag") != t["etag"]:
            v.lost.append(f"{where}: the leaf has another etag: {leaf.get('etag')}")
        if t["kind"] in ("GET", "HEAD") and t["status"] == 200:
            source = leaves.get(leaf.get("version"))
            etag = t.get("md5") or t.get("etag")
            if not source or source.get("etag") != etag:
                v.lost.append(f"{where}: was shown {etag}, the version it names is {source}")
    in_order(load, v)
    newest(leaves, load, shown, v)
    return v


def in_order(load, v):
    """A client that has its answer and asks again stands later in the log."""
    for c in [*load.clients, load.prober]:
        at = -1
        for t in c.journal.lines:
            if t["index"] is None:
                continue
            if t["index"] <= at:
                v.other.append(f"leaf {t['index']} of {t['kind']} {t['key']} stands before leaf {at} that was answered before it was asked for")
            at = max(at, t["index"])


def newest(leaves, load, shown, v):
    """Every leaf saw the write before it, and the content of each key is that of its newest write that has no void.
    What batches deleted stands in openings that only replay reads: it judges their keys."""
    current, before = {}, {}
    for i in sorted(leaves):
        leaf = leaves[i]
        if leaf["kind"] == "void" and leaf["ref"] in before:
            key, was = before[leaf["ref"]]
            current[key] = was
        key = leaf.get("key")
        if leaf["kind"] != "acc" or key is None or "version" not in leaf or key in load.batch_keys or leaf["bucket"] != load.bucket:
            continue
        if leaf["version"] != current.get(key):
            v.unvoided.append(f"{key}: leaf {i} saw {leaf['version']}; {current.get(key)} should stand there and has no void")
        if leaf.get("w") == 1:
            before[i] = (key, current.get(key))
            current[key] = i if leaf["act"] == "PutObject" else None
    for key in load.all_keys:
        have, at = shown.get(key), current.get(key)
        want = leaves[at].get("etag") if at is not None else None
        if (have and have["md5"]) != want and key not in load.batch_keys:
            v.lost.append(f"{key}: the store shows {have}, the newest write is leaf {at} with {want}")
        elif have and load.bodies.get(have["md5"], (None,))[0] != have["sha256"]:
            v.lost.append(f"{key}: shows bytes that no client ever wrote: {have}")


def show_all(store, load, v):
    """{key: {...}} of everything that a listing names, read in whole."""
    caller, found, token = Caller(store), {}, ""
    while True:
        page = caller.call("GET", f"/{load.bucket}?list-type=2&encoding-type=url" + (f"&continuation-token={encode(token)}" if token else ""))
        if page.status != 200:
            v.other.append(f"the last listing: {page}")
            return found
        for raw_key in re.findall(rb"<Key>([^<]*)</Key>", page.body):
            path = raw_key.decode().replace("+", "%20")
            answer = caller.call("GET", f"/{load.bucket}/{path}")
            key = urllib.parse.unquote(path)
            if answer.status != 200:
                v.lost.append(f"{key}: listed, and answers {answer}")
                continue
            found[key] = {"md5": hashlib.md5(answer.body).hexdigest(), "sha256": hashlib.sha256(answer.body).hexdigest(), "etag": (answer.get("etag") or "").strip('"')}
            if found[key]["etag"] != found[key]["md5"]:
                v.lost.append(f"{key}: etag and bytes differ: {found[key]}")
        if page.element("IsTruncated") != "true":
            return found
        token = page.element("NextContinuationToken")


def replay(store, current, v):
    out = store.dir + ".export"
    for log in ("access", "control"):
        store.tillit("log", "export", store.dir, "--out", out, "--log", log)
    manifest = os.path.join(out, "manifest.jsonl")
    with open(manifest, "w") as f:
        for row in current:
            f.write(json.dumps(row) + "\n")
    logs = store.endpoints["logs"]
    runs = [("log", logs["access"]["url"], "--vkey", logs["access"]["vkey"], "--heads", logs["heads"]["url"], "--heads-vkey", logs["heads"]["vkey"]),
            ("log", logs["control"]["url"], "--vkey", logs["control"]["vkey"]),
            ("replay", out, "--access-vkey", logs["access"]["vkey"], "--control-vkey", logs["control"]["vkey"], "--access", logs["access"]["url"],
             "--control", logs["control"]["url"], "--manifest", manifest)]
    for run in runs:
        code, text = store.verify(*run, "--json")
        if code == 0:
            continue
        try:
            findings = json.loads(text[text.index("{"):])["findings"]
        except (ValueError, KeyError):
            findings = []
        for x in findings:
            kind = {"leaf-without-effect": v.unvoided, "effect-without-leaf": v.unrecorded}.get(x.get("name"), v.other)
            kind.append(f"tillit-verify {run[0]}: {x}")
        if not findings:
            v.other.append(f"tillit-verify {run[0]}: exit {code}: {text[-500:]}")
