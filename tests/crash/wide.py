# SPDX-License-Identifier: Apache-2.0
"""The wide load: versions, markers, tags, copies, batches, uploads in parts and the control log, each client in a bucket of its own.

Every client keeps a model (worlds.py) of all that it asked for: acknowledged, refused, or without an answer, which may be either. It holds
what it is told against that at once, and after each kill it looks at everything it is at work on. judge_wide.py does the rest at the end.
"""
import hashlib
import re
import time
import traceback

from crash import worlds as w
from crash.load import BIG, Client, UNSURE, body_of
from crash.wide_control import Control
from crash.wide_kit import elements, md5_header, unquoted, versions_of
from crash.wide_parts import Parts
from lib.raw import Caller, encode

SIZES = [0, 1, 100, 2047, 2049, 4096, 20_000, 65_537]
KEYS_AT_WORK = 6
KEY_REQUESTS_MAX = 16                                   # then it is left alone until the end
AGAIN_SECONDS_MAX = 20                                  # of asking again for what must get its answer
AGAIN_SECONDS_LAST = 5                                  # of it once the load is to stop


class Key:
    def __init__(self, name, worlds=w.Worlds):
        self.name, self.worlds, self.ids, self.requests, self.broken, self.orphans = name, worlds(()), [], 0, False, 0


