# SPDX-License-Identifier: Apache-2.0
"""What an owner does with boto3, whatever its age. Run by an interpreter of its own: journey_boto3.py ENDPOINT REGION CA BUCKET.
Credentials come from the environment. Prints `ok N` at the end."""
import hashlib
import os
import sys

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

endpoint, region, ca, bucket = sys.argv[1:5]
s3 = boto3.client("s3", endpoint_url=endpoint, region_name=region, verify=ca or None,
                  config=Config(retries={"max_attempts": 0}, s3={"addressing_style": "path"}))
checks = 0


def check(condition, what):
    global checks
    checks += 1
    if not condition:
        raise SystemExit(f"journey: {what}")


def code(f, **kw):
    try:
        f(**kw)
    except ClientError as e:
        return e.response["Error"]["Code"], e.response["ResponseMetadata"]["HTTPStatusCode"]
    return "", 200


s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": region})
check(code(s3.create_bucket, Bucket=bucket)[0] == "BucketAlreadyOwnedByYou", "a second create says it is ours")
check(bucket in [b["Name"] for b in s3.list_buckets()["Buckets"]], "the bucket is listed")
s3.head_bucket(Bucket=bucket)
s3.get_bucket_location(Bucket=bucket)

SIZES = [0, 1, 2047, 2048, 65535, 65536, 65537, 1048576, 4194304, 4194305, 67108864]
for size in SIZES:
    data = hashlib.shake_128(str(size).encode()).digest(min(size, 65536)) * (size // 65536 + 1)
    data = data[:size]
    key = f"sizes/{size}"
    put = s3.put_object(Bucket=bucket, Key=key, Body=data, Metadata={"colour": "blue", "n": str(size)}, ContentType="text/x-thing")
    check(put["ETag"] == '"' + hashlib.md5(data).hexdigest() + '"', f"ETag of {size}")
    got = s3.get_object(Bucket=bucket, Key=key)
    check(got["Body"].read() == data, f"bytes of {size}")
    check(got["Metadata"] == {"colour": "blue", "n": str(size)} and got["ContentType"] == "text/x-thing", f"metadata of {size}")
    head = s3.head_object(Bucket=bucket, Key=key)
    check(head["ContentLength"] == size and head["ETag"] == put["ETag"], f"head of {size}")
    if size >= 2048:
        for first, last in ((0, 0), (1, 99), (size - 1, size - 1), (size // 2, size - 1), (size // 3, size // 2)):
            part = s3.get_object(Bucket=bucket, Key=key, Range=f"bytes={first}-{last}")
            check(part["Body"].read() == data[first:last + 1], f"range {first}-{last} of {size}")
            check(part["ContentRange"] == f"bytes {first}-{last}/{size}", f"content-range of {size}")
        check(s3.get_object(Bucket=bucket, Key=key, Range="bytes=-5")["Body"].read() == data[-5:], f"suffix range of {size}")
        check(code(s3.get_object, Bucket=bucket, Key=key, Range=f"bytes={size}-")[0] == "InvalidRange", f"range past {size}")

NAMES = ["a//b/../c", ".", "..", "å/ä ö/日本.txt", "+%25", "a+b c", "x&<>\"'y", "~!*()", "trailing/", "per%cent", "semi;colon=?#hash", "k" * 1024]
for name in NAMES:
    s3.put_object(Bucket=bucket, Key=name, Body=name.encode())
for name in NAMES:
    check(s3.get_object(Bucket=bucket, Key=name)["Body"].read() == name.encode(), f"name {name!r}")

everything = sorted(NAMES + [f"sizes/{n}" for n in SIZES], key=lambda k: k.encode())
listed, token = [], {}
while True:
    page = s3.list_objects_v2(Bucket=bucket, MaxKeys=5, **token)
    listed += [c["Key"] for c in page.get("Contents", [])]
    if not page["IsTruncated"]:
        break
    token = {"ContinuationToken": page["NextContinuationToken"]}
check(listed == everything, f"v2 pages give every key in order: {listed}")
listed, marker = [], {}
while True:
    page = s3.list_objects(Bucket=bucket, MaxKeys=7, **marker)
    listed += [c["Key"] for c in page.get("Contents", [])]
    if not page["IsTruncated"]:
        break
    marker = {"Marker": page.get("NextMarker") or listed[-1]}
check(listed == everything, "v1 pages give every key in order")
page = s3.list_objects_v2(Bucket=bucket, Delimiter="/")
check([p["Prefix"] for p in page["CommonPrefixes"]] == sorted({k.split("/")[0] + "/" for k in everything if "/" in k}, key=lambda k: k.encode()), "common prefixes")
check([c["Key"] for c in page["Contents"]] == [k for k in everything if "/" not in k], "keys beside common prefixes")
page = s3.list_objects_v2(Bucket=bucket, Prefix="sizes/6", StartAfter="sizes/65536")
check([c["Key"] for c in page["Contents"]] == sorted(k for k in everything if k.startswith("sizes/6") and k > "sizes/65536"), "prefix and start-after")
sizes = {c["Key"]: c["Size"] for c in s3.list_objects_v2(Bucket=bucket, Prefix="sizes/")["Contents"]}
check(sizes == {f"sizes/{n}": n for n in SIZES}, "listed sizes")

etag = s3.head_object(Bucket=bucket, Key="sizes/1")["ETag"]
check(code(s3.get_object, Bucket=bucket, Key="sizes/1", IfNoneMatch=etag)[1] == 304, "If-None-Match on a read")
check(code(s3.get_object, Bucket=bucket, Key="sizes/1", IfMatch='"no"')[0] == "PreconditionFailed", "If-Match on a read")
check(s3.get_object(Bucket=bucket, Key="sizes/1", IfMatch=etag)["Body"].read() is not None, "If-Match holds")
check(code(s3.get_object, Bucket=bucket, Key="nothing")[0] == "NoSuchKey", "absent key")
check(code(s3.head_object, Bucket=bucket, Key="nothing")[1] == 404, "absent key, head")
check(code(s3.list_objects_v2, Bucket="not-" + bucket)[0] == "NoSuchBucket", "absent bucket")
if "IfNoneMatch" in s3.meta.service_model.operation_model("PutObject").input_shape.members:
    check(code(s3.put_object, Bucket=bucket, Key="sizes/1", Body=b"x", IfNoneMatch="*")[0] == "PreconditionFailed", "If-None-Match on a write")
    s3.put_object(Bucket=bucket, Key="fresh", Body=b"x", IfNoneMatch="*")
    s3.put_object(Bucket=bucket, Key="fresh", Body=b"y", IfMatch=s3.head_object(Bucket=bucket, Key="fresh")["ETag"])
    check(code(s3.put_object, Bucket=bucket, Key="fresh", Body=b"z", IfMatch='"no"')[0] == "PreconditionFailed", "If-Match on a write")
    s3.delete_object(Bucket=bucket, Key="fresh")
if "ChecksumAlgorithm" in s3.meta.service_model.operation_model("PutObject").input_shape.members:
    for algorithm in ("CRC32", "SHA1", "SHA256"):
        put = s3.put_object(Bucket=bucket, Key="summed", Body=b"123456789", ChecksumAlgorithm=algorithm)
        check(put.get("Checksum" + algorithm), f"{algorithm} is returned")
        got = s3.get_object(Bucket=bucket, Key="summed", ChecksumMode="ENABLED")
        check(got.get("Checksum" + algorithm) == put["Checksum" + algorithm] and got["Body"].read() == b"123456789", f"{algorithm} is kept")

check(code(s3.delete_bucket, Bucket=bucket)[0] == "BucketNotEmpty", "a bucket with objects stays")
s3.delete_object(Bucket=bucket, Key="nothing")
rest = [c["Key"] for c in s3.list_objects_v2(Bucket=bucket)["Contents"]]
s3.delete_object(Bucket=bucket, Key=rest[0])
gone = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": k} for k in rest[1:]]})
check(sorted(d["Key"] for d in gone["Deleted"]) == sorted(rest[1:]) and not gone.get("Errors"), "DeleteObjects names each key")
check(s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0, "all is gone")
s3.delete_bucket(Bucket=bucket)
check(code(s3.head_bucket, Bucket=bucket)[1] == 404, "the bucket is gone")
print("ok", checks)
