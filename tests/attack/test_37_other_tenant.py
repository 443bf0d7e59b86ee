# SPDX-License-Identifier: Apache-2.0
"""Attack 37: one tenant names what is another's: bucket, key, upload id, version id, a principal of a policy, a copy's source, an access key, a log's path, a
blob's id. Every operation there is, generated from the tables, answers byte for byte what it answers for what does not exist."""
import json
import os
import re
import urllib.error
import urllib.request

from lib.attack import another_tenant, attack, held, store
from lib.case import ROOT, limit, rows
from lib.raw import Caller

WORDS = "another tenant's name was told apart from nobody's"
THEIRS, ABSENT = "acme-secrets", "nobody-these"
BODIES = {"?delete": b"<Delete><Object><Key>k</Key></Object></Delete>", "?tagging": b"<Tagging><TagSet/></Tagging>", "?uploadId": b"<CompleteMultipartUpload/>"}


def table():
    """(method, path, query, headers) of every row of s3_op.def that names a bucket."""
    with open(os.path.join(ROOT, "src/lib/s3/s3_op.def")) as f:
        for level, method, sub, name in re.findall(r'^S3_OP\((\w+), "(\w+)", "([^"]*)", (\w+),', f.read(), re.M):
            if level != "SERVICE" and name not in ("CreateBucket", "CreateSession") and method != "OPTIONS":
                yield name, method, level == "OBJECT", sub


def requests(ids):
    """Each operation, with each identifier that it can carry."""
    for name, method, on_key, sub in table():
        query, headers = [], []
        for part in sub.split("&") if sub else []:
            if part.startswith("h:"):
                headers.append([part[2:], f"/{THEIRS}/k"])
            else:
                query.append(part)
        versions = [None, *ids["versions"]] if on_key else [None]
        for version in versions:
            full = []
            for q in query:
                full.append(f"{q}={ids['upload']}" if q == "uploadId" else f"{q}={version or ids['versions'][0]}" if q == "versionId" else f"{q}=2" if q in ("partNumber", "list-type") else q)
            if version and "versionId" not in query:
                full.append("versionId=" + version)
            if name in ("UploadPart", "UploadPartCopy"):
                full.append("partNumber=1")
            body = BODIES.get("?" + query[0] if query else "", b"") if method in ("PUT", "POST") else b""
            yield name, method, "/k" if on_key else "", "&".join(full), headers, body


def told(answer):
    headers = sorted((n, v) for n, v in answer.headers if n not in ("x-amz-request-id", "x-amz-id-2", "date", "x-tillit-receipt"))
    body = re.sub(rb"<(RequestId|HostId)>[^<]*</\1>", b"", answer.body).replace(THEIRS.encode(), b"NAME").replace(ABSENT.encode(), b"NAME")
    return answer.status, headers, body


@limit(300)
@rows("P5.01")
@attack("37", ("foreign-bucket-told", WORDS))
def test_every_operation_with_every_identifier_of_another_tenant(case):
    s = store(case)
    owner, other = s.boto3(), another_tenant(s)
    owner.create_bucket(Bucket=THEIRS)
    owner.put_bucket_versioning(Bucket=THEIRS, VersioningConfiguration={"Status": "Enabled"})
    versions = [owner.put_object(Bucket=THEIRS, Key="k", Body=b"content of acme")["VersionId"], "null"]
    ids = {"versions": versions, "upload": owner.create_multipart_upload(Bucket=THEIRS, Key="k")["UploadId"]}
    def quiet():
        return [r for r in s.log_records() if r.get("act") != "ReadOpenings" and s.info["access_key_id"] not in r.get("who", "")]
    before = len(quiet())
    b = Caller(s, other["access_key_id"], other["secret_access_key"])
    wrong, count = [], 0
    for name, method, rest, query, headers, body in requests(ids):
        got = []
        for bucket in (THEIRS, ABSENT):
            more = [[n, v.replace(THEIRS, bucket)] for n, v in headers]
            r = b.call(method, f"/{bucket}{rest}" + ("?" + query if query else ""), more, body)
            got.append(told(r))
        count += 1
        if got[0] != got[1] or got[0][0] < 400 or b"content of acme" in got[0][2]:
            wrong.append(f"{name} ?{query}: {got[0]} against {got[1]}")
    held(not wrong, WORDS, f"{len(wrong)} of {count}:\n" + "\n".join(wrong[:5]))
    assert count > 150, count

    # In a bucket of one's own: a copy's source, a policy's principal, an upload and a version of the other.
    assert b.call("PUT", "/globex-own").status == 200 and b.call("PUT", "/globex-own/k", body=b"own").status == 200
    for path, more in (("/globex-own/c", [["x-amz-copy-source", f"/{{}}/k"]]), ("/globex-own/c", [["x-amz-copy-source", f"/{{}}/k?versionId={versions[0]}"]])):
        got = [told(b.call("PUT", path, [[n, v.format(bucket)] for n, v in more])) for bucket in (THEIRS, ABSENT)]
        held(got[0] == got[1] and got[0][0] >= 400, WORDS, f"copy source: {got}")
    for query in (f"uploadId={ids['upload']}&partNumber=1", f"uploadId={ids['upload']}"):
        r = b.call("PUT" if "part" in query else "DELETE", "/globex-own/k?" + query, body=b"x" if "part" in query else b"")
        held(r.code == "NoSuchUpload", WORDS, f"upload id: {r}")
    r = b.call("GET", f"/globex-own/k?versionId={versions[0]}")
    held(r.code == "NoSuchVersion", WORDS, f"version id: {r}")
    policy = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{s.info['account']}:root"}, "Action": "s3:*",
                                                                 "Resource": ["arn:aws:s3:::globex-own", "arn:aws:s3:::globex-own/*"]}]}).encode()
    r = b.call("PUT", "/globex-own?policy", body=policy)
    a = Caller(s)
    assert r.status in (204, 400), r            # an account of that number may be another one here: it gives nothing across tenants
    held(a.call("GET", "/globex-own/k").code == "NoSuchBucket" and a.call("GET", "/globex-own").code == "NoSuchBucket", WORDS, "a policy opened the door to another tenant")
    # The other's log, by its path; and IAM names.
    for url in (s.endpoints["logs"]["access"]["url"],):
        wrong_path = re.sub(r"/log/[^/]+/", "/log/" + "a" * 26 + "/", url)
        try:
            urllib.request.build_opener(urllib.request.ProxyHandler({})).open(wrong_path + "checkpoint", timeout=10)
            held(False, WORDS, "a log by a capability that is nobody's")
        except urllib.error.HTTPError as e:
            assert e.code in (403, 404), e.code
    held(len(quiet()) == before, WORDS, "the other tenant's log moved")
    assert owner.get_object(Bucket=THEIRS, Key="k")["Body"].read() == b"content of acme"
