# SPDX-License-Identifier: Apache-2.0
"""The end of the wide load: all that its clients were told is in the log, and all that the store shows is what they asked for.

  judge_wide(store, load, leaves, verdict) -> manifest rows of what is current

leaves: {"access": {index: record}, "control": {...}}. A thing that no client can have asked for, or that was acknowledged and is not
there, is `lost`; an answer without its leaf is `unrecorded`.
"""
import hashlib

from crash import worlds as w
from crash.wide_kit import elements, unquoted, versions_of
from lib.raw import Caller, encode

WRITES = {"PutObject", "DeleteObject", "CopyObject", "PutObjectTagging", "DeleteObjectTagging", "CreateMultipartUpload", "UploadPart", "UploadPartCopy",
          "AbortMultipartUpload"}


def judge_wide(store, load, leaves, v):
    manifest, seen = {}, set()
    voided = {x["ref"] for x in leaves["access"].values() if x["kind"] == "void"}
    for c in load.wide:
        v.other += c.strange
        v.lost += c.wrong
        for t in c.journal.lines:
            in_log(t, leaves, voided, v)
        in_order(c, v)
        last = Last(store, load, c, v)
        if c.bucket not in seen:
            last.keys()
        seen.add(c.bucket)
        last.uploads()
        last.control()
        manifest.update({(c.bucket, key): etag for key, etag in last.current.items()})      # of a shared bucket: completed over what was there
    return [{"bucket": bucket, "key": key, "etag": etag} for (bucket, key), etag in manifest.items()]


def in_log(t, leaves, voided, v):
    where = f"{t['kind']} {t['bucket']} {t['key']} {t['status']} id {t['id']} leaf {t['log']}/{t['index']}"
    leaf = leaves.get(t["log"], {}).get(t["index"])
    if not leaf or leaf.get("id") != t["id"] or leaf.get("act") != t["kind"] or t["key"] and (leaf.get("key") != t["key"] or leaf.get("bucket") != t["bucket"]):
        v.unrecorded.append(f"{where}: the log has {leaf}")
    elif leaf["kind"] == "acc" and t["kind"] in WRITES and t["status"] in (200, 204):
        idle = t["kind"] == "DeleteObject" and leaf.get("version") is None          # of a key that is not there: a read
        if leaf.get("w") != 1 and not idle or leaf["dec"] != "allow":
            v.unrecorded.append(f"{where}: its leaf is no write: {leaf}")
        if t["index"] in voided:
            v.lost.append(f"{where}: acknowledged, and its leaf has a void")


def in_order(c, v):
    at = -1
    for t in c.journal.lines:
        if t["log"] == "access" and t["alone"]:
            if t["index"] <= at:
                v.other.append(f"leaf {t['index']} of {t['kind']} {t['key']} stands before leaf {at} that was answered before it was asked for")
            at = max(at, t["index"])


