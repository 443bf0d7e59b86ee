#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The front against a fake gate and keeper: real nginx, real module, the wire's other side played by fake.py. Prints TAP.

  front_test.py MODULE.so [--only SUBSTRING]
"""
import base64
import hashlib
import os
import re
import socket
import struct
import subprocess
import sys
import threading
import time
import zlib

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import fake  # noqa: E402
import rig  # noqa: E402
import wire  # noqa: E402

from rig import code_of, request, status_of  # noqa: E402

CANARY = "canary-4711-name"


def test_objects_of_every_size_come_back_as_they_went(r):
    for tls in (False, True):
        c = r.client(tls)
        for n in (0, 1, 2000, 65535, 65536, 65537, 3 * 65536, 1 << 20, (4 << 20) + 1, 9 << 20):
            body = os.urandom(n)
            e = c.put_object(Bucket="b", Key="n%d" % n, Body=body)["ETag"]
            assert e == '"%s"' % hashlib.md5(body).hexdigest()
            g = c.get_object(Bucket="b", Key="n%d" % n)
            assert g["ContentLength"] == n and g["Body"].read() == body, n


def test_ranges_and_heads_are_the_gates_answer(r):
    c, body = r.client(), os.urandom((4 << 20) + 100000)
    c.put_object(Bucket="b", Key="r", Body=body, Metadata={"a_b": "c"})
    for a, b in ((0, 0), (1, 65536), (65536, 65536), (65535, 131072), (4194303, 4194304), (100, len(body) - 1), (len(body) - 1, len(body) - 1)):
        g = c.get_object(Bucket="b", Key="r", Range="bytes=%d-%d" % (a, b))
        assert g["Body"].read() == body[a:b + 1] and g["ContentRange"] == "bytes %d-%d/%d" % (a, b, len(body)), (a, b)
    small = os.urandom(1 << 19)
    c.put_object(Bucket="b", Key="rs", Body=small)
    g = c.get_object(Bucket="b", Key="rs", Range="bytes=70000-400000")
    assert g["Body"].read() == small[70000:400001] and g["ResponseMetadata"]["HTTPStatusCode"] == 206
    h = c.head_object(Bucket="b", Key="r")
    assert h["ContentLength"] == len(body) and h["Metadata"] == {"a_b": "c"} and h["ResponseMetadata"]["HTTPHeaders"]["x-tillit-receipt"] == "log/2"


def test_odd_names_are_signed_as_they_were_sent(r):
    c = r.client()
    for key in ("a//b/../c", "h\u00e4st \u4e16", "+%25", ".", "..", "a b+c=d&e?f#g", "%2F", "~x*'()!"):
        c.put_object(Bucket="b", Key=key, Body=key.encode())
        assert c.get_object(Bucket="b", Key=key)["Body"].read() == key.encode(), key
        c.delete_object(Bucket="b", Key=key)


def test_presigned_urls_work(r):
    c = r.client()
    c.put_object(Bucket="b", Key="p q", Body=b"presigned")
    from botocore.config import Config
    import boto3
    c4 = boto3.client("s3", endpoint_url="http://127.0.0.1:%d" % r.http, aws_access_key_id=fake.AKID, aws_secret_access_key=fake.SECRET,
                      region_name=fake.REGION, config=Config(signature_version="s3v4", s3={"addressing_style": "path"}))
    url = c4.generate_presigned_url("get_object", Params={"Bucket": "b", "Key": "p q"})
    out = subprocess.run(["curl", "-s", url], capture_output=True).stdout
    assert out == b"presigned", out


def test_lists_are_pages_of_xml(r):
    c = r.client()
    for k in ("l/1", "l/2 \u00e9", "l/3<&>"):
        c.put_object(Bucket="lb", Key=k, Body=b"x")
    for page in (c.list_objects_v2(Bucket="lb", Prefix="l/"), c.list_objects(Bucket="lb", Prefix="l/")):
        assert [o["Key"] for o in page["Contents"]] == ["l/1", "l/2 \u00e9", "l/3<&>"] and not page["IsTruncated"], page
        assert page["Contents"][0]["Size"] == 1 and page["Contents"][0]["ETag"] == '"%s"' % hashlib.md5(b"x").hexdigest()


def test_trailer_bodies_are_unwrapped_and_compared(r):
    body = os.urandom(200000)
    crc = base64.b64encode(struct.pack(">I", zlib.crc32(body))).decode()

    def wrapped(trailer, cut=65536, http=None):
        out = b"".join(b"%x\r\n%s\r\n" % (len(body[i:i + cut]), body[i:i + cut]) for i in range(0, len(body), cut)) + b"0\r\n" + trailer + b"\r\n"
        if not http:
            return out
        return b"".join(b"%x\r\n%s\r\n" % (len(out[i:i + http]), out[i:i + http]) for i in range(0, len(out), http)) + b"0\r\n\r\n"

    h = {"x-amz-decoded-content-length": str(len(body)), "x-amz-trailer": "x-amz-checksum-crc32", "content-encoding": "aws-chunked"}
    good = b"x-amz-checksum-crc32:%s\r\n" % crc.encode()
    for trailer, te, want in ((good, None, 200), (good, 5000, 200), (b"x-amz-checksum-crc32:AAAAAA==\r\n", None, "BadDigest"),
                              (b":AAAAAA==\r\n", None, "MalformedTrailerError"), (b"", None, "MalformedTrailerError")):
        raw = wrapped(trailer, http=te)
        hh = dict(h, **({"transfer-encoding": "chunked"} if te else {}))
        out = r.raw(request(r, "PUT", "/b/t", b"", dict(hh, **({} if te else {"content-length": str(len(raw))})),
                            payload="STREAMING-UNSIGNED-PAYLOAD-TRAILER", extra=raw))
        assert (status_of(out) if want == 200 else code_of(out)) == want, (want, out[:600])
    short = wrapped(good)
    hh = dict(h, **{"x-amz-decoded-content-length": str(len(body) + 1), "content-length": str(len(short))})
    out = r.raw(request(r, "PUT", "/b/t", b"", hh, payload="STREAMING-UNSIGNED-PAYLOAD-TRAILER", extra=short))
    assert code_of(out) == "IncompleteBody", out[:500]


def test_wrong_digests_commit_nothing(r):
    body = b"hello" * 200000
    md5 = base64.b64encode(hashlib.md5(b"x").digest()).decode()
    n = len(r.store.commits)
    cases = (({"content-md5": md5}, None, "BadDigest"), ({"content-md5": "YWJyYWNhZGFicmE="}, None, "InvalidDigest"),
             ({"x-amz-checksum-sha256": base64.b64encode(bytes(32)).decode()}, None, "BadDigest"),
             ({}, hashlib.sha256(b"other").hexdigest(), "XAmzContentSHA256Mismatch"), ({}, "invalid", "InvalidArgument"),
             ({"x-amz-checksum-sha1": "AAAAAAAAAAAAAAAAAAAAAAAAAAA=", "x-amz-checksum-crc32": "AAAAAA=="}, None, "InvalidRequest"))
    for headers, payload, want in cases:
        out = r.raw(request(r, "PUT", "/b/wrong", body, headers, payload=payload))
        assert code_of(out) == want and status_of(out) == 400, (headers, payload, out[:500])
    assert len(r.store.commits) == n and ("b", "wrong") not in r.store.objects
    time.sleep(0.2)
    assert r.store.dropped, "staged bytes were not dropped"


def test_length_is_needed_and_bounded(r):
    out = r.raw(request(r, "PUT", "/b/x", b"", {"transfer-encoding": "chunked"}, payload="UNSIGNED-PAYLOAD", extra=b"5\r\nhello\r\n0\r\n\r\n"))
    assert status_of(out) == 411 and code_of(out) == "MissingContentLength", out
    out = r.raw(request(r, "PUT", "/b/x", b"", {"content-length": "5368709121"}, payload="UNSIGNED-PAYLOAD"))
    assert status_of(out) == 400 and code_of(out) == "EntityTooLarge", out


def test_continue_is_sent_after_the_ticket_only(r):
    r.store.answer_delay = 0.5
    s = r.socket()
    s.sendall(request(r, "PUT", "/b/e", b"", {"expect": "100-continue", "content-length": "5"}, payload="UNSIGNED-PAYLOAD"))
    s.settimeout(0.25)
    try:
        assert not s.recv(100), "something came before the gate's answer"
    except socket.timeout:
        pass
    s.settimeout(5)
    assert s.recv(100).startswith(b"HTTP/1.1 100")
    s.sendall(b"hello")
    assert s.recv(1000).startswith(b"HTTP/1.1 200")
    r.store.answer_delay = 0
    r.store.refuse = (404, "NoSuchBucket")
    s = r.socket()
    s.sendall(request(r, "PUT", "/b/e", b"", {"expect": "100-continue", "content-length": "5"}, payload="UNSIGNED-PAYLOAD", close=False))
    out = b""
    try:
        while piece := s.recv(4096):
            out += piece
    except ConnectionResetError:
        pass
    assert status_of(out) == 404 and code_of(out) == "NoSuchBucket" and b" 100 " not in out and b"Connection: close" in out, out


def test_an_unread_body_is_not_the_next_request(r):
    inner = request(r, "GET", "/b/smuggled", close=True)
    outer = request(r, "PUT", "/b/o", inner, {}, payload="UNSIGNED-PAYLOAD", close=False)
    r.store.refuse = (403, "AccessDenied")
    n = len(r.store.asks)
    out = r.raw(outer + request(r, "GET", "/b/after"))
    assert len(re.findall(rb"HTTP/1.1 403", out)) == 2, out
    paths = [m["canonical"].split(b"\n")[1] for m in r.store.asks[n:]]
    assert paths == [b"/b/o", b"/b/after"], paths


def test_requests_in_a_row_on_one_connection(r):
    c = request(r, "PUT", "/b/row", b"row" * 1000, close=False)
    out = r.raw(c + request(r, "GET", "/b/row", close=False) + request(r, "HEAD", "/b/row", close=False)
                + request(r, "DELETE", "/b/row", close=False) + request(r, "GET", "/b/row"))
    assert re.findall(rb"HTTP/1.1 (\d+)", out) == [b"200", b"200", b"200", b"204", b"404"], out
    assert out.count(b"rowrow") == 1000 // 2, out.count(b"rowrow")


def test_a_changed_frame_never_reaches_a_client(r):
    c = r.client()
    body = os.urandom(5 * 65536)
    c.put_object(Bucket="b", Key="flip", Body=body)
    r.store.flip = 10
    out = r.raw(request(r, "GET", "/b/flip"))
    assert status_of(out) == 500 and code_of(out) == "InternalError" and body[:16] not in out
    r.store.flip = 4 * 65552 + 5
    out = r.raw(request(r, "GET", "/b/flip"))
    got = out.split(b"\r\n\r\n", 1)[1]
    assert status_of(out) == 200 and len(got) < len(body) and body.startswith(got), len(got)
    r.store.flip = None
    big = os.urandom(3 << 20)
    c.put_object(Bucket="b", Key="flipfile", Body=big)
    o = r.store.objects[("b", "flipfile")]
    name = fake.b32(o["blob"])
    path = os.path.join(r.dir, "keeper/blobs", name[:2], name)
    data = bytearray(open(path, "rb").read())
    data[2 << 20] ^= 1
    open(path, "wb").write(data)
    out = r.raw(request(r, "GET", "/b/flipfile"))
    got = out.split(b"\r\n\r\n", 1)[1]
    assert len(got) < len(big) and big.startswith(got)
    os.truncate(path, 65552)                        # at a frame's border
    got = r.raw(request(r, "GET", "/b/flipfile")).split(b"\r\n\r\n", 1)[1]
    assert len(got) < len(big)
    assert b"tillit_front_frames_bad_total" in r.raw_api("GET", "/-/metrics")[2]


def test_a_client_that_leaves_takes_its_ticket_with_it(r):
    s = r.socket()
    s.sendall(request(r, "PUT", "/b/gone", b"", {"content-length": "3000000"}, payload="UNSIGNED-PAYLOAD"))
    s.sendall(bytes(1000000))
    time.sleep(0.3)
    n, d = len(r.store.aborted), len(r.store.dropped)
    s.close()
    for _ in range(40):
        if len(r.store.aborted) > n and len(r.store.dropped) > d:
            break
        time.sleep(0.05)
    assert len(r.store.aborted) > n and len(r.store.dropped) > d, (r.store.aborted, r.store.dropped)
    assert ("b", "gone") not in r.store.objects
    r.store.answer_delay = 0.5                       # while the gate decides
    s = r.socket()
    s.sendall(request(r, "GET", "/b/none"))
    time.sleep(0.1)
    n = len(r.store.aborted)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()
    time.sleep(0.2)
    assert len(r.store.aborted) == n + 1
    s = r.socket()                                   # one that has only said all it wants to say gets its answer
    s.sendall(request(r, "GET", "/b/none"))
    s.shutdown(socket.SHUT_WR)
    s.settimeout(5)
    assert status_of(s.recv(4000)) == 404
    r.store.answer_delay = 0


def test_a_client_that_stops_sending_early_is_let_go(r):
    for size in (100, 100, 100, 100000, 5000000):
        s = r.socket()
        s.settimeout(2)
        s.sendall(request(r, "PUT", "/b/half", b"", {"content-length": str(size)}, payload="UNSIGNED-PAYLOAD", close=False) + b"x" * (size - 1))
        try:
            s.shutdown(socket.SHUT_WR)
            out = s.recv(4000)
        except ConnectionResetError:
            out = b""
        assert out == b"" or code_of(out) in ("IncompleteBody", "RequestTimeout"), out
    assert ("b", "half") not in r.store.objects


def test_a_stalled_upload_is_answered_request_timeout(r):
    s = r.socket()
    s.sendall(request(r, "PUT", "/b/stall", b"", {"content-length": "1000"}, payload="UNSIGNED-PAYLOAD"))
    s.sendall(b"x")
    s.settimeout(8)
    out = s.recv(4000)
    assert status_of(out) == 400 and code_of(out) == "RequestTimeout", out


def test_the_keepers_credit_is_the_uploads_pace(r):
    r.store.no_credit = True
    s = r.socket()
    body = bytes(4 << 20)
    s.sendall(request(r, "PUT", "/b/credit", b"", {"content-length": str(len(body))}, payload="UNSIGNED-PAYLOAD", close=False))
    t = threading.Thread(target=s.sendall, args=(body,))
    t.start()
    time.sleep(1)
    (blob, staged), = [(k, len(v)) for k, v in r.store.blobs.items() if k in [x["blob"] for x in r.store.tickets.values()]]
    assert 700000 < staged <= 1 << 20, staged
    time.sleep(3)                                    # our own slowness is not the client's timeout
    r.store.no_credit = False
    for c in r.keeper.conns:
        c.send("CREDIT", list(r.store.tickets)[0], blob=blob, taken=staged)
    t.join()
    s.settimeout(5)
    assert s.recv(1000).startswith(b"HTTP/1.1 200")


def test_a_gate_restart_parks_and_asks_again(r):
    c = r.client()
    c.put_object(Bucket="b", Key="park", Body=b"parked")
    r.store.no_answer = True
    out = []
    t = threading.Thread(target=lambda: out.append(r.raw(request(r, "GET", "/b/park"))))
    t.start()
    time.sleep(0.3)
    r.gate.close()
    time.sleep(0.3)
    late = threading.Thread(target=lambda: out.append(r.raw(request(r, "GET", "/b/park"))))
    late.start()
    time.sleep(0.3)
    r.store.no_answer = False
    n = len(r.store.asks)
    r.gate.reopen()
    t.join()
    late.join()
    assert [status_of(o) for o in out] == [200, 200] and all(o.endswith(b"parked") for o in out), out
    flags = sorted(m["flags"] & wire.ASK_AGAIN for m in r.store.asks[n:])
    assert flags == [0, wire.ASK_AGAIN], flags


def test_a_gate_that_stays_away_is_answered_503(r):
    r.gate.close()
    t0 = time.time()
    out = r.raw(request(r, "GET", "/b/x"))
    assert status_of(out) == 503 and 2.5 < time.time() - t0 < 5, (time.time() - t0, out)
    assert r.raw_api("GET", "/-/ready")[0] == 503 and r.raw_api("GET", "/-/live")[0] == 200
    r.gate.reopen()
    time.sleep(0.3)


def test_a_commit_that_lost_its_gate_is_answered_503(r):
    r.gate.on_commit = lambda c, id, m: r.store.commits.append(m)
    out = []
    n = len(r.store.commits)
    t = threading.Thread(target=lambda: out.append(r.raw(request(r, "PUT", "/b/c", b"x" * 100000))))
    t.start()
    for _ in range(100):
        if len(r.store.commits) > n:
            break
        time.sleep(0.02)
    r.gate.close()
    t.join()
    del r.gate.on_commit
    r.gate.reopen()
    time.sleep(0.2)
    assert status_of(out[0]) == 503 and code_of(out[0]) == "ServiceUnavailable", out


def test_a_keeper_restart_costs_uploads_but_no_reads(r):
    c = r.client()
    body = os.urandom(600000)
    c.put_object(Bucket="b", Key="kr", Body=body)
    r.store.no_data = True
    out = []
    t = threading.Thread(target=lambda: out.append(r.raw(request(r, "GET", "/b/kr"))))
    t.start()
    time.sleep(0.3)
    r.keeper.close()
    time.sleep(0.3)
    r.store.no_data = False
    r.keeper.reopen()
    t.join()
    assert status_of(out[0]) == 200 and out[0].endswith(body), out[0][:300]
    s = r.socket()
    s.sendall(request(r, "PUT", "/b/kp", b"", {"content-length": "3000000"}, payload="UNSIGNED-PAYLOAD"))
    s.sendall(bytes(1000000))
    time.sleep(0.3)
    r.keeper.close()
    out = s.recv(4000)
    assert status_of(out) == 503 and code_of(out) == "SlowDown", out
    r.keeper.reopen()
    time.sleep(0.3)
    c.put_object(Bucket="b", Key="kp", Body=b"again")


def test_errors_of_nginx_itself_are_xml(r):
    def check(data, status, code):
        out = r.raw(data, timeout=3)
        assert out and status_of(out) == status and code_of(out) == code and b"nginx" not in out, (data[:80], out)

    check(b"GET /b/k HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400, "BadRequest")
    check(b"GET /b/k HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", 400, "BadRequest")
    check(b"GET /b/%ZZ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 400, "InvalidURI")
    check(b"GET /b/%00 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 400, "InvalidURI")
    check(b"GET /b/%ff HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 400, "InvalidURI")
    check(b"BAD\r\n\r\n", 400, "BadRequest")
    check(b"GET http://evil/ HTTP/1.1\r\nHost: other\r\nConnection: close\r\n\r\n", 400, "BadRequest")
    check(b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 9000 + b"\r\nConnection: close\r\n\r\n", 400, "RequestHeaderSectionTooLarge")
    check(b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 70000 + b"\r\n\r\n", 400, "RequestHeaderSectionTooLarge")
    check(b"GET / HTTP/1.1\r\nHost: x\r\n" + b"".join(b"A%d: 1\r\n" % i for i in range(150)) + b"Connection: close\r\n\r\n", 400, "RequestHeaderSectionTooLarge")
    check(b"GET /" + b"a" * 70000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 400, "InvalidURI")
    check(b"GET /k HTTP/1.1\r\nHost: bucket..s3.example\r\nConnection: close\r\n\r\n", 404, "NoSuchBucket")
    check(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, "BadRequest")
    out = r.raw(b"GET /b/k\r\n\r\n", timeout=2)      # HTTP/0.9 gets nothing
    assert out == b"", out
    s = r.socket()                                   # plain HTTP where TLS is spoken
    s.close()
    s = socket.create_connection(("127.0.0.1", r.https))
    s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    s.settimeout(3)
    assert code_of(s.recv(4000)) == "BadRequest"


def test_refusals_of_grammar_and_of_the_gate(r):
    def get(headers, path="/b/k"):
        return r.raw(("GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" % path).encode() + b"".join(b"%s: %s\r\n" % (k.encode(), v.encode()) for k, v in headers) + b"\r\n")

    for headers, status, code in (([], 403, "AccessDenied"), ([("Authorization", "invalid_header")], 400, "InvalidArgument"),
                                  ([("Authorization", "AWS AKID:sig")], 400, "InvalidRequest")):
        out = get(headers)
        assert status_of(out) == status and code_of(out) == code, (headers, out)
    good = request(r, "GET", "/b/none")
    out = r.raw(good.replace(b"\r\nauthorization:", b"\r\nx-amz-acl: public-read\r\nauthorization:"))
    assert code_of(out) == "AccessDenied", out
    out = r.raw(good.replace(b"GET /b/none", b"GET /b/nine"))
    assert code_of(out) == "SignatureDoesNotMatch", out
    out = r.raw(good.replace(b"GET /b/none", b"HEAD /b/none"))
    assert status_of(out) == 403 and out.endswith(b"\r\n\r\n"), out
    assert code_of(r.raw(request(r, "GET", "/b/" + "k" * 1025))) == "KeyTooLongError"
    ids = re.search(rb"x-amz-request-id: (\w+)", r.raw(good)), re.search(rb"<RequestId>(\w+)<", r.raw(good))
    assert ids[0] and ids[1]


def test_control_bodies_reach_the_gate_unchanged(r):
    body = b"<CreateBucketConfiguration/>" * 20000
    out = r.raw(request(r, "PUT", "/newbucket", body))
    assert status_of(out) == 200 and bytes(r.store.control[-1]) == body, out[:300]
    out = r.raw(request(r, "PUT", "/newbucket", b""))
    assert status_of(out) == 200 and r.store.control[-1] == b"", out[:300]
    out = r.raw(request(r, "POST", "/b?delete", b"x" * ((1 << 20) + 1)))
    assert code_of(out) == "MalformedXML", out[:300]


def test_the_api_port_speaks_problem_json(r):
    status, headers, body = r.raw_api("GET", "/nothing")
    assert status == 404 and headers["content-type"] == "application/problem+json" and b'"status":404' in body, (status, body)
    status, headers, body = r.raw_api("GET", "/v1/things")
    assert status == 403 and b'"code":"AccessDenied"' in body
    h = r.signed("GET", "/v1/things", port=r.api)
    h["host"] = "127.0.0.1:%d" % r.api
    status, headers, body = r.raw_api("GET", "/v1/things", headers=h)
    assert status == 200 and body == b'{"ok":true}', (status, body)
    status, headers, body = r.raw_api("BAD REQUEST", "/v1/")
    assert status == 400 and headers["content-type"] == "application/problem+json"


def test_logs_are_served_up_to_the_published_size(r):
    d = os.path.join(r.dir, "gate/logs", fake.b32(r.store.log_id))
    os.makedirs(d, exist_ok=True)
    hashes = [hashlib.sha256(b"%d" % i).digest() for i in range(700)]
    entries, offsets = b"", b""
    bundles = []
    for i in range(700):
        offsets += struct.pack(">Q", len(entries))
        e = struct.pack(">H", 3 + i % 50) + bytes([i % 256]) * (3 + i % 50)
        bundles.append(e)
        entries += e
    open(d + "/hashes.0", "wb").write(b"".join(hashes))
    open(d + "/hashes.1", "wb").write(hashes[0] + hashes[1])
    open(d + "/offsets", "wb").write(offsets)
    open(d + "/entries", "wb").write(entries)
    r.store.log_size = 600
    get = lambda p: r.raw_api("GET", "/log/cap/" + p)  # noqa: E731
    assert get("checkpoint")[2] == r.store.log_text and get("checkpoint")[1]["content-type"].startswith("text/plain")
    for path, want in (("tile/0/000", hashes[:256]), ("tile/0/001", hashes[256:512]), ("tile/0/002.p/88", hashes[512:600]),
                       ("tile/0/002.p/5", hashes[512:517]), ("tile/1/000.p/2", hashes[:2]),
                       ("tile/entries/000", bundles[:256]), ("tile/entries/002.p/88", bundles[512:600])):
        status, headers, body = get(path)
        assert status == 200 and body == b"".join(want) and "immutable" in headers["cache-control"], (path, status, len(body))
    for path in ("tile/0/002", "tile/0/002.p/89", "tile/0/003", "tile/0/2", "tile/0/x000/000", "tile/00/000", "tile/0/000.p/0", "tile/0/000.p/256",
                 "tile/0/000.p/05", "tile/0/000/", "tile/0/", "tile/9/000", "tile/entries/002", "tile/1/001", "", "x", "tile/0/../000"):
        assert get(path)[0] == 404, path
    assert r.raw_api("GET", "/log/other/checkpoint")[0] == 404 and r.raw_api("POST", "/log/cap/checkpoint")[0] == 405
    status, headers, body = r.raw_api("HEAD", "/log/cap/tile/0/000")
    assert status == 200 and headers["content-length"] == "8192" and body == b""


def test_virtual_hosts_name_buckets(r):
    r.client().put_object(Bucket="vb", Key="k", Body=b"virtual")
    r.raw(request(r, "GET", "/?list-type=2", headers={"host": "vb.s3.test"}))
    assert b"\nhost:vb.s3.test\n" in r.store.asks[-1]["canonical"]


def test_cold_files_are_read_by_threads(r):
    body = os.urandom(6 << 20)
    r.client().put_object(Bucket="b", Key="cold", Body=body)
    name = fake.b32(r.store.objects[("b", "cold")]["blob"])
    path = os.path.join(r.dir, "keeper/blobs", name[:2], name)
    for leave in (False, True):
        fd = os.open(path, os.O_RDONLY)
        os.fsync(fd)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(fd)
        if leave:                                    # the client goes while a thread reads
            s = r.socket()
            s.sendall(request(r, "GET", "/b/cold"))
            s.close()
        else:
            assert r.raw(request(r, "GET", "/b/cold")).endswith(body)


def test_a_slow_reader_holds_little_and_is_let_go(r):
    c = r.client()
    c.put_object(Bucket="b", Key="slow", Body=bytes(48 << 20))
    socks = []
    for _ in range(8):
        s = r.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        s.sendall(request(r, "GET", "/b/slow"))
        socks.append(s)
    time.sleep(1)
    for pid in r.workers():
        rss = int(re.search(r"VmRSS:\s+(\d+)", open("/proc/%d/status" % pid).read()).group(1))
        assert rss < 60000 or os.environ.get("FRONT_PRELOAD"), rss
    time.sleep(6)
    for s in socks:
        s.settimeout(5)
        n = 0
        try:
            while True:
                piece = s.recv(1 << 20)
                if not piece:
                    break
                n += len(piece)
        except ConnectionResetError:
            pass
        assert n < 48 << 20


def test_a_leaving_worker_finishes_its_requests(r):
    r.client().put_object(Bucket="b", Key="hup", Body=b"hup")
    r.store.answer_delay = 1.5
    out = []
    t = threading.Thread(target=lambda: out.append(r.raw(request(r, "GET", "/b/hup"))))
    t.start()
    time.sleep(0.3)
    r.nginx.send_signal(1)
    t.join()
    r.store.answer_delay = 0
    assert status_of(out[0]) == 200, out
    time.sleep(0.5)
    assert r.client().get_object(Bucket="b", Key="hup")["Body"].read() == b"hup"


def test_aborts_at_random_moments_leave_a_working_front(r):
    import random
    rnd = random.Random(7)
    c = r.client()
    c.put_object(Bucket="b", Key="ab", Body=os.urandom(3 << 20))
    c.put_object(Bucket="b", Key="abs", Body=os.urandom(700000))

    def one(seed):
        rnd = random.Random(seed)
        for _ in range(int(os.environ.get("FRONT_ABORTS", "25"))):
            try:
                s = r.socket(tls=rnd.random() < 0.3)
                if rnd.random() < 0.5:
                    s.sendall(request(r, "GET", rnd.choice(("/b/ab", "/b/abs", "/b/none"))))
                    for _ in range(rnd.randrange(6)):
                        s.recv(rnd.choice((100, 70000)))
                else:
                    n = rnd.choice((10, 100000, 2000000))
                    s.sendall(request(r, "PUT", "/b/abp%d" % seed, b"", {"content-length": str(n)}, payload="UNSIGNED-PAYLOAD"))
                    s.sendall(bytes(rnd.randrange(n + 1)))
                time.sleep(rnd.random() * 0.02)
                if rnd.random() < 0.5:
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            except OSError:
                pass
            s.close()

    threads = [threading.Thread(target=one, args=(rnd.random(),)) for _ in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert c.get_object(Bucket="b", Key="abs")["ContentLength"] == 700000
    time.sleep(1)
    active = [m for m in r.workers() if m]
    assert len(active) >= 2, active


def test_workers_are_closed_to_others_and_logs_quote_nothing(r):
    c = r.client()
    c.put_object(Bucket="b", Key=CANARY, Body=CANARY.encode() * 10, Metadata={"m": CANARY})
    c.get_object(Bucket="b", Key=CANARY)["Body"].read()
    for raw in (b"GET /b/%s%%ZZ HTTP/1.1\r\nHost: %s\r\n\r\n", b"GET /%s HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\nX: %s\r\n\r\n",
                b"GET /%s HTTP/1.1\r\nHost: x\r\nBad Header%s\r\n\r\n"):
        r.raw(raw % (CANARY.encode(), CANARY.encode()), timeout=2)
    assert CANARY not in r.stderr(), r.stderr()
    for pid in r.workers():
        status = open("/proc/%d/limits" % pid).read()
        walls = open("/proc/%d/status" % pid).read()
        assert re.search(r"NoNewPrivs:\s+1", walls) and re.search(r"Seccomp:\s+2", walls), walls
        assert re.search(r"Max core file size\s+0\s+0", status)
        assert os.stat("/proc/%d/mem" % pid).st_uid == 0
    for top, _, files in os.walk(r.dir + "/front"):
        for f in files:
            assert CANARY.encode() not in open(os.path.join(top, f), "rb").read(), f


if __name__ == "__main__":
    rig.main(sys.argv, [(n, f) for n, f in globals().items() if n.startswith("test_")])