class WideClient(Parts, Control, Client):
    begins, worlds, shared = w.ENABLED, w.Worlds, ()

    def __init__(self, load, number):
        super().__init__(load, number)
        self.bucket, self.mode, self.toggled = "wide-shared" if self.shared else f"wide-{number}", self.begins, 0.0
        self.keys_by_name, self.at_work, self.uploads, self.users = {}, [], {}, []
        self.policy, self.buckets, self.wrong, self.looked, self.unsure_before = self.worlds(None), {}, [], 0, 0
        self.second = Client(load, number + 100)        # for what is asked for at the same time
        owner = Caller(load.store)
        assert owner.call("PUT", f"/{self.bucket}").status in (200, 409 if self.shared else 200)
        if self.mode != w.OFF:
            assert owner.call("PUT", f"/{self.bucket}?versioning", body=self.versioning(self.mode)).status == 200
        for _ in range(KEYS_AT_WORK):
            self.new_key()
        self.new_user()

    # -- asking ------------------------------------------------------------------------------------------------------------------------

    def path(self, key):
        return f"/{self.bucket}/{encode(key, b'/')}"

    def next(self):
        self.serial += 1
        return self.serial

    def tell(self, act, method, target, headers=(), body=b"", key=None, also=(), **kw):
        """The answer when it is sure and one that may be, noted; else None."""
        return self.noted(self.ask(method, target, headers, body, **kw), act, key, also)

    def noted(self, answer, act, key=None, also=(), alone=True):
        if answer is None or answer.status in UNSURE:
            self.unsure += 1
            if answer is not None:
                time.sleep(0.01)
            return None
        if answer.status not in (200, 204, *also):
            self.strange.append(f"{act} {self.bucket} {key}: {answer.status} {answer.body[:300]!r}")
            return None
        receipt = re.search(r"^([ac])-.*/(\d+)$", answer.get("x-tillit-receipt") or "")
        self.journal.add(kind=act, bucket=self.bucket, key=key, status=answer.status, id=answer.get("x-amz-request-id"), alone=alone,
                         log={"a": "access", "c": "control"}[receipt[1]] if receipt else None, index=int(receipt[2]) if receipt else None)
        return answer

    def until_sure(self, ask):
        end = time.monotonic() + AGAIN_SECONDS_MAX
        while time.monotonic() < end:
            answer = ask()
            if answer is not None:
                return answer
            if self.load.stopping.is_set():
                end = min(end, time.monotonic() + AGAIN_SECONDS_LAST)
            time.sleep(0.03)
        self.strange.append("no sure answer in a long time")
        return None

    def version_id(self, answer):
        return answer.get("x-amz-version-id") or w.NULL

    def known(self, etag, recipe):
        body = b"".join(body_of(*x) for x in recipe)
        self.load.bodies[etag] = (hashlib.sha256(body).hexdigest(), len(body))
        self.load.recipes[etag] = recipe

    def fresh_body(self, number):
        size = BIG + 1 if self.random.random() < 0.01 else self.random.choice(SIZES)
        body = body_of(number, size)
        etag = hashlib.md5(body).hexdigest()
        self.known(etag, [(number, size)])
        return body, etag

    # -- one step ----------------------------------------------------------------------------------------------------------------------

    def step(self):
        if self.looked != self.load.round or self.unsure_before != self.unsure:
            self.looked, self.unsure_before = self.load.round, self.unsure
            self.guarded(self.look)
            self.unsure_before = self.unsure
            return
        steps = [(24, self.put), (4, self.delete), (3, self.delete_version), (7, self.get), (7, self.get_version), (6, self.tag), (4, self.get_tags),
                 (10, self.copy), (2, self.batch), (6, self.create), (18, self.part), (5, self.part_copy), (9, self.complete), (1.5, self.abort),
                 (2, self.toggle), (2, self.set_policy), (7, self.iam), (3, self.other_bucket)]
        self.guarded(self.random.choices([s for _, s in steps], [n for n, _ in steps])[0])

    def guarded(self, step):
        self.about = None
        try:
            step()
        except w.Unlike as e:
            self.wrong.append(f"{self.bucket} {getattr(self.about, 'name', None) or getattr(self.about, 'id', '')}: {e}")
            if self.about:
                self.about.broken = True                # said once
        except Exception:
            self.strange.append(traceback.format_exc())
        self.at_work = [k for k in self.at_work if not k.broken and not k.worlds.crowded and k.requests < KEY_REQUESTS_MAX]
        while len(self.at_work) < KEYS_AT_WORK:
            self.new_key()

    def new_key(self):
        name = next((x for x in self.shared if x not in [k.name for k in self.at_work]), None) or f"k{self.number}/{self.next()} å+%25;"
        k = self.keys_by_name.setdefault(name, Key(name, self.worlds))
        k.requests = 0
        self.at_work.append(k)

    def pick(self):
        self.about = k = self.random.choice(self.at_work)
        k.requests += 1
        return k

    def pick_id(self, k):
        return self.random.choice(k.ids) if k.ids else None

    def remember(self, k, version_id):
        if version_id not in k.ids:
            k.ids.append(version_id)

    # -- objects -----------------------------------------------------------------------------------------------------------------------

    def guard_for(self, k):
        chance = self.random.random()
        if chance < 0.12:
            return "*", [["If-None-Match", "*"]]
        current = [s[0][1] for s in k.worlds.possible(self.mode) if s and s[0][1]] if chance < 0.22 else []
        return (current[0], [["If-Match", f'"{current[0]}"']]) if current else (None, [])

    def put(self):
        k, n = self.pick(), self.next()
        body, etag = self.fresh_body(n)
        guard, headers = self.guard_for(k)
        tags = f"t={n}" if self.random.random() < 0.3 else ""
        a = self.tell("PutObject", "PUT", self.path(k.name), headers + ([["x-amz-tagging", tags]] if tags else []), body, k.name, (404, 412))
        what = f"PUT {etag} if {guard} {tags}"
        if a is None:
            k.worlds.unsure(what, n, w.put(n, etag, (tags,), guard))
        elif a.status == 200:
            k.worlds.told(f"{what} -> {self.version_id(a)}", w.put(self.version_id(a), etag, (tags,), guard), self.mode)
            self.remember(k, self.version_id(a))
        else:
            k.worlds.told(f"{what} -> {a.status}", w.refused(guard, a.status), self.mode)

    def delete(self):
        k = self.pick()
        a = self.tell("DeleteObject", "DELETE", self.path(k.name), key=k.name)
        if a is None:
            k.worlds.unsure("DELETE", n := self.next(), w.marked(n))
        else:
            k.worlds.told(f"DELETE -> {self.version_id(a)}", w.marked(self.version_id(a)), self.mode)
            self.remember(k, self.version_id(a))

    def delete_version(self):
        k = self.pick()
        if v := self.pick_id(k):
            self.end_version(k, v)

    def get(self):
        k = self.pick()
        self.read(k, None)

    def get_version(self):
        k = self.pick()
        if v := self.pick_id(k):
            self.read(k, v)

    def read(self, k, v):
        a = self.tell("GetObjectVersion" if v else "GetObject", "GET", self.path(k.name) + (f"?versionId={v}" if v else ""), key=k.name, also=(404, 405))
        if a is None:
            return
        if a.status != 200:
            k.worlds.told(f"GET {v} -> {a.status}", w.shows_none(v, a.status), self.mode)
            return
        etag = unquoted(a.get("etag"))
        if self.load.bodies.get(etag) != (hashlib.sha256(a.body).hexdigest(), len(a.body)):
            raise w.Unlike(f"GET {v}: {len(a.body)} bytes that are not those of {etag}")
        k.worlds.told(f"GET {v} -> {self.version_id(a)} {etag}", w.shows(v, self.version_id(a), etag), self.mode)

    def tag(self):
        k, n = self.pick(), self.next()
        v = self.pick_id(k)
        body = f"<Tagging><TagSet><Tag><Key>t</Key><Value>{n}</Value></Tag></TagSet></Tagging>".encode()
        clear = self.random.random() < 0.3
        target = f"{self.path(k.name)}?tagging" + (f"&versionId={v}" if v else "")
        if clear:
            a = self.tell("DeleteObjectTagging", "DELETE", target, key=k.name, also=(404, 405))
        else:
            a = self.tell("PutObjectTagging", "PUT", target, [md5_header(body)], body, k.name, (404, 405))
        tags = "" if clear else f"t={n}"
        if a is None:
            k.worlds.unsure(f"tags {v} {tags}", n, w.tagged(v, tags))
        elif a.status in (200, 204):
            k.worlds.told(f"tags {v} {tags}", w.tagged(v, tags), self.mode)
        else:
            k.worlds.told(f"tags {v} -> {a.status}", w.shows_none(v, a.status) if v else w.no_object(v), self.mode)

    def get_tags(self):
        k = self.pick()
        v = self.pick_id(k)
        a = self.tell("GetObjectTagging", "GET", f"{self.path(k.name)}?tagging" + (f"&versionId={v}" if v else ""), key=k.name, also=(404, 405))
        if a is not None and a.status == 200:
            shown = "&".join(f"{x}={y}" for x, y in zip(elements(a.body, "Key"), elements(a.body, "Value")))
            k.worlds.told(f"tags of {v} -> {shown}", w.shows_tags(v, shown), self.mode)
        elif a is not None:
            k.worlds.told(f"tags of {v} -> {a.status}", w.no_object(v), self.mode)

    def source(self, k, v):
        """What a copy of it may get: [(etag, tags)]."""
        found = set()
        for state in k.worlds.possible(self.mode):
            at = w.at_id(state, v)
            if at is not None and state[at][1]:
                found.add(state[at][1:])
        return found

    def copy(self):
        a_key, to = self.random.sample(self.at_work, 2)
        v = self.pick_id(a_key) if self.random.random() < 0.7 else None
        may, n, moved = self.source(a_key, v), self.next(), not self.shared and self.random.random() < 0.3
        headers = [["x-amz-copy-source", self.path(a_key.name) + (f"?versionId={v}" if v else "")]]
        if moved:                                       # another checksum than the source has: the bytes go through the front
            headers.append(["x-amz-checksum-algorithm", "SHA256"])
            may = {(self.plain(e), t) for e, t in may}
        to.requests += 1
        a = self.tell("CopyObject", "PUT", self.path(to.name), headers, key=to.name, also=(400, 404))
        what = f"copy of {a_key.name} {v}"
        self.about = to
        if a is None:
            to.worlds.unsure(what, n, lambda state, mode: [x for e, t in may for x in w.put(n, e, (t,))(state, mode)])
        elif a.status == 200:
            etag = unquoted(a.element("ETag"))
            to.worlds.told(f"{what} -> {self.version_id(a)} {etag}", w.put(self.version_id(a), etag, {t for e, t in may if e == etag}), self.mode)
            self.remember(to, self.version_id(a))
            self.about = a_key
            a_key.worlds.told(f"was copied {v} {etag}", self.has(v, etag, moved), self.mode)
            if self.random.random() < 0.4 and v:        # the source goes at once: what was copied shares its bytes
                self.end_version(a_key, v)
        elif a.status == 404 or v:
            self.about = a_key
            a_key.worlds.told(f"was to be copied {v} -> {a.status}", w.no_object(v), self.mode)

    def plain(self, etag):
        """The etag that the same bytes have as one upload."""
        if "-" not in etag:
            return etag
        recipe = self.load.recipes[etag]
        one = hashlib.md5(b"".join(body_of(*x) for x in recipe)).hexdigest()
        self.known(one, recipe)
        return one

    def has(self, v, etag, moved):
        return lambda state, mode: [state] if (at := w.at_id(state, v)) is not None and state[at][1] and (self.plain(state[at][1]) if moved else state[at][1]) == etag else []

    def end_version(self, k, v):
        a = self.tell("DeleteObjectVersion", "DELETE", f"{self.path(k.name)}?versionId={v}", key=k.name)
        if a is None:
            k.worlds.unsure(f"DELETE version {v}", self.next(), w.ended(v))
        else:
            k.worlds.told(f"DELETE version {v}", w.ended(v), self.mode)

    def batch(self):
        items = [(k, self.pick_id(k) if self.random.random() < 0.5 else None) for k in self.random.sample(self.at_work, 3)]
        body = "".join(f"<Object><Key>{k.name}</Key>" + (f"<VersionId>{v}</VersionId>" if v else "") + "</Object>" for k, v in items)
        body = f"<Delete>{body}</Delete>".encode()
        a = self.tell("DeleteObjects", "POST", f"/{self.bucket}?delete", [md5_header(body)], body)
        done = dict((re.search("<Key>(.*?)</Key>", x)[1], x) for x in re.findall("<Deleted>(.*?)</Deleted>", a.body.decode())) if a else {}
        for k, v in items:
            self.about, said = k, done.get(k.name)
            k.requests += 1
            marker = re.search("<DeleteMarkerVersionId>(.*?)</DeleteMarkerVersionId>", said or "")
            if said is None:
                n = self.next()
                k.worlds.unsure(f"batch {v}", n, w.ended(v) if v else w.marked(n))
            elif v:
                k.worlds.told(f"batch ends {v}", w.ended(v), self.mode)
            else:
                k.worlds.told(f"batch marks {marker and marker[1]}", w.marked(marker[1] if marker else w.NULL), self.mode)
                self.remember(k, marker[1] if marker else w.NULL)

    # -- looking -----------------------------------------------------------------------------------------------------------------------

    def look(self):
        """After each kill: all versions of each key of which not all is known, the uploads that go on, the policy, the users."""
        for k in [x for x in self.at_work if x.worlds.open] or self.random.sample(self.at_work, 1):
            self.about = k
            self.look_at(k)
        for u in self.open_uploads():
            self.about = u
            self.list_parts(u)
        self.about = None
        self.get_policy()
        for user in self.users[-1:]:
            self.about = user
            self.list_keys(user)

    def look_at(self, k):
        a = self.tell("ListObjectVersions", "GET", f"/{self.bucket}?encoding-type=url&prefix={encode(k.name)}&versions")
        if a is not None:
            shown = [x[1:3] for x in versions_of(a.body)]
            k.worlds.told(f"versions -> {shown}", w.shows_all(shown), self.mode)
        a = self.tell("ListMultipartUploads", "GET", f"/{self.bucket}?encoding-type=url&prefix={encode(k.name)}&uploads")
        if a is not None:
            self.shows_uploads(k, elements(a.body, "UploadId"))


class PlainClient(WideClient):
    """In a bucket without versioning."""
    begins = w.OFF


class SharingClient(WideClient):
    """Among others at the same keys: what it is told is held against the log alone, by the judge and by replay."""
    worlds, shared = w.Anything, tuple(f"shared/{i}" for i in range(KEYS_AT_WORK))
