# SPDX-License-Identifier: Apache-2.0
"""Uploads in parts, versions, copies, tags, documents, presigned URLs and forms with boto3, whatever its age. Run by an interpreter of its own:
journey_core.py ENDPOINT REGION CA BUCKET [MIB]. Credentials come from the environment. Prints `ok N` at the end."""
import base64
import hashlib
import io
import json
import os
import ssl
import sys
import urllib.error
import urllib.request

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError

endpoint, region, ca, bucket = sys.argv[1:5]
mib = int(sys.argv[5]) if len(sys.argv) > 5 else 24
s3 = boto3.client("s3", endpoint_url=endpoint, region_name=region, verify=ca or None,
                  config=Config(retries={"max_attempts": 0}, s3={"addressing_style": "path"}, signature_version="s3v4"))
http = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=ca or None)))
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


def knows(operation, parameter):
    return parameter in s3.meta.service_model.operation_model(operation).input_shape.members


def fetch(method, url, body=None, **headers):
    try:
        with http.open(urllib.request.Request(url, body, headers, method=method), timeout=60) as r:
            return r.status, r.read(), r.headers
    except urllib.error.HTTPError as e:
        return e.code, e.read(), e.headers


def bytes_of(n, seed):
    return (hashlib.shake_128(seed.encode()).digest(65536) * (n // 65536 + 1))[:n]


s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": region})

# -- parts ------------------------------------------------------------------------------------------------------------------------------
PART = 5 * 1024 * 1024
big = bytes_of(mib * 1024 * 1024 + 12345, "big")
s3.upload_fileobj(io.BytesIO(big), bucket, "big", Config=TransferConfig(multipart_threshold=PART, multipart_chunksize=PART, max_concurrency=4),
                  ExtraArgs={"Metadata": {"colour": "green"}, "ContentType": "text/x-big"})
pieces = [big[i:i + PART] for i in range(0, len(big), PART)]
etag = hashlib.md5(b"".join(hashlib.md5(p).digest() for p in pieces)).hexdigest() + f"-{len(pieces)}"
head = s3.head_object(Bucket=bucket, Key="big")
check(head["ETag"] == f'"{etag}"' and head["ContentLength"] == len(big) and head["Metadata"] == {"colour": "green"}, f"an upload in parts: {head}")
back = io.BytesIO()
s3.download_fileobj(bucket, "big", back, Config=TransferConfig(multipart_threshold=PART, multipart_chunksize=3 * 1024 * 1024 + 17, max_concurrency=3))
check(back.getvalue() == big, "an upload in parts comes back by ranges")
for first, last in ((0, 0), (PART - 1, PART), (PART, PART), (2 * PART - 3, 3 * PART + 2), (len(big) - 1, len(big) - 1)):
    check(s3.get_object(Bucket=bucket, Key="big", Range=f"bytes={first}-{last}")["Body"].read() == big[first:last + 1], f"range {first}-{last} over parts")
check(s3.get_object(Bucket=bucket, Key="big", Range="bytes=-7")["Body"].read() == big[-7:], "suffix range over parts")
two = s3.get_object(Bucket=bucket, Key="big", PartNumber=2)
check(two["Body"].read() == pieces[1] and two["PartsCount"] == len(pieces), "part 2 by its number")
check(code(s3.get_object, Bucket=bucket, Key="big", PartNumber=len(pieces) + 1)[0] in ("InvalidPartNumber", "InvalidPart"), "a part that is not there")

up = s3.create_multipart_upload(Bucket=bucket, Key="pieces/1")["UploadId"]
other = s3.create_multipart_upload(Bucket=bucket, Key="pieces/2")["UploadId"]
check([u["UploadId"] for u in s3.list_multipart_uploads(Bucket=bucket, Prefix="pieces/")["Uploads"]] == [up, other], "uploads are listed")
parts = [{"PartNumber": n, "ETag": s3.upload_part(Bucket=bucket, Key="pieces/1", UploadId=up, PartNumber=n, Body=b)["ETag"]}
         for n, b in ((3, b"end"), (1, pieces[0]), (2, pieces[1]))]
check([p["PartNumber"] for p in s3.list_parts(Bucket=bucket, Key="pieces/1", UploadId=up, MaxParts=2)["Parts"]] == [1, 2], "parts are listed")
done = dict(Bucket=bucket, Key="pieces/1", UploadId=up)
check(code(s3.complete_multipart_upload, **done, MultipartUpload={"Parts": parts})[0] == "InvalidPartOrder", "parts out of order")
parts.sort(key=lambda p: p["PartNumber"])
check(code(s3.complete_multipart_upload, **done, MultipartUpload={"Parts": parts[:1] + [{"PartNumber": 9, "ETag": '"x"'}]})[0] == "InvalidPart", "a part never uploaded")
first = s3.complete_multipart_upload(**done, MultipartUpload={"Parts": parts})
check(s3.complete_multipart_upload(**done, MultipartUpload={"Parts": parts})["ETag"] == first["ETag"], "Complete again says the same")
check(s3.get_object(Bucket=bucket, Key="pieces/1")["Body"].read() == pieces[0] + pieces[1] + b"end", "an object of parts that came in any order")
s3.abort_multipart_upload(Bucket=bucket, Key="pieces/2", UploadId=other)
check(code(s3.list_parts, Bucket=bucket, Key="pieces/2", UploadId=other)[0] == "NoSuchUpload", "an aborted upload is gone")
if hasattr(s3, "get_object_attributes"):
    a = s3.get_object_attributes(Bucket=bucket, Key="pieces/1", ObjectAttributes=["ETag", "ObjectSize", "ObjectParts"])
    check(a["ObjectSize"] == 2 * PART + 3 and a["ETag"] == first["ETag"].strip('"') and a["ObjectParts"]["TotalPartsCount"] == 3, f"attributes {a}")

# -- copies -----------------------------------------------------------------------------------------------------------------------------
s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "big"})
copied = s3.head_object(Bucket=bucket, Key="copy")
check(copied["ETag"] == f'"{etag}"' and copied["Metadata"] == {"colour": "green"}, "a copy of parts keeps tag and metadata")
s3.delete_object(Bucket=bucket, Key="big")
check(s3.get_object(Bucket=bucket, Key="copy")["Body"].read() == big, "a copy outlives its source")
s3.put_object(Bucket=bucket, Key="å +%/src", Body=b"small")
s3.copy_object(Bucket=bucket, Key="dst", CopySource={"Bucket": bucket, "Key": "å +%/src"}, Metadata={"a": "b"}, MetadataDirective="REPLACE")
check(s3.get_object(Bucket=bucket, Key="dst")["Metadata"] == {"a": "b"}, "a copy with new metadata")
check(code(s3.copy_object, Bucket=bucket, Key="dst", CopySource={"Bucket": bucket, "Key": "dst"})[0] == "InvalidRequest", "a copy onto itself without change")
check(code(s3.copy_object, Bucket=bucket, Key="dst", CopySource={"Bucket": bucket, "Key": "none"})[0] == "NoSuchKey", "a copy of nothing")
check(code(s3.copy_object, Bucket=bucket, Key="dst", CopySource={"Bucket": bucket, "Key": "copy"}, CopySourceIfMatch='"x"')[0] == "PreconditionFailed", "a copy under a condition")
up = s3.create_multipart_upload(Bucket=bucket, Key="joined")["UploadId"]
cut = [s3.upload_part_copy(Bucket=bucket, Key="joined", UploadId=up, PartNumber=n + 1, CopySource={"Bucket": bucket, "Key": "copy"},
                           CopySourceRange=f"bytes={n * PART + n}-{(n + 1) * PART + n}")["CopyPartResult"]["ETag"] for n in range(2)]
