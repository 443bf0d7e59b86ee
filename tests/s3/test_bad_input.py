# SPDX-License-Identifier: Apache-2.0
"""Malformed and hostile requests, row by row of bad-input.tsv, on raw sockets.

Each request gets a connection of its own. Compared: the status; the code in the XML; <RequestId> = x-amz-request-id; HEAD without a
body; nothing stored by a refused write; and the connection afterwards: the next request on it is answered as if nothing had been, or
it is closed, never out of step. A failure lists every row of its group that differs.
"""
import lib.bad_input_config                        # noqa: F401: these fill ROWS and FREE
import lib.bad_input_core                          # noqa: F401
import lib.bad_input_forms                         # noqa: F401
import lib.bad_input_parts                         # noqa: F401
import lib.bad_input_plain                         # noqa: F401
import lib.bad_input_signed                        # noqa: F401
from lib import bad_input_documents as documents
from lib.bad_input import FREE, ROWS, World, group, replayed, table, unrecorded
from lib.case import limit


@limit(300)
def test_authorization(case):
    """A request whose signature is missing, malformed or wrong is refused with the code that tells the client why."""
    group(case, "A")


@limit(300)
def test_presigned_urls(case):
    """A presigned URL that is malformed, expired, not valid yet or for another method is refused."""
    group(case, "P")


@limit(300)
def test_bodies(case):
    """A body whose framing, trailer or chunk signature is wrong is refused, and nothing of it is stored."""
    group(case, "C")


@limit(300)
def test_digests(case):
    """A body that is not what its digest says is refused, and nothing of it is stored."""
    group(case, "D")


@limit(300)
def test_http(case):
    """HTTP that is out of shape gets an S3 error or a closed connection, never a half-read one."""
    group(case, "H", config="\n[s3]\ndomain = s3.example\n")


@limit(300)
def test_names(case):
    """Bucket names follow the rules; object keys are opaque bytes and never a path."""
    group(case, "K")


@limit(300)
def test_buckets_and_listings(case):
    """Buckets, listings and ranges: wrong parameters are named, unknown ones ignored but signed."""
    group(case, "B")


@limit(300)
def test_conditions(case):
    """Conditional writes: refused when they do not hold, exactly one winner when many try."""
    group(case, "W")


@limit(300)
def test_copies(case):
    """Copies: a source that is malformed, too large or not the caller's to read is refused, and the refusal names both sides."""
    group(case, "Y")


@limit(300)
def test_uploads(case):
    """Multipart uploads: wrong lists, numbers, sizes and ids are refused, and the upload is still there for the right ones."""
    group(case, "M")


@limit(300)
def test_forms(case):
    """Forms that a browser posts: what the signed policy does not cover is refused, and nothing of it is stored."""
    group(case, "F")


@limit(300)
def test_xml(case):
    """Documents: no DTD, no entities, no depth, no more than a thousand keys, no value that the document may not have."""
    group(case, "X")


@limit(300)
def test_log_cannot_be_written(case):
    """With the log unwritable nothing is answered but 503, and it comes back by itself."""
    group(case, "E")


def looked_at(w, wrong, pids):
    wrong += [*documents.alive(w, pids), *unrecorded(w), *replayed(w)]
    assert not wrong, f"{len(wrong)} differences:\n" + "\n".join(wrong[:200])


@limit(400)
def test_documents_cut_off_at_every_byte(case):
    """Every kind of document, XML, JSON, IAM's and a form's: each of its prefixes is refused with its leaf on a connection that is kept, and the whole is taken."""
    w, wrong = World(case.store()), []
    pids = sorted(w.store.pids())
    for d in documents.documents(w):
        wrong += documents.cut_off(w, d)
    wrong += [*documents.user_policies(w), *documents.form_policies(w)]
    assert len(w.refused) > 2000, len(w.refused)
    looked_at(w, wrong, pids)


@limit(400)
def test_documents_made_to_hurt(case):
    """Every kind of document: deep, with entities, larger than may be, in other encodings: 400, its leaf, and the same processes as before."""
    w, wrong = World(case.store()), []
    pids = sorted(w.store.pids())
    for d in documents.documents(w):
        wrong += documents.hostile(w, d)
    looked_at(w, wrong, pids)


def test_every_row_has_a_request(case):
    """Every row of the table is asked; no request stands without its row."""
    names = set(table())
    assert names == set(ROWS) | set(FREE), sorted(names ^ (set(ROWS) | set(FREE)))
