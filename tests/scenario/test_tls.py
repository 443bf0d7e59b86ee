# SPDX-License-Identifier: Apache-2.0
"""TLS towards users: floor, certificate, reload."""
import hashlib
import os
import signal
import socket
import ssl
import subprocess
import time
import urllib.parse

from lib.case import limit, program, rows
from lib.raw import Caller, Closed


def peer_certificate(s):
    u = urllib.parse.urlsplit(s.endpoints["s3_tls"])
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(ssl.get_server_certificate((u.hostname, u.port)))).hexdigest()


def new_certificate(s, case):
    """A certificate of another authority in the place of the served one; gives its authority's file."""
    tls, work = os.path.join(s.dir, "front", "tls"), case.path("new-tls")
    os.makedirs(work, exist_ok=True)
    key, cert = os.path.join(work, "key.pem"), os.path.join(work, "cert.pem")
    subprocess.run([program("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj", "/CN=renewed",
                    "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key, "-out", cert], check=True, capture_output=True)
    for source, name in ((key, "key.pem"), (cert, "cert.pem")):
        place = os.path.join(tls, name)
        owner = os.stat(place)
        with open(source, "rb") as f, open(place + ".new", "wb") as out:
            out.write(f.read())
        os.chmod(place + ".new", owner.st_mode & 0o777)
        os.chown(place + ".new", owner.st_uid, owner.st_gid)
        os.rename(place + ".new", place)
    return cert


@rows("P4.01")
@limit(120)
def test_certificates_reload_without_dropping_a_download(case):
    """SIGHUP with a new certificate: a download that runs ends whole, new connections get the new certificate, none is refused meanwhile."""
    s = case.store()
    c, data = Caller(s, url=s.endpoints["s3_tls"]), os.urandom(32 << 20)
    c.call("PUT", "/tls")
    assert c.call("PUT", "/tls/k", body=data).status == 200
    before = peer_certificate(s)
    download, idle = c.connect(), c.connect()
    download.send(c.sign("GET", "/tls/k").bytes())
    assert download.head()[0] == 200
    assert idle.ask(c.sign("HEAD", "/tls/k")).status == 200
    ca = new_certificate(s, case)
    s.process.send_signal(signal.SIGHUP)
    end = time.monotonic() + 10
    while peer_certificate(s) == before:
        assert time.monotonic() < end, "the new certificate is not served 10 s after SIGHUP:\n" + s.log_tail(20)
        time.sleep(0.05)
    time.sleep(0.5)                                  # the old worker is leaving now, with the download on it
    assert download.take(len(data)) == data, "the download was cut off or changed"
    download.close()
    renewed = Caller(s, url=s.endpoints["s3_tls"])
    renewed.ca = ca
    assert renewed.call("GET", "/tls/k", [["Range", "bytes=0-99"]]).body == data[:100]
    try:
        a = idle.ask(c.sign("HEAD", "/tls/k"))       # a kept connection may be closed while idle, but answers nothing wrong
        assert a.status == 200, a
    except (Closed, OSError):
        pass
    s.expect_record(act="GetObject", key="k", range=[0, 99], tls=1)


@rows("P4.01")
def test_tls_1_2_is_the_floor(case):
    """TLS 1.3 and 1.2 work with a checked certificate; 1.1 is refused; plain HTTP on the TLS port gets an S3 error."""
    s = case.store()
    c = Caller(s, url=s.endpoints["s3_tls"])
    u = urllib.parse.urlsplit(s.endpoints["s3_tls"])
    for version, name in ((ssl.TLSVersion.TLSv1_3, "TLSv1.3"), (ssl.TLSVersion.TLSv1_2, "TLSv1.2")):
        context = ssl.create_default_context(cafile=s.info["ca_cert"])
        context.minimum_version = context.maximum_version = version
        with context.wrap_socket(socket.create_connection((u.hostname, u.port)), server_hostname=u.hostname) as t:
            assert t.version() == name
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    try:
        with context.wrap_socket(socket.create_connection((u.hostname, u.port)), server_hostname=u.hostname) as t:
            raise AssertionError(f"{t.version()} was accepted")
    except (ssl.SSLError, ConnectionResetError):
        pass
    plain = Caller(s, url=s.endpoints["s3_tls"].replace("https", "http"))
    a = plain.send(plain.plain("GET", "/"))
    assert a.status == 400 and a.code, a
    assert c.call("GET", "/").status == 200
