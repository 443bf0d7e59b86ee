# SPDX-License-Identifier: Apache-2.0
"""The tools and SDKs people have, on uploads in parts, versions, copies, forms and documents; and what they are used for: backup and restore, sync,
a mount, a browser's upload, a table read by ranges."""
import base64
import functools
import hashlib
import html
import http.server
import json
import os
import re
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lib.case import PYTHON, Skip, limit, node_at_least, program, rows
from lib.tools import BOTO3, node_with, python_with
from test_sdks import HERE, environment
from test_tools import recorded, restic_journey, run, same, tree

PARTS = ("CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload")
AWSCLI1 = "awscli==1.46.3"
PYARROW = "pyarrow==26.0.1"
BIG_MIB = int(os.environ.get("TILLIT_CLIENTS_MIB", "24"))       # make clients says 64


def journey(s, command, tls, bucket, *more):
    r = subprocess.run([*command, s.endpoints["s3_tls" if tls else "s3"], s.info["region"], s.info["ca_cert"] if tls else "", bucket, *more],
                       env=environment(s), capture_output=True, text=True, timeout=280)
    assert r.returncode == 0 and r.stdout.startswith("ok"), r.stdout[-3000:] + r.stderr[-3000:]


def big_file(case, mib):
    path = case.path("big")
    block = os.urandom(1 << 20)
    with open(path, "wb") as f:
        for n in range(mib):
            f.write(n.to_bytes(8, "big") + block[8:])
        f.write(b"tail")
    return path


def sha(path):
    h = hashlib.sha256()
    with open(path, "rb") as f:
        for block in iter(functools.partial(f.read, 1 << 20), b""):
            h.update(block)
    return h.hexdigest()


CORE_ACTS = (*PARTS, "AbortMultipartUpload", "UploadPartCopy", "CopyObject", "ListParts", "ListMultipartUploads", "GetObjectPart", "GetObjectVersion", "ListObjectVersions",
             "PutObjectTagging", "GetObjectTagging", "DeleteObjectTagging", "PostObject", "PutBucketVersioning", "PutBucketPolicy", "PutBucketCors",
             "PutBucketLifecycleConfiguration", "PutBucketTagging", "DeleteObjects", "DeleteBucket")


def core(case, python, tls, bucket):
    s = case.store()
    journey(s, [python, os.path.join(HERE, "journey_core.py")], tls, bucket, str(BIG_MIB))
    recorded(s, bucket, *CORE_ACTS)


@limit(300)
@rows("P12.01")
def test_core_with_debian_boto3_over_http(case):
    """Parts, copies, versions, tags, documents, presigned URLs and forms with Debian's boto3."""
    core(case, PYTHON, False, "core-old-http")


@limit(300)
@rows("P12.01")
def test_core_with_debian_boto3_over_https(case):
    """The same over https."""
    core(case, PYTHON, True, "core-old-https")


@limit(300)
@rows("P12.01")
def test_core_with_current_boto3_over_http(case):
    """The current boto3: checksums on parts by default."""
    core(case, python_with(BOTO3), False, "core-new-http")


@limit(300)
@rows("P12.01")
def test_core_with_current_boto3_over_https(case):
    """The current boto3 over https: parts in chunks with trailers."""
    core(case, python_with(BOTO3), True, "core-new-https")


@limit(300)
@rows("P12.01")
def test_minio_js_over_http_and_https(case):
    """minio-js: parts, streams, copies, tags, presigned URLs."""
    node = node_at_least(18)
    path, s = node_with(os.path.join(HERE, "minio")), case.store()
    for tls in (False, True):
        journey(s, [node, os.path.join(path, "journey.mjs")], tls, "minio-https" if tls else "minio-http")
        recorded(s, "minio-https" if tls else "minio-http", *PARTS, "CopyObject", "DeleteObjects")