s3.complete_multipart_upload(Bucket=bucket, Key="joined", UploadId=up, MultipartUpload={"Parts": [{"PartNumber": n + 1, "ETag": t} for n, t in enumerate(cut)]})
check(s3.get_object(Bucket=bucket, Key="joined")["Body"].read() == big[:PART + 1] + big[PART + 1:2 * PART + 2], "an object joined from ranges of another")

# -- versions, tags ---------------------------------------------------------------------------------------------------------------------
s3.put_object(Bucket=bucket, Key="v", Body=b"null")
s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
check(s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled", "versioning is on")
ids = [s3.put_object(Bucket=bucket, Key="v", Body=str(n).encode())["VersionId"] for n in range(3)]
marker = s3.delete_object(Bucket=bucket, Key="v")
check(marker["DeleteMarker"] is True and code(s3.get_object, Bucket=bucket, Key="v")[0] == "NoSuchKey", "a marker hides the key")
listed = s3.list_object_versions(Bucket=bucket, Prefix="v")
check([x["VersionId"] for x in listed["Versions"]] == ids[::-1] + ["null"] and listed["DeleteMarkers"][0]["IsLatest"], "versions are listed newest first")
pages, seen = s3.get_paginator("list_object_versions"), []
for page in pages.paginate(Bucket=bucket, Prefix="v", PaginationConfig={"PageSize": 2}):
    seen += [x["VersionId"] for x in page.get("Versions", []) + page.get("DeleteMarkers", [])]
check(sorted(seen) == sorted(ids + ["null", marker["VersionId"]]), "pages of versions lose none")
check(s3.get_object(Bucket=bucket, Key="v", VersionId=ids[0])["Body"].read() == b"0" and s3.get_object(Bucket=bucket, Key="v", VersionId="null")["Body"].read() == b"null", "old versions")
s3.copy_object(Bucket=bucket, Key="v", CopySource={"Bucket": bucket, "Key": "v", "VersionId": ids[0]})
check(s3.get_object(Bucket=bucket, Key="v")["Body"].read() == b"0", "an old version is brought back by a copy")
s3.put_object_tagging(Bucket=bucket, Key="v", VersionId=ids[1], Tagging={"TagSet": [{"Key": "k", "Value": "ä b"}, {"Key": "z", "Value": ""}]})
check(s3.get_object_tagging(Bucket=bucket, Key="v", VersionId=ids[1])["TagSet"] == [{"Key": "k", "Value": "ä b"}, {"Key": "z", "Value": ""}], "tags of a version")
check(s3.get_object(Bucket=bucket, Key="v", VersionId=ids[1])["TagCount"] == 2, "how many tags")
s3.delete_object_tagging(Bucket=bucket, Key="v", VersionId=ids[1])
check(s3.get_object_tagging(Bucket=bucket, Key="v", VersionId=ids[1])["TagSet"] == [], "no tags any more")
s3.put_object(Bucket=bucket, Key="tagged", Body=b"t", Tagging="a=1&b=%20")
check(s3.get_object_tagging(Bucket=bucket, Key="tagged")["TagSet"] == [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": " "}], "tags that came with the object")
check(code(s3.put_object_tagging, Bucket=bucket, Key="tagged", Tagging={"TagSet": [{"Key": str(n), "Value": ""} for n in range(11)]})[0] == "BadRequest", "eleven tags")

# -- documents of a bucket ----------------------------------------------------------------------------------------------------------------
check(code(s3.get_bucket_tagging, Bucket=bucket)[0] == "NoSuchTagSet" and code(s3.get_bucket_cors, Bucket=bucket)[0] == "NoSuchCORSConfiguration" and
      code(s3.get_bucket_lifecycle_configuration, Bucket=bucket)[0] == "NoSuchLifecycleConfiguration" and code(s3.get_bucket_policy, Bucket=bucket)[0] == "NoSuchBucketPolicy" and
      code(s3.get_bucket_website, Bucket=bucket)[0] == "NoSuchWebsiteConfiguration" and code(s3.get_bucket_replication, Bucket=bucket)[0] == "ReplicationConfigurationNotFoundError" and
      code(s3.get_object_lock_configuration, Bucket=bucket)[0] == "ObjectLockConfigurationNotFoundError", "what is not set says so exactly")
s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": [{"Key": "team", "Value": "blue"}]})
check(s3.get_bucket_tagging(Bucket=bucket)["TagSet"] == [{"Key": "team", "Value": "blue"}], "tags of a bucket")
s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [{"AllowedMethods": ["GET", "PUT"], "AllowedOrigins": ["https://*.example.com"], "AllowedHeaders": ["*"], "MaxAgeSeconds": 60}]})
check(s3.get_bucket_cors(Bucket=bucket)["CORSRules"][0]["AllowedOrigins"] == ["https://*.example.com"], "CORS rules")
s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": [{"ID": "r", "Status": "Enabled", "Filter": {"Prefix": "tmp/"}, "Expiration": {"Days": 1}}]})
check(s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"][0]["Expiration"] == {"Days": 1}, "lifecycle rules")
s3.delete_bucket_lifecycle(Bucket=bucket)
policy = json.dumps({"Version": "2012-10-17", "Statement": [{"Sid": "a", "Effect": "Deny", "Principal": "*", "Action": "s3:DeleteObject", "Resource": f"arn:aws:s3:::{bucket}/kept/*"}]})
s3.put_bucket_policy(Bucket=bucket, Policy=policy)
check(s3.get_bucket_policy(Bucket=bucket)["Policy"] == policy, "a policy comes back byte for byte")
s3.put_object(Bucket=bucket, Key="kept/x", Body=b"x")
check(code(s3.delete_object, Bucket=bucket, Key="kept/x")[0] == "AccessDenied", "a policy denies the owner too")
s3.delete_bucket_policy(Bucket=bucket)
check(code(s3.put_bucket_policy, Bucket=bucket, Policy="{")[0] == "MalformedPolicy", "a policy that is none")

# -- presigned, forms ---------------------------------------------------------------------------------------------------------------------
url = s3.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "presigned"}, ExpiresIn=60)
check(fetch("PUT", url, b"by URL")[0] == 200 and fetch("PUT", url.replace("presigned", "presignee"), b"x")[0] == 403, "a presigned PUT, and one for another key")
status, body, headers = fetch("GET", s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "presigned", "ResponseContentType": "text/x-mine"}, ExpiresIn=60),
                              Origin="https://a.example.com")