class Last:
    """The last look at one client's bucket, by a caller of its own, when nothing dies any more."""

    def __init__(self, store, load, client, v):
        self.caller, self.load, self.c, self.v, self.current = Caller(store), load, client, v, {}

    def ask(self, target, *also):
        a = self.caller.call("GET", target)
        if a.status not in (200, *also):
            self.v.lost.append(f"the last look at {target}: {a}")
        return a

    def told(self, name, worlds, what, apply):
        try:
            worlds.told(what, apply, self.c.mode)
            return True
        except w.Unlike as e:
            self.v.lost.append(f"{self.c.bucket} {name}, at the end: {e}")
            return False

    def pages(self, kind, marker, second):
        """Bodies of all pages of a listing."""
        more = ""
        while True:
            a = self.ask(f"/{self.c.bucket}?encoding-type=url{more}&max-{'uploads' if kind == 'uploads' else 'keys'}=400&{kind}")
            if a.status != 200:
                return
            yield a
            if a.element("IsTruncated") != "true":
                return
            more = "".join(f"&{name}={encode(elements(a.body, next_name)[0])}" for name, next_name in (marker, second))

    def keys(self):
        shown = {}
        for page in self.pages("versions", ("key-marker", "NextKeyMarker"), ("version-id-marker", "NextVersionIdMarker")):
            for key, version_id, etag, latest in versions_of(page.body):
                if latest != (key not in shown):
                    self.v.lost.append(f"{key} {version_id}: IsLatest is {latest}")
                shown.setdefault(key, []).append((version_id, etag))
        for key in shown.keys() - self.c.keys_by_name.keys() - set(self.c.shared):
            self.v.lost.append(f"{self.c.bucket} {key}: nobody asked for this key")
        for name, k in self.c.keys_by_name.items():
            if not k.broken and not self.told(name, k.worlds, f"versions -> {shown.get(name)}", w.shows_all(shown.get(name, []))):
                continue
            for version_id, etag in shown.get(name, []):
                if etag:
                    self.bytes_of(name, version_id, etag)
        self.current = {name: vs[0][1] for name, vs in shown.items() if vs[0][1]}
        self.listed()

    def bytes_of(self, name, version_id, etag):
        a = self.ask(f"/{self.c.bucket}/{encode(name, b'/')}?versionId={version_id}")
        if a.status == 200 and (unquoted(a.get("etag")) != etag or self.load.bodies.get(etag) != (hashlib.sha256(a.body).hexdigest(), len(a.body))):
            self.v.lost.append(f"{self.c.bucket} {name} {version_id}: {len(a.body)} bytes that are not those of {etag}")

    def listed(self):
        """Keys, as version 2 lists them, are the versions that are current."""
        found, token = {}, ""
        while True:
            a = self.ask(f"/{self.c.bucket}?encoding-type=url&list-type=2&max-keys=300" + token)
            found.update(zip(elements(a.body, "Key"), map(unquoted, elements(a.body, "ETag"))))
            if a.element("IsTruncated") != "true":
                break
            token = f"&continuation-token={encode(a.element('NextContinuationToken'))}"
        for key in sorted(found.keys() | self.current.keys()):
            if found.get(key) != self.current.get(key):
                self.v.lost.append(f"{self.c.bucket} {key}: listed as {found.get(key)}, its versions say {self.current.get(key)}")

    def uploads(self):
        there = {}
        for page in self.pages("uploads", ("key-marker", "NextKeyMarker"), ("upload-id-marker", "NextUploadIdMarker")):
            for key, upload in zip(elements(page.body.split(b"<Upload>", 1)[-1], "Key"), elements(page.body.split(b"<Upload>", 1)[-1], "UploadId")):
                there.setdefault(key, []).append(upload)
        for name, k in self.c.keys_by_name.items():
            try:
                self.c.shows_uploads(k, there.get(name, []))
            except w.Unlike as e:
                self.v.lost.append(f"{self.c.bucket} {name}, at the end: {e}")
        for u in self.c.uploads.values():
            if not u.broken and u.id in there.get(u.key.name, []):
                a = self.ask(f"/{self.c.bucket}/{encode(u.key.name, b'/')}?uploadId={u.id}")
                shown = tuple((int(n), unquoted(e)) for n, e in zip(elements(a.body, "PartNumber"), elements(a.body, "ETag")))
                if self.told(u.id, u.worlds, f"parts {shown}", w.reads(shown)) and shown:
                    self.complete(u, shown)

    def complete(self, u, parts):
        """What was begun can be ended, and has the bytes of its parts."""
        path = f"/{self.c.bucket}/{encode(u.key.name, b'/')}"
        body = "".join(f"<Part><PartNumber>{n}</PartNumber><ETag>{e}</ETag></Part>" for n, e in parts)
        a = self.caller.call("POST", f"{path}?uploadId={u.id}", body=f"<CompleteMultipartUpload>{body}</CompleteMultipartUpload>".encode())
        if a.code == "EntityTooSmall" and self.c.too_small(parts):
            return
        whole = [x for _, e in parts for x in self.load.recipes[e]]
        got = self.caller.call("GET", path) if a.status == 200 else a
        if a.status != 200 or got.body != b"".join(self.load.bytes_of(*x) for x in whole):
            self.v.lost.append(f"{self.c.bucket} {u.key.name}: upload {u.id} completed at the end: {a}, {got.status} and {len(got.body)} bytes")
        else:
            self.current[u.key.name] = unquoted(got.get("etag"))

    def control(self):
        a = self.ask(f"/{self.c.bucket}?versioning")
        if a.element("Status") != self.c.mode:
            self.v.lost.append(f"{self.c.bucket}: versioning is {a.element('Status')}, {self.c.mode} was acknowledged")
        a = self.ask(f"/{self.c.bucket}?policy", 404)
        shown = a.body.decode() if a.status == 200 else None
        self.told("policy", self.c.policy, f"policy {shown}", w.reads(shown))
        for user in self.c.users:
            self.user(user)
        for name, b in self.c.buckets.items():
            a = self.ask(f"/{name}?versioning", 404)
            self.told(name, b, f"bucket -> {a.status}", w.reads(a.status == 200))

    def iam(self, body, **kw):
        return self.caller.call("POST", "/", [["Content-Type", "application/x-www-form-urlencoded"]], body.encode(), **kw)

    def user(self, user):
        a = self.iam(f"Action=ListAccessKeys&UserName={user.name}&Version=2010-05-08", service="iam")
        shown = tuple(sorted(zip(elements(a.body, "AccessKeyId"), (x == "Active" for x in elements(a.body, "Status"))))) if a.status == 200 else None
        if a.status not in (200, 404) or user.broken or not self.told(user.name, user.worlds, f"keys {shown}", w.shows_keys(shown)):
            return
        for key, secret in user.secrets.items():
            a = self.iam("Action=GetCallerIdentity&Version=2011-06-15", service="sts", key=key, secret=secret)
            self.told(user.name, user.worlds, f"{key} answers {a.status}", w.key_is(key, a.status == 200))