def aws_journey(case, s, aws, tls, bucket, mib):
    def cli(*args):
        return run(s, *aws, "--endpoint-url", s.endpoints["s3_tls" if tls else "s3"], *(["--ca-bundle", s.info["ca_cert"]] if tls else []), *args,
                   AWS_DEFAULT_REGION=s.info["region"], AWS_CONFIG_FILE="/dev/null", AWS_EC2_METADATA_DISABLED="true")
    up, down, top = big_file(case, mib), case.path("down-" + bucket), os.path.join(case.dir, "tree")
    if not os.path.exists(top):
        tree(case)
    cli("s3", "mb", f"s3://{bucket}")
    cli("s3", "cp", "--no-progress", up, f"s3://{bucket}/big")
    cli("s3", "cp", "--no-progress", f"s3://{bucket}/big", f"s3://{bucket}/big-copy")
    cli("s3", "cp", "--no-progress", f"s3://{bucket}/big-copy", down)
    assert sha(up) == sha(down)
    os.unlink(down)
    cli("s3", "sync", "--no-progress", top, f"s3://{bucket}/t")
    back = case.path("sync-" + bucket)
    cli("s3", "sync", "--no-progress", f"s3://{bucket}/t", back)
    assert not same(top, back) and not same(back, top)
    os.unlink(os.path.join(back, "1"))
    cli("s3", "sync", "--no-progress", "--delete", back, f"s3://{bucket}/t")
    assert "NoSuchTagSet" in run(s, "sh", "-c", '"$@" 2>&1 || true', "-", *aws, "--endpoint-url", s.endpoints["s3_tls" if tls else "s3"],
                                 *(["--ca-bundle", s.info["ca_cert"]] if tls else []), "s3api", "get-bucket-tagging", "--bucket", bucket, AWS_DEFAULT_REGION=s.info["region"])
    cli("s3", "rb", "--force", f"s3://{bucket}")
    recorded(s, bucket, *PARTS, "PutObject", "DeleteObject", "DeleteBucket")
    account = json.loads(cli("sts", "get-caller-identity"))["Account"]
    assert account == s.info["account"], account


@limit(400)
@rows("P12.01")
def test_aws_cli_in_parts_and_syncs(case):
    """Debian's aws cli: cp in parts, copy, sync both ways, sync --delete, rb --force, sts; http and https."""
    s = case.store()
    for tls in (False, True):
        aws_journey(case, s, ["/usr/bin/aws"], tls, "awscli-https" if tls else "awscli-http", BIG_MIB)


@limit(400)
@rows("P12.01")
def test_current_aws_cli_v1(case):
    """A current aws cli v1 from PyPI: the same, with its default checksums."""
    s, python = case.store(), python_with(AWSCLI1)
    for tls in (False, True):
        aws_journey(case, s, [os.path.join(os.path.dirname(python), "aws")], tls, "aws1-https" if tls else "aws1-http", BIG_MIB)


@limit(400)
@rows("P12.01")
def test_rclone_in_parts_and_both_ways(case):
    """rclone: upload in parts (it checks the ETag of parts itself), server-side copy, sync both ways, versions."""
    s, top = case.store(), tree(case)
    rclone, (key, secret) = program("rclone"), s.credentials
    up = big_file(case, BIG_MIB)
    for tls in (False, True):
        env = {"RCLONE_CONFIG_T_TYPE": "s3", "RCLONE_CONFIG_T_PROVIDER": "Other", "RCLONE_CONFIG_T_ENDPOINT": s.endpoints["s3_tls" if tls else "s3"],
               "RCLONE_CONFIG_T_ACCESS_KEY_ID": key, "RCLONE_CONFIG_T_SECRET_ACCESS_KEY": secret, "RCLONE_CONFIG_T_REGION": s.info["region"],
               "RCLONE_CONFIG": "/dev/null", "RCLONE_CA_CERT": s.info["ca_cert"], "NO_PROXY": "*", "RCLONE_S3_UPLOAD_CUTOFF": "6M", "RCLONE_S3_CHUNK_SIZE": "5M", "RCLONE_RETRIES": "1"}
        bucket = "rclone-parts-tls" if tls else "rclone-parts"
        run(s, rclone, "mkdir", "t:" + bucket, **env)
        run(s, rclone, "copyto", up, f"t:{bucket}/big", **env)
        run(s, rclone, "copyto", f"t:{bucket}/big", f"t:{bucket}/big2", **env)
        run(s, rclone, "copyto", f"t:{bucket}/big2", case.path("rclone-down"), **env)
        assert sha(case.path("rclone-down")) == sha(up)
        back = case.path("rclone-back-" + bucket)
        run(s, rclone, "sync", top, f"t:{bucket}/t", **env)
        run(s, rclone, "sync", f"t:{bucket}/t", back, **env)
        assert not same(top, back) and not same(back, top)
        os.unlink(os.path.join(back, "1"))
        run(s, rclone, "sync", back, f"t:{bucket}/t", **env)
        run(s, rclone, "check", back, f"t:{bucket}/t", **env)
        run(s, rclone, "purge", "t:" + bucket, **env)
        recorded(s, bucket, *PARTS, "CopyObject", "DeleteObject", "DeleteBucket")


