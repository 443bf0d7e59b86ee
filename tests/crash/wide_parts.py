# SPDX-License-Identifier: Apache-2.0
"""The wide load's uploads in parts: begun, filled, filled again, copied into, completed under conditions and beside a rival, aborted.

Complete whose answer was lost is asked for again until it has one, which must be what the first one would have been.
"""
import hashlib
import threading
import time

from crash import worlds as w
from crash.wide_kit import elements, unquoted

UPLOADS_AT_WORK = 4
PARTS = 4


class Upload:
    def __init__(self, key, upload_id, worlds):
        self.key, self.id, self.worlds, self.parts, self.abort_unsure, self.broken = key, upload_id, worlds(()), {}, False, False


class Parts:
    """Of WideClient."""

    def create(self):
        if len(self.open_uploads()) >= UPLOADS_AT_WORK:
            return
        k = self.pick()
        a = self.tell("CreateMultipartUpload", "POST", f"{self.path(k.name)}?uploads", key=k.name)
        if a is None:
            k.orphans += 1
        else:
            u = Upload(k, a.element("UploadId"), self.worlds)
            self.uploads[u.id] = u

    def open_uploads(self):
        return [u for u in self.uploads.values() if not u.broken and u.key in self.at_work and any(s is not None for s, _ in u.worlds.worlds) and not u.worlds.crowded]

    def pick_upload(self):
        usable = self.open_uploads()
        self.about = u = self.random.choice(usable) if usable else None
        return u

    def target(self, u, number=None):
        return f"{self.path(u.key.name)}?" + (f"partNumber={number}&" if number else "") + f"uploadId={u.id}"

    def part(self):
        if u := self.pick_upload():
            n = self.next()
            number, (body, etag) = self.random.randint(1, PARTS), self.fresh_body(n)
            self.part_answered(u, n, number, etag, self.tell("UploadPart", "PUT", self.target(u, number), (), body, u.key.name, (404,)))

    def part_answered(self, u, n, number, etag, a):
        if a is None:
            u.worlds.unsure(f"part {number} {etag}", n, w.part_set(number, etag))
        elif a.status == 200:
            u.worlds.told(f"part {number} {etag}", w.part_set(number, etag))
            u.parts[number] = etag
        else:
            u.worlds.told(f"part {number} -> 404", w.is_over)

    def part_copy(self):
        u = self.pick_upload()
        k = self.random.choice(self.at_work)
        v = self.pick_id(k)
        if not u or not v or self.shared:
            return
        n, number = self.next(), self.random.randint(1, PARTS)
        may = {self.plain(etag) for etag, _ in self.source(k, v)}       # a set's bytes are one part's
        a = self.tell("UploadPartCopy", "PUT", self.target(u, number), [["x-amz-copy-source", f"{self.path(k.name)}?versionId={v}"]], key=u.key.name, also=(400, 404))
        if a is None:
            u.worlds.unsure(f"part {number} copied", n, lambda state, mode: [x for e in may for x in w.part_set(number, e)(state, mode)])
        elif a.status == 200:
            etag = unquoted(a.element("ETag"))
            if etag not in may:
                raise w.Unlike(f"part {number} copied has {etag}, the source {may}")
            self.part_answered(u, n, number, etag, a)
        elif a.code == "NoSuchUpload":
            u.worlds.told(f"part {number} -> 404", w.is_over)
        else:
            self.about = k
            k.worlds.told(f"was to be copied {v} -> {a.status}", w.no_object(v), self.mode)

    def complete(self):
        u = self.pick_upload()
        if not u or not u.parts:
            return
        k, n = u.key, self.next()
        parts = sorted(self.random.sample(sorted(u.parts.items()), self.random.randint(1, len(u.parts))))
        guard, headers = ("*", [["If-None-Match", "*"]]) if self.random.random() < 0.15 else (None, [])
        recipe = [x for _, e in parts for x in self.load.recipes[e]]
        etag = hashlib.md5(b"".join(bytes.fromhex(e) for _, e in parts)).hexdigest() + f"-{len(parts)}"
        self.known(etag, recipe)
        body = "".join(f"<Part><PartNumber>{i}</PartNumber><ETag>\"{e}\"</ETag></Part>" for i, e in parts)
        body = f"<CompleteMultipartUpload>{body}</CompleteMultipartUpload>".encode()

        def ask():
            return self.ask("POST", self.target(u), headers, body)
        rival = self.rival(u, parts[0][0]) if self.random.random() < 0.3 else None
        a = self.noted(ask(), "CompleteMultipartUpload", k.name, (400, 404, 412), alone=rival is None)
        b = rival() if rival else None
        if a is None:
            u.worlds.unsure(f"complete {parts} if {guard}", n, w.fits(parts))
            k.worlds.unsure(f"complete {u.id} {etag} if {guard}", n, w.put(n, etag, guard=guard))
            if b:
                self.part_answered(u, *b)
            a = self.until_sure(lambda: self.noted(ask(), "CompleteMultipartUpload", k.name, (400, 404, 412)))
            if a is not None:
                self.complete_again(u, n, parts, etag, guard, a)
            return
        self.complete_answered(u, parts, etag, guard, a, b)

    def rival(self, u, number):
        """The same part again with other bytes, while Complete is on its way. Gives what ends it."""
        n = self.next()
        body, etag = self.fresh_body(n)
        out = []
        thread = threading.Thread(target=lambda: (time.sleep(self.random.choice([0, 0, 0.001, 0.003])), out.append(self.second.ask("PUT", self.target(u, number), (), body))))
        thread.start()

        def end():
            thread.join()
            self.strange += self.second.strange
            self.second.strange.clear()
            return n, number, etag, self.noted(out[0] if out else None, "UploadPart", u.key.name, (404,), alone=False)
        return end

    def too_small(self, parts):
        """An empty part that is not the last one."""
        return any(self.load.bodies[e][1] == 0 for _, e in parts[:-1])

    def complete_answered(self, u, parts, etag, guard, a, b):
        k, code = u.key, a.code
        effect = {200: w.fits(parts), 400: w.fits_not(parts), 404: w.is_over, 412: w.any_state}[a.status]
        if code == "EntityTooSmall" and self.too_small(parts):
            effect = w.any_state
        elif a.status == 400 and code != "InvalidPart" or a.status == 200 and self.too_small(parts):
            self.strange.append(f"complete {parts}: {a}")
        if b and b[3] is not None:
            _, number, part_etag, answer = b
            other = w.part_set(number, part_etag) if answer.status == 200 else w.is_over
            u.worlds.either(f"complete {parts} -> {a.status} and part {number} {part_etag} -> {answer.status}", [(effect, other), (other, effect)])
            if answer.status == 200:
                u.parts[number] = part_etag
        else:
            if b:
                self.part_answered(u, *b)
            u.worlds.told(f"complete {parts} -> {a.status}", effect)
        self.about = k
        if a.status == 200:
            if unquoted(a.element("ETag")) != etag:
                raise w.Unlike(f"complete gives {a.element('ETag')}, it should be {etag}")
            k.worlds.told(f"complete {u.id} -> {self.version_id(a)} {etag}", w.put(self.version_id(a), etag, guard=guard), self.mode)
            self.remember(k, self.version_id(a))
        elif a.status == 412:
            k.worlds.told("complete -> 412", w.refused(guard, 412), self.mode)

    def complete_again(self, u, n, parts, etag, guard, a):
        """The answer was lost, and this is the answer to the same request again."""
        k = u.key
        if a.status == 200:
            if unquoted(a.element("ETag")) != etag:
                raise w.Unlike(f"complete again gives {a.element('ETag')}, it should be {etag}")
            u.worlds.told("complete again", lambda state, mode: w.fits(parts)(state, mode) or w.is_over(state, mode))
            u.worlds.drop(n)
            self.about = k
            k.worlds.told_again(f"complete {u.id} again -> {self.version_id(a)} {etag}", n, w.put(self.version_id(a), etag, guard=guard),
                                w.completed_before(self.version_id(a), etag), self.mode)
            self.remember(k, self.version_id(a))
        elif a.status == 404:
            u.worlds.told("complete again -> 404", w.is_over)
            u.worlds.drop(n)
            self.about = k
            if not u.abort_unsure:                      # it was completed then, and something else is current
                k.worlds.came(f"complete {u.id} {etag} again -> 404", n, lambda s: not s or s[0][1] != etag, self.mode)
        elif a.status == 400:
            u.worlds.told(f"complete again -> {a.code}", w.any_state if a.code == "EntityTooSmall" and self.too_small(parts) else w.fits_not(parts))
            u.worlds.drop(n)
            k.worlds.never(f"complete {u.id} again -> 400", n)
        else:
            self.about = k
            k.worlds.told("complete again -> 412", w.refused(guard, 412), self.mode)

    def abort(self):
        u = self.pick_upload()
        if u and self.random.random() < 0.5:
            a = self.tell("AbortMultipartUpload", "DELETE", self.target(u), key=u.key.name, also=(404,))
            if a is None:
                u.worlds.unsure("abort", self.next(), w.over)
                u.abort_unsure = True
            else:
                u.worlds.told(f"abort -> {a.status}", w.over if a.status == 204 else w.is_over)

    def shows_uploads(self, k, ids):
        if self.shared:
            return
        for u in self.uploads.values():
            if u.key is k and not u.broken:
                self.about = u
                there = u.id in ids
                u.worlds.told(f"uploads -> {'there' if there else 'gone'}", lambda state, mode, there=there: [state] if (state is not None) == there else [])
        self.about = k
        unknown = [x for x in ids if x not in self.uploads]
        if len(unknown) > k.orphans:
            raise w.Unlike(f"{len(unknown)} uploads that nobody began: {unknown}, {k.orphans} had no answer")

    def list_parts(self, u):
        a = self.tell("ListParts", "GET", self.target(u), key=u.key.name, also=(404,))
        if a is not None and a.status == 404:
            u.worlds.told("parts -> 404", w.is_over)
        elif a is not None:
            shown = tuple((int(n), unquoted(e)) for n, e in zip(elements(a.body, "PartNumber"), elements(a.body, "ETag")))
            u.worlds.told(f"parts -> {shown}", w.reads(shown))
