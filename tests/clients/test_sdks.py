# SPDX-License-Identifier: Apache-2.0
"""The SDKs and tools people have, old and new, over http and https."""
import hashlib
import os
import subprocess

from lib.case import PYTHON, limit, node_at_least, program, rows
from lib.tools import BOTO3, node_with, python_with

HERE = os.path.dirname(os.path.abspath(__file__))


def environment(s):
    key, secret = s.credentials
    return {**os.environ, "AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret, "AWS_DEFAULT_REGION": s.info["region"], "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "AWS_MAX_ATTEMPTS": "1"}


def journey(s, command, tls, bucket):
    r = subprocess.run([*command, s.endpoints["s3_tls" if tls else "s3"], s.info["region"], s.info["ca_cert"] if tls else "", bucket],
                       env=environment(s), capture_output=True, text=True, timeout=240)
    assert r.returncode == 0 and r.stdout.startswith("ok"), r.stdout + r.stderr
    # What the tools did stands on the record: who, what, allowed.
    puts = [x for x in s.log_records() if x.get("act") == "PutObject" and x.get("bucket") == bucket]
    assert len(puts) >= 20 and all(x["dec"] == "allow" and s.info["account"] in x["who"] for x in puts if "why" not in x), puts[-3:]


@limit(300)
@rows("P1.01")
def test_debian_boto3_over_http(case):
    """An owner works with Debian's boto3 over http."""
    journey(case.store(), [PYTHON, os.path.join(HERE, "journey_boto3.py")], False, "old-http")


@limit(300)
@rows("P4.01", partly={"P4.01": "certificate reload is its own test"})
def test_debian_boto3_over_https(case):
    """The same over https, certificate checked."""
    journey(case.store(), [PYTHON, os.path.join(HERE, "journey_boto3.py")], True, "old-https")


@limit(300)
def test_current_boto3_over_http(case):
    """The current boto3: default checksums in headers."""
    journey(case.store(), [python_with(BOTO3), os.path.join(HERE, "journey_boto3.py")], False, "new-http")


@limit(300)
def test_current_boto3_over_https(case):
    """The current boto3 over https: aws-chunked with trailers."""
    journey(case.store(), [python_with(BOTO3), os.path.join(HERE, "journey_boto3.py")], True, "new-https")


@limit(300)
def test_javascript_sdk_over_http_and_https(case):
    """@aws-sdk/client-s3: buffers and streams."""
    node = node_at_least(20)
    path, s = node_with(os.path.join(HERE, "js")), case.store()
    for tls in (False, True):
        journey(s, [node, os.path.join(path, "journey.mjs")], tls, "js-https" if tls else "js-http")


@limit(300)
def test_aws_cli_over_http_and_https(case):
    """aws cli: s3api put-object, get-object, head, list, delete; s3 cp below the multipart threshold, s3 ls, s3 rm."""
    s = case.store()
    for tls in (False, True):
        def aws(*args, ok=0):
            command = ["/usr/bin/aws", "--endpoint-url", s.endpoints["s3_tls" if tls else "s3"], *(["--ca-bundle", s.info["ca_cert"]] if tls else []), *args]
            r = subprocess.run(command, env=environment(s), capture_output=True, text=True, timeout=120)
            assert r.returncode == ok, f"{args}: {r.returncode}\n{r.stdout}{r.stderr}"
            return r.stdout + r.stderr
        program("aws")
        bucket, data = ("cli-https" if tls else "cli-http"), os.urandom(3 * 1024 * 1024 + 7)
        up, down = case.path("up", data), case.path("down")
        aws("s3api", "create-bucket", "--bucket", bucket)
        aws("s3", "cp", up, f"s3://{bucket}/dir/ä b.bin")
        assert "dir/ä b.bin" in aws("s3", "ls", f"s3://{bucket}", "--recursive")
        aws("s3", "cp", f"s3://{bucket}/dir/ä b.bin", down)
        assert open(down, "rb").read() == data
        assert hashlib.md5(data).hexdigest() in aws("s3api", "put-object", "--bucket", bucket, "--key", "k", "--body", up)
        aws("s3api", "get-object", "--bucket", bucket, "--key", "k", "--range", "bytes=5-9", down)
        assert open(down, "rb").read() == data[5:10]
        assert "404" in aws("s3api", "head-object", "--bucket", bucket, "--key", "absent", ok=254)
        aws("s3", "rm", f"s3://{bucket}", "--recursive")
        aws("s3api", "delete-bucket", "--bucket", bucket)