@limit(300)
@rows("P12.01")
def test_s3cmd_in_parts(case):
    """s3cmd: put in parts of 5 MiB, get, cp, mv, tags of nothing, sync."""
    s, up = case.store(), big_file(case, 12)
    for tls in (False, True):
        host, bucket = s.endpoints["s3_tls" if tls else "s3"].split("//")[1], "s3cmd-parts-tls" if tls else "s3cmd-parts"
        conf = case.path("s3cfg", (f"[default]\naccess_key = {s.credentials[0]}\nsecret_key = {s.credentials[1]}\nhost_base = {host}\nhost_bucket = {host}\n"
                                   f"use_https = {tls}\nca_certs_file = {s.info['ca_cert']}\nbucket_location = {s.info['region']}\n").encode())

        def s3cmd(*args):
            return run(s, program("s3cmd"), "-c", conf, "--no-progress", *args)
        s3cmd("mb", "s3://" + bucket)
        s3cmd("put", "--multipart-chunk-size-mb=5", up, f"s3://{bucket}/big")
        s3cmd("cp", f"s3://{bucket}/big", f"s3://{bucket}/copy")
        s3cmd("mv", f"s3://{bucket}/copy", f"s3://{bucket}/moved")
        s3cmd("get", "--force", f"s3://{bucket}/moved", case.path("s3cmd-down"))
        assert sha(case.path("s3cmd-down")) == sha(up)
        s3cmd("info", "s3://" + bucket)
        s3cmd("del", "--recursive", "--force", "s3://" + bucket)
        s3cmd("rb", "s3://" + bucket)
        recorded(s, bucket, *PARTS, "CopyObject", "DeleteBucket")


@limit(300)
@rows("P12.01")
def test_restic_with_large_packs(case):
    """restic with packs of 32 MiB (this version sends each as one object): backup, check --read-data, restore, prune."""
    s, top = case.store(), tree(case)
    os.rename(big_file(case, 40), os.path.join(top, "big"))
    restic_journey(s, case, top, "restic-parts", s.endpoints["s3_tls"], ["--cacert", s.info["ca_cert"], "--pack-size", "32"])
    recorded(s, "restic-parts", "ListObjectsV2")


@limit(300)
@rows("P12.01")
def test_duplicity_backs_up_and_restores(case):
    """duplicity by its boto3 back end: full, incremental, verify, restore."""
    s, top = case.store(), tree(case)
    duplicity = program("duplicity")
    url, more = "boto3+s3://duplicity/backup", ["--no-encryption", "--s3-endpoint-url", s.endpoints["s3"], "--archive-dir", case.path("archive"), "--volsize", "7"]
    env = {"AWS_DEFAULT_REGION": s.info["region"], "NO_PROXY": "*", "AWS_EC2_METADATA_DISABLED": "true"}
    s.boto3().create_bucket(Bucket="duplicity")
    run(s, duplicity, "full", *more, top, url, **env)
    with open(os.path.join(top, "new"), "wb") as f:
        f.write(os.urandom(100000))
    run(s, duplicity, "incremental", *more, top, url, **env)
    run(s, duplicity, "verify", *more, url, top, **env)
    run(s, duplicity, "restore", *more, url, case.path("duplicity-back"), **env)
    assert not same(top, case.path("duplicity-back"))
    recorded(s, "duplicity", "PutObject", "GetObject", "HeadObject")