check(status == 200 and body == b"by URL" and headers["Content-Type"] == "text/x-mine" and headers["Access-Control-Allow-Origin"], f"a presigned GET with CORS: {status} {dict(headers)}")
status, _, headers = fetch("OPTIONS", url, Origin="https://a.example.com", **{"Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "content-type"})
check(status == 200 and "PUT" in headers["Access-Control-Allow-Methods"], f"a preflight: {status}")
post = s3.generate_presigned_post(bucket, "form/${filename}", Fields={"acl": "private", "success_action_status": "201"},
                                  Conditions=[["starts-with", "$key", "form/"], {"acl": "private"}, {"success_action_status": "201"}, ["content-length-range", 1, 100]], ExpiresIn=60)


def form(fields, name, data):
    b = b"----tillit"
    out = b"".join(b"--" + b + b'\r\nContent-Disposition: form-data; name="' + k.encode() + b'"\r\n\r\n' + v.encode() + b"\r\n" for k, v in fields.items())
    out += b"--" + b + b'\r\nContent-Disposition: form-data; name="file"; filename="' + name.encode() + b'"\r\nContent-Type: text/plain\r\n\r\n' + data + b"\r\n--" + b + b"--\r\n"
    return out, {"Content-Type": "multipart/form-data; boundary=" + b.decode()}


out, more = form(post["fields"], "up.txt", b"by form")
status, answer, _ = fetch("POST", post["url"], out, **more)
check(status == 201 and b"<Key>form/up.txt</Key>" in answer and s3.get_object(Bucket=bucket, Key="form/up.txt")["Body"].read() == b"by form", f"a form: {status} {answer[:300]}")
out, more = form(post["fields"], "up.txt", b"x" * 101)
check(b"EntityTooLarge" in fetch("POST", post["url"], out, **more)[1], "a form past its length")
out, more = form({**post["fields"], "x-amz-meta-extra": "1"}, "up.txt", b"x")
check(fetch("POST", post["url"], out, **more)[0] == 403, "a form with a field its policy does not know")

# -- checksums of parts -------------------------------------------------------------------------------------------------------------------
if knows("CreateMultipartUpload", "ChecksumAlgorithm"):
    up = s3.create_multipart_upload(Bucket=bucket, Key="summed", ChecksumAlgorithm="SHA256")["UploadId"]
    parts = []
    for n in (1, 2):
        r = s3.upload_part(Bucket=bucket, Key="summed", UploadId=up, PartNumber=n, Body=pieces[n], ChecksumAlgorithm="SHA256")
        check(r["ChecksumSHA256"] == base64.b64encode(hashlib.sha256(pieces[n]).digest()).decode(), "a part's checksum")
        parts.append({"PartNumber": n, "ETag": r["ETag"], "ChecksumSHA256": r["ChecksumSHA256"]})
    r = s3.complete_multipart_upload(Bucket=bucket, Key="summed", UploadId=up, MultipartUpload={"Parts": parts})
    whole = base64.b64encode(hashlib.sha256(b"".join(hashlib.sha256(pieces[n]).digest() for n in (1, 2))).digest()).decode() + "-2"
    check(r["ChecksumSHA256"] == whole and s3.head_object(Bucket=bucket, Key="summed", ChecksumMode="ENABLED")["ChecksumSHA256"] == whole, "a composite checksum")

# -- all goes -----------------------------------------------------------------------------------------------------------------------------
for page in pages.paginate(Bucket=bucket):
    gone = [{"Key": x["Key"], "VersionId": x["VersionId"]} for x in page.get("Versions", []) + page.get("DeleteMarkers", [])]
    if gone:
        check(not s3.delete_objects(Bucket=bucket, Delete={"Objects": gone, "Quiet": True}).get("Errors"), "versions are deleted")
s3.delete_bucket(Bucket=bucket)
print("ok", checks)
