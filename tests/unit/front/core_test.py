#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Forms, calls, copies, many rows and preflights through real nginx, against a fake gate and keeper. Prints TAP.

  core_test.py MODULE.so [--only SUBSTRING]
"""
import base64
import hashlib
import hmac
import http.client
import os
import socket
import struct
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import fake  # noqa: E402
import rig  # noqa: E402

from rig import code_of, request, status_of  # noqa: E402

BOUNDARY = "----tillit4711"


def form(fields, data, tail=b""):
    out = b""
    for name, value in fields:
        out += ('--%s\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n' % (BOUNDARY, name, value)).encode()
    out += ('--%s\r\nContent-Disposition: form-data; name="file"; filename="f.bin"\r\nContent-Type: text/plain\r\n\r\n' % BOUNDARY).encode()
    return out + data + ("\r\n--%s--\r\n" % BOUNDARY).encode() + tail


def signed_fields(key, **more):
    policy = base64.b64encode(b'{"expiration": "2030-01-01T00:00:00Z", "conditions": []}').decode()
    cred = "/".join([fake.AKID, "20261124", fake.REGION, "s3", "aws4_request"])
    k = ("AWS4" + fake.SECRET).encode()
    for part in cred.split("/")[1:]:
        k = hmac.new(k, part.encode(), hashlib.sha256).digest()
    return [("key", key), ("policy", policy), ("x-amz-algorithm", "AWS4-HMAC-SHA256"), ("x-amz-credential", cred),
            ("x-amz-date", "20261124T000000Z"), ("x-amz-signature", hmac.new(k, policy.encode(), hashlib.sha256).hexdigest())] + list(more.items())


def post(r, body, headers={}, path="/fb", chunks=None):
    c = http.client.HTTPConnection("127.0.0.1", r.http, timeout=10)
    h = {"Content-Type": "multipart/form-data; boundary=" + BOUNDARY, **headers}
    if chunks:
        c.request("POST", path, iter([body[i:i + chunks] for i in range(0, len(body), chunks)]), h, encode_chunked=True)
    else:
        c.request("POST", path, body, h)
    a = c.getresponse()
    out = a.status, dict((k.lower(), v) for k, v in a.getheaders()), a.read()
    c.close()
    return out


def test_forms_of_every_size_become_objects(r):
    c = r.client()
    for n in (0, 1, 65535, 65536, 65537, 131072, 1000000, (5 << 20) + 7):
        data = os.urandom(n)
        status, h, body = post(r, form(signed_fields("f/${filename}"), data))
        assert status == 204, (n, status, body)
        assert h["etag"] == '"%s"' % hashlib.md5(data).hexdigest()
        assert c.get_object(Bucket="fb", Key="f/f.bin")["Body"].read() == data, n
    data = os.urandom(300000)
    out = post(r, form(signed_fields("chunked"), data), {"Transfer-Encoding": "chunked"}, chunks=7001)
    assert out[0] == 204, out
    assert c.get_object(Bucket="fb", Key="chunked")["Body"].read() == data


def test_a_form_byte_by_byte(r):
    body = form(signed_fields("slow"), b"0123456789")
    s = r.socket()
    s.sendall(("POST /fb HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: multipart/form-data; boundary=%s\r\nContent-Length: %d\r\n\r\n"
               % (BOUNDARY, len(body))).encode())
    for i in range(0, len(body), 3):
        s.sendall(body[i:i + 3])
        time.sleep(0.001)
    assert status_of(s.recv(4000)) == 204
    assert r.client().get_object(Bucket="fb", Key="slow")["Body"].read() == b"0123456789"


def test_a_form_may_wait_for_100_and_for_the_gate(r):
    r.store.answer_delay = 0.3
    body = form(signed_fields("waits"), os.urandom(200000))
    s = r.socket()
    s.sendall(("POST /fb HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nConnection: close\r\nContent-Type: multipart/form-data; boundary=%s\r\n"
               "Content-Length: %d\r\n\r\n" % (BOUNDARY, len(body))).encode())
    assert status_of(s.recv(4000)) == 100
    s.sendall(body)
    assert status_of(s.recv(4000)) == 204


def test_an_answer_to_a_form_may_be_a_redirect(r):
    status, h, body = post(r, form(signed_fields("redirected", success_action_redirect="http://a.example/done?x=1"), b"x"))
    assert status == 303 and h["location"] == "http://a.example/done?x=1" and body == b"", (status, h, body)


def test_refused_forms_close_and_upload_nothing(r):
    bad = [("x-amz-signature", "00" * 32) if k == "x-amz-signature" else (k, v) for k, v in signed_fields("refused")]
    for fields, want in ((bad, "SignatureDoesNotMatch"), (signed_fields("refused")[:-1], "InvalidArgument")):
        status, h, body = post(r, form(fields, os.urandom(3000000)))
        assert status in (400, 403) and want.encode() in body, (status, body)
        assert h.get("connection") == "close"
    status, h, body = post(r, b"hello", {"Content-Type": "text/plain"})
    assert status == 400 and b"MalformedPOSTRequest" in body
    assert post(r, form(signed_fields("refused"), b"x")[:-20])[0] == 400
    assert ("fb", "refused") not in r.store.objects


def test_a_client_that_leaves_a_form_leaves_nothing(r):
    body = form(signed_fields("left"), os.urandom(2000000))
    for n in (10, 300, 1000, 70000, 1000000, len(body) - 1):
        s = r.socket()
        s.sendall(("POST /fb HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=%s\r\nContent-Length: %d\r\n\r\n"
                   % (BOUNDARY, len(body))).encode() + body[:n])
        time.sleep(0.05)
        s.close()
    time.sleep(0.3)
    assert ("fb", "left") not in r.store.objects
    assert post(r, body)[0] == 204


def test_two_forms_on_one_connection(r):
    c = http.client.HTTPConnection("127.0.0.1", r.http, timeout=10)
    for i in range(3):
        c.request("POST", "/fb", form(signed_fields("k%d" % i), b"x" * i, tail=b"epilogue"), {"Content-Type": "multipart/form-data; boundary=" + BOUNDARY})
        a = c.getresponse()
        assert a.status == 204, a.status
        a.read()
    c.close()


def test_calls_of_sts_are_asked_with_their_body(r):
    import boto3
    from botocore.config import Config
    for region in ("eu-north-1", "us-east-1"):
        c = boto3.client("sts", endpoint_url="http://127.0.0.1:%d" % r.http, aws_access_key_id=fake.AKID, aws_secret_access_key=fake.SECRET,
                         region_name=region, config=Config(retries={"max_attempts": 0}))
        assert c.get_caller_identity()["Account"] == "1"
    c = boto3.client("iam", endpoint_url="http://127.0.0.1:%d" % r.http, aws_access_key_id=fake.AKID, aws_secret_access_key="wrong",
                     region_name="us-east-1", config=Config(retries={"max_attempts": 0}))
    try:
        c.list_users()
        raise AssertionError("a wrong secret was taken")
    except c.exceptions.ClientError as e:
        assert e.response["Error"]["Code"] == "SignatureDoesNotMatch", e.response
    out = r.raw(b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 16\r\n\r\nAction=ListUsers")
    assert status_of(out) == 403 and b"<ErrorResponse" in out and code_of(out) == "MissingAuthenticationToken", out
    out = r.raw(b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 70000\r\n\r\n" + b"a" * 70000)
    assert status_of(out) == 400 and b"<ErrorResponse" in out, out


def test_copies_are_made_in_the_front(r):
    c = r.client()
    for n in (0, 1, 65536, 3000000, 9 << 20):
        data = os.urandom(n)
        c.put_object(Bucket="b", Key="source", Body=data)
        c.copy_object(Bucket="b", Key="copied", CopySource="b/source")
        assert c.get_object(Bucket="b", Key="copied")["Body"].read() == data, n


def make_set(r, name, sizes):
    c, all = r.client(), b""
    for i, n in enumerate(sizes):
        data = os.urandom(n)
        c.put_object(Bucket="b", Key="%s.%d" % (name, i), Body=data)
        all += data
    r.store.objects[("b", name)] = {"size": len(all), "parts": [("b", "%s.%d" % (name, i)) for i in range(len(sizes))], "type": None, "meta": []}
    return all


def test_many_rows_are_read_and_copied(r):
    data = make_set(r, "set", [5 << 20, 100, 700000, 1, 65536, 6 << 20, 2000000, 9])
    c = r.client()
    assert c.get_object(Bucket="b", Key="set")["Body"].read() == data
    c.copy_object(Bucket="b", Key="of-set", CopySource="b/set")
    assert c.get_object(Bucket="b", Key="of-set")["Body"].read() == data


def test_readers_that_leave_in_the_middle_of_a_set(r):
    make_set(r, "long", [2 << 20] * 12)
    for i in range(10):
        s = r.socket()
        s.sendall(request(r, "GET", "/b/long"))
        got = 0
        while got < (i + 1) * 1000000:
            got += len(s.recv(65536))
        if i % 2:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        s.close()
    time.sleep(0.3)
    assert r.store.aborted                          # whoever left before all rows were given was aborted at the gate
    assert r.client().get_object(Bucket="b", Key="long")["ContentLength"] == 24 << 20


def test_preflights_pass(r):
    out = r.raw(b"OPTIONS /b/k HTTP/1.1\r\nHost: x\r\nConnection: close\r\nOrigin: http://a.example\r\nAccess-Control-Request-Method: PUT\r\n\r\n")
    assert status_of(out) == 200 and b"access-control-allow-origin: http://a.example" in out.lower() and b"vary: origin" in out.lower(), out


def test_a_405_says_what_there_is(r):
    out = r.raw(b"BREW /b/k HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert status_of(out) == 405 and b"allow: GET, HEAD, PUT, DELETE, OPTIONS" in out, out


if __name__ == "__main__":
    rig.main(sys.argv, [(n, f) for n, f in list(globals().items()) if n.startswith("test_")])