@limit(300)
@rows("P12.01")
def test_s3fs_mounts(case):
    """s3fs: mount, write, read, rename (copies), append in parts, list, remove."""
    s3fs, fusermount = program("s3fs"), program("fusermount3")
    if not os.path.exists("/dev/fuse") or os.getuid() != 0:
        raise Skip("s3fs needs /dev/fuse and root")
    s, at = case.store(), case.path("mnt")
    os.makedirs(at)
    s.boto3().create_bucket(Bucket="mounted")
    passwd = case.path("passwd", ":".join(s.credentials).encode())
    os.chmod(passwd, 0o600)
    r = subprocess.run([s3fs, "mounted", at, "-o", f"url={s.endpoints['s3']},use_path_request_style,passwd_file={passwd},endpoint={s.info['region']},sigv4,multipart_size=5,"
                        "singlepart_copy_limit=6"], capture_output=True, text=True, timeout=60, env={k: v for k, v in os.environ.items() if "proxy" not in k.lower()})
    if r.returncode != 0 or not wait_mounted(at):
        raise Skip("this machine does not let s3fs mount: " + (r.stderr.strip().splitlines() or [""])[-1])
    try:
        data = os.urandom(17 << 20)
        os.makedirs(os.path.join(at, "dir/sub"))
        for name, content in (("dir/small", b"small"), ("dir/sub/big", data), ("dir/empty", b"")):
            with open(os.path.join(at, name), "wb") as f:
                f.write(content)
        os.rename(os.path.join(at, "dir/sub/big"), os.path.join(at, "dir/moved"))
        with open(os.path.join(at, "dir/moved"), "rb") as f:
            assert f.read() == data
        with open(os.path.join(at, "dir/small"), "ab") as f:
            f.write(b" and more")
        os.chmod(os.path.join(at, "dir/small"), 0o640)
        assert sorted(os.listdir(os.path.join(at, "dir"))) == ["empty", "moved", "small", "sub"]
        got = s.boto3().get_object(Bucket="mounted", Key="dir/small")
        assert got["Body"].read() == b"small and more" and int(got["Metadata"]["mode"]) & 0o777 == 0o640
        os.unlink(os.path.join(at, "dir/moved"))
    finally:
        subprocess.run([fusermount, "-u", "-z", at], capture_output=True, timeout=20)
    recorded(s, "mounted", *PARTS, "PutObject", "HeadObject", "DeleteObject")


def wait_mounted(at):
    for _ in range(50):
        if os.path.ismount(at):
            return True
        time.sleep(0.1)
    return False


@limit(300)
@rows("P12.01")
def test_a_browser_uploads_by_presigned_url_and_form(case):
    """Headless Chromium on a page of another origin: presigned PUT (preflight), form, GET; an origin that no rule allows is refused."""
    chromium, s = program("chromium"), case.store()
    c = s.boto3()
    for bucket in ("browser", "closed"):
        c.create_bucket(Bucket=bucket)
    web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(http.server.SimpleHTTPRequestHandler, directory=os.path.join(HERE, "browser")))
    threading.Thread(target=web.serve_forever, daemon=True).start()
    origin = f"http://127.0.0.1:{web.server_address[1]}"
    c.put_bucket_cors(Bucket="browser", CORSConfiguration={"CORSRules": [{"AllowedMethods": ["GET", "PUT", "POST"], "AllowedOrigins": [origin], "AllowedHeaders": ["*"], "ExposeHeaders": ["ETag"]}]})
    put = c.generate_presigned_url("put_object", Params={"Bucket": "browser", "Key": "put.txt", "ContentType": "text/plain"}, ExpiresIn=120)
    job = {"put": put, "post": c.generate_presigned_post("browser", "form/${filename}", Fields={"success_action_status": "201"},
                                                         Conditions=[["starts-with", "$key", "form/"], {"success_action_status": "201"}], ExpiresIn=120),
           "get": c.generate_presigned_url("get_object", Params={"Bucket": "browser", "Key": "put.txt"}, ExpiresIn=120),
           "put_elsewhere": c.generate_presigned_url("put_object", Params={"Bucket": "closed", "Key": "x"}, ExpiresIn=120)}
    page = origin + "/page.html?job=" + base64.urlsafe_b64encode(json.dumps(job).encode()).decode().replace("-", "%2B").replace("_", "%2F").replace("=", "%3D")
    r = subprocess.run([chromium, "--headless", "--no-sandbox", "--disable-gpu", "--no-proxy-server", "--user-data-dir=" + case.path("chromium"), "--virtual-time-budget=20000",
                        "--dump-dom", page], capture_output=True, text=True, timeout=120)
    web.shutdown()
    found = re.search(r"<body>(.*?)</body>", r.stdout, re.S)
    assert found, r.stdout[-2000:] + r.stderr[-2000:]
    said = json.loads(html.unescape(found.group(1).strip()))
    assert said == {"put": 200, "etag": '"' + hashlib.md5(b"from a browser").hexdigest() + '"', "post": 201, "get": "from a browser", "other": "refused by the browser"}, said
    assert c.get_object(Bucket="browser", Key="form/photo.txt")["Body"].read() == b"by a form"
    recorded(s, "browser", "PutObject", "PostObject", "GetObject")


PARQUET = r"""
import os, sys
import pyarrow as pa, pyarrow.fs as fs, pyarrow.parquet as pq, pyarrow.dataset as ds
endpoint, region = sys.argv[1:3]
s3 = fs.S3FileSystem(access_key=os.environ["AWS_ACCESS_KEY_ID"], secret_key=os.environ["AWS_SECRET_ACCESS_KEY"], region=region,
                     endpoint_override=endpoint.split("//")[1].rstrip("/"), scheme=endpoint.split(":")[0], allow_bucket_creation=True, allow_bucket_deletion=True)
s3.create_dir("tables")
t = pa.table({"n": list(range(400000)), "text": ["row %d" % i for i in range(400000)], "half": [i / 2 for i in range(400000)]})
pq.write_table(t, "tables/t/one.parquet", filesystem=s3, row_group_size=50000, compression="none")
pq.write_table(t.slice(0, 1000), "tables/t/two.parquet", filesystem=s3)
assert pq.read_table("tables/t/one.parquet", columns=["n"], filters=[("n", ">", 390000)], filesystem=s3).num_rows == 9999
d = ds.dataset("tables/t", filesystem=s3, format="parquet")
assert d.count_rows() == 401000 and d.to_table(columns=["half"], filter=ds.field("n") == 77777).column("half")[0].as_py() == 38888.5
s3.delete_dir("tables")
print("ok")
"""


@limit(300)
@rows("P12.01")
def test_parquet_by_ranges_with_pyarrow(case):
    """pyarrow: a table written in parts, read by columns and row groups (ranged reads), a dataset, removed."""
    s, python = case.store(), python_with(PYARROW)
    r = subprocess.run([python, "-c", PARQUET, s.endpoints["s3"], s.info["region"]], env={**environment(s), "NO_PROXY": "*"}, capture_output=True, text=True, timeout=200)
    assert r.returncode == 0 and r.stdout.startswith("ok"), r.stdout + r.stderr[-3000:]
    ranged = [x for x in s.log_records() if x.get("act") == "GetObject" and x.get("range") and x.get("bucket") == "tables"]
    assert len(ranged) >= 4, len(ranged)


@limit(900)
def test_one_gibibyte(case):
    """aws cli: one object of 1 GiB up in parts, copied, down again; only when clients are run in full."""
    if BIG_MIB < 64:
        raise Skip("1 GiB is for make clients")
    aws_journey(case, case.store(), ["/usr/bin/aws"], True, "one-gib", 1024)
