# SPDX-License-Identifier: Apache-2.0
"""One row per operation: every operation that is implemented is asked for once, and each leaves exactly one leaf (a streamed copy two, a batch one with
its root), which names the act; then the whole record is replayed by tillit-verify."""
import json
import os
import re

from botocore.exceptions import ClientError

from lib.case import ROOT, limit, rows
from lib.raw import Caller, Connection, Request

MIB5 = 5 * 1024 * 1024
# Acts that no caller asks for: the steward's, and what statements do.
NOT_ASKED = {"PurgeGrave", "LifecycleExpire", "LifecycleAbort", "AddReader", "IamOrSts"}


def implemented():
    """Names of the acts that an authorised caller gets something else than a fixed refusal for."""
    found = set()
    for path, pattern in (("src/lib/s3/s3_op.def", r'^S3_OP\(.*, (\w+), "[^"]*", \w+, NONE\)'), ("src/lib/policy/policy_act.def", r"^POLICY_ACT\((\w+),")):
        with open(os.path.join(ROOT, path)) as f:
            found |= set(re.findall(pattern, f.read(), re.M))
    return found - NOT_ASKED


def log_of(s):
    return [dict(r, log=log) for log in ("access", "control") for r in s.log_records(log)]


class Walk:
    def __init__(self, case):
        self.s = case.store()
        self.c, self.raw = self.s.boto3(), Caller(self.s)
        self.seen, self.asked = {}, []          # act -> request ids

    def do(self, act, f, leaves_due=1, **kw):
        """Calls f, which must succeed, and remembers which act its leaf must name."""
        r = f(**kw)
        self.asked.append((act, r["ResponseMetadata"]["RequestId"], leaves_due))
        return r

    def http(self, act, method, path, *args, ok=(200, 204), **kw):
        r = self.raw.call(method, path, *args, **kw)
        assert r.status in ok, (act, r.status, r.body[:400])
        self.asked.append((act, dict(r.headers)["x-amz-request-id"], 1))
        return r

    def plain(self, method, target, headers, body=b""):
        """Unsigned, as a browser would."""
        conn = Connection(self.s.endpoints["s3"])
        return conn.ask(Request(method, target, [["Host", conn.host], ["Content-Length", str(len(body))], *headers], body))

    def client(self, service):
        import boto3
        from botocore.config import Config
        key, secret = self.s.credentials
        return boto3.client(service, endpoint_url=self.s.endpoints["s3"], region_name=self.s.info["region"], aws_access_key_id=key, aws_secret_access_key=secret,
                            config=Config(retries={"max_attempts": 0}))


def objects(w, b):
    c = w.c
    w.do("PutObject", c.put_object, Bucket=b, Key="k", Body=b"one")
    w.do("GetObject", c.get_object, Bucket=b, Key="k")["Body"].read()
    w.do("HeadObject", c.head_object, Bucket=b, Key="k")
    w.do("ListObjects", c.list_objects, Bucket=b)
    w.do("ListObjectsV2", c.list_objects_v2, Bucket=b)
    w.do("GetObjectAcl", c.get_object_acl, Bucket=b, Key="k")
    w.do("PutObjectAcl", c.put_object_acl, Bucket=b, Key="k", ACL="private")
    w.do("GetObjectAttributes", c.get_object_attributes, Bucket=b, Key="k", ObjectAttributes=["ETag", "ObjectSize"])
    w.do("PutObjectTagging", c.put_object_tagging, Bucket=b, Key="k", Tagging={"TagSet": [{"Key": "a", "Value": "1"}]})
    w.do("GetObjectTagging", c.get_object_tagging, Bucket=b, Key="k")
    w.do("DeleteObjectTagging", c.delete_object_tagging, Bucket=b, Key="k")
    w.do("CopyObject", c.copy_object, Bucket=b, Key="copy", CopySource={"Bucket": b, "Key": "k"})
    # Another checksum than the source has: the bytes go through the front, so there is a read before the write.
    w.do("CopyObject", c.copy_object, leaves_due=2, Bucket=b, Key="copy256", CopySource={"Bucket": b, "Key": "k"}, ChecksumAlgorithm="SHA256")
    w.do("DeleteObject", c.delete_object, Bucket=b, Key="copy")
    w.s.tillit("undelete", w.s.dir, b, "copy")
    w.s.tillit("who-can", "--dir", w.s.dir, "--bucket", b, "--key", "copy",
               env={**os.environ, "AWS_ACCESS_KEY_ID": w.s.credentials[0], "AWS_SECRET_ACCESS_KEY": w.s.credentials[1]})
    w.do("DeleteObjects", c.delete_objects, Bucket=b, Delete={"Objects": [{"Key": "copy"}, {"Key": "never"}]})
    post = c.generate_presigned_post(b, "form", ExpiresIn=60)
    body, kind = form(post["fields"], b"by form")
    r = w.plain("POST", f"/{b}", [["Content-Type", kind]], body)
    assert r.status == 204, (r.status, r.body)
    w.asked.append(("PostObject", dict(r.headers)["x-amz-request-id"], 1))


def form(fields, data):
    edge = "tillit-walk"
    parts = "".join(f'--{edge}\r\nContent-Disposition: form-data; name="{k}"\r\n\r\n{v}\r\n' for k, v in fields.items())
    parts += f'--{edge}\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n'
    return parts.encode() + data + f"\r\n--{edge}--\r\n".encode(), "multipart/form-data; boundary=" + edge


def parts(w, b):
    c = w.c
    big = os.urandom(MIB5)
    up = w.do("CreateMultipartUpload", c.create_multipart_upload, Bucket=b, Key="big")["UploadId"]
    tag = w.do("UploadPart", c.upload_part, Bucket=b, Key="big", UploadId=up, PartNumber=1, Body=big)["ETag"]
    shared = w.do("UploadPartCopy", c.upload_part_copy, Bucket=b, Key="big", UploadId=up, PartNumber=2, CopySource={"Bucket": b, "Key": "k"})["CopyPartResult"]["ETag"]
    w.do("UploadPartCopy", c.upload_part_copy, leaves_due=2, Bucket=b, Key="big", UploadId=up, PartNumber=2, CopySource={"Bucket": b, "Key": "k"}, CopySourceRange="bytes=0-1")
    shared = w.do("UploadPartCopy", c.upload_part_copy, Bucket=b, Key="big", UploadId=up, PartNumber=2, CopySource={"Bucket": b, "Key": "k"})["CopyPartResult"]["ETag"]
    w.do("ListMultipartUploads", c.list_multipart_uploads, Bucket=b)
    w.do("ListParts", c.list_parts, Bucket=b, Key="big", UploadId=up)
    w.do("CompleteMultipartUpload", c.complete_multipart_upload, Bucket=b, Key="big", UploadId=up,
         MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": tag}, {"PartNumber": 2, "ETag": shared}]})
    assert w.do("GetObjectPart", c.get_object, Bucket=b, Key="big", PartNumber=2)["Body"].read() == b"one"
    w.do("HeadObjectPart", c.head_object, Bucket=b, Key="big", PartNumber=1)
    up = w.do("CreateMultipartUpload", c.create_multipart_upload, Bucket=b, Key="big2")["UploadId"]
    w.do("AbortMultipartUpload", c.abort_multipart_upload, Bucket=b, Key="big2", UploadId=up)


def versions(w, b):
    c = w.c
    w.do("PutBucketVersioning", c.put_bucket_versioning, Bucket=b, VersioningConfiguration={"Status": "Enabled"})
    w.do("GetBucketVersioning", c.get_bucket_versioning, Bucket=b)
    v = w.do("PutObject", c.put_object, Bucket=b, Key="k", Body=b"two")["VersionId"]
    w.do("DeleteObject", c.delete_object, Bucket=b, Key="k")
    w.do("GetObjectVersion", c.get_object, Bucket=b, Key="k", VersionId=v)["Body"].read()
    w.do("HeadObjectVersion", c.head_object, Bucket=b, Key="k", VersionId="null")
    w.do("ListObjectVersions", c.list_object_versions, Bucket=b)
    w.do("DeleteObjectVersion", c.delete_object, Bucket=b, Key="k", VersionId=v)


def documents(w, b):
    c = w.c
    policy = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{b}/secret/*",
                                                                 "Condition": {"StringNotEquals": {"s3:ExistingObjectTag/open": "yes"}}}]})
    for name, put, get, delete, arguments in (
            ("BucketPolicy", c.put_bucket_policy, c.get_bucket_policy, None, {"Policy": policy}),
            ("BucketTagging", c.put_bucket_tagging, c.get_bucket_tagging, c.delete_bucket_tagging, {"Tagging": {"TagSet": [{"Key": "a", "Value": "b"}]}}),
            ("BucketCors", c.put_bucket_cors, c.get_bucket_cors, None, {"CORSConfiguration": {"CORSRules": [{"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]}]}}),
            ("BucketLifecycleConfiguration", c.put_bucket_lifecycle_configuration, c.get_bucket_lifecycle_configuration, c.delete_bucket_lifecycle,
             {"LifecycleConfiguration": {"Rules": [{"ID": "r", "Status": "Enabled", "Filter": {"Prefix": "tmp/"}, "Expiration": {"Days": 3}}]}}),
            ("BucketOwnershipControls", c.put_bucket_ownership_controls, c.get_bucket_ownership_controls, c.delete_bucket_ownership_controls,
             {"OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}}),
            ("PublicAccessBlock", c.put_public_access_block, c.get_public_access_block, c.delete_public_access_block,
             {"PublicAccessBlockConfiguration": {"BlockPublicAcls": True, "IgnorePublicAcls": True, "BlockPublicPolicy": False, "RestrictPublicBuckets": False}})):
        w.do("Put" + name, put, Bucket=b, **arguments)
        w.do("Get" + name, get, Bucket=b)
        if delete:
            w.do("DeleteBucketLifecycle" if "Lifecycle" in name else "Delete" + name, delete, Bucket=b)
    w.do("GetBucketPolicyStatus", c.get_bucket_policy_status, Bucket=b)
    # Under the policy: a decision that hangs on the object's tags, allowed and denied.
    w.do("PutObject", c.put_object, Bucket=b, Key="secret/open", Body=b"x", Tagging="open=yes")
    w.do("GetObject", c.get_object, Bucket=b, Key="secret/open")["Body"].read()
    w.do("PutObject", c.put_object, Bucket=b, Key="secret/closed", Body=b"x")
    try:
        c.get_object(Bucket=b, Key="secret/closed")
        raise AssertionError("the policy denies this")
    except ClientError as e:
        w.asked.append(("GetObject", e.response["ResponseMetadata"]["RequestId"], 1))
    r = w.plain("OPTIONS", f"/{b}/k?X-Amz-Credential={w.s.credentials[0]}%2F20260101%2Feu-north-1%2Fs3%2Faws4_request", [["Origin", "https://a.example"], ["Access-Control-Request-Method", "GET"]], b"")
    assert r.status == 200, (r.status, r.body)
    w.asked.append(("ObjectPreflight", dict(r.headers)["x-amz-request-id"], 1))
    r = w.plain("OPTIONS", f"/{b}?X-Amz-Credential={w.s.credentials[0]}%2F20260101%2Feu-north-1%2Fs3%2Faws4_request", [["Origin", "https://a.example"], ["Access-Control-Request-Method", "GET"]], b"")
    assert r.status == 200, (r.status, r.body)
    w.asked.append(("BucketPreflight", dict(r.headers)["x-amz-request-id"], 1))
    w.do("DeleteBucketCors", c.delete_bucket_cors, Bucket=b)
    w.do("DeleteBucketPolicy", c.delete_bucket_policy, Bucket=b)
    for act, f in (("GetBucketAcl", c.get_bucket_acl), ("GetBucketEncryption", c.get_bucket_encryption), ("GetBucketAccelerateConfiguration", c.get_bucket_accelerate_configuration),
                   ("GetBucketRequestPayment", c.get_bucket_request_payment), ("GetBucketLogging", c.get_bucket_logging),
                   ("GetBucketNotificationConfiguration", c.get_bucket_notification_configuration), ("GetBucketLocation", c.get_bucket_location), ("HeadBucket", c.head_bucket)):
        w.do(act, f, Bucket=b)
    w.do("PutBucketAcl", c.put_bucket_acl, Bucket=b, ACL="private")


def identity(w, b):
    iam, sts = w.client("iam"), w.client("sts")
    w.do("GetCallerIdentity", sts.get_caller_identity)
    w.do("CreateUser", iam.create_user, UserName="ann", Path="/staff/")
    w.do("GetUser", iam.get_user, UserName="ann")
    w.do("ListUsers", iam.list_users)
    for act, f, named in (("ListGroups", iam.list_groups, {}), ("ListRoles", iam.list_roles, {}), ("ListOpenIDConnectProviders", iam.list_open_id_connect_providers, {}),
                          ("ListGroupsForUser", iam.list_groups_for_user, {"UserName": "ann"}), ("ListAttachedUserPolicies", iam.list_attached_user_policies, {"UserName": "ann"})):
        w.do(act, f, **named)
    w.do("PutUserPolicy", iam.put_user_policy, UserName="ann", PolicyName="p",
         PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}}))
    w.do("GetUserPolicy", iam.get_user_policy, UserName="ann", PolicyName="p")
    w.do("ListUserPolicies", iam.list_user_policies, UserName="ann")
    key = w.do("CreateAccessKey", iam.create_access_key, UserName="ann")["AccessKey"]["AccessKeyId"]
    w.do("ListAccessKeys", iam.list_access_keys, UserName="ann")
    w.do("UpdateAccessKey", iam.update_access_key, UserName="ann", AccessKeyId=key, Status="Inactive")
    w.do("DeleteAccessKey", iam.delete_access_key, UserName="ann", AccessKeyId=key)
    w.do("DeleteUserPolicy", iam.delete_user_policy, UserName="ann", PolicyName="p")
    w.do("ListGroups", iam.list_groups)
    w.do("ListGroupsForUser", iam.list_groups_for_user, UserName="ann")
    w.do("ListAttachedUserPolicies", iam.list_attached_user_policies, UserName="ann")
    w.do("ListRoles", iam.list_roles)
    w.do("ListOpenIDConnectProviders", iam.list_open_id_connect_providers)
    w.do("DeleteUser", iam.delete_user, UserName="ann")
    w.http("ListTagsForResource", "GET", f"/v20180820/tags/arn%3Aaws%3As3%3A%3A%3A{b}", [["x-amz-account-id", w.s.info["account"]]])


@limit(240)
@rows("P3.02", "P3.07", "P12.01", "P12.02", "P12.03", partly={
    "P12.02": "users, keys, inline policies; groups, roles, sessions and web identity wait",
    "P12.03": "versioning, tagging, CORS, checksums, conditions, multipart, presigned URLs and forms, copies, lifecycle; lock, website, notifications, inventory wait"})
def test_every_operation_leaves_its_one_leaf_and_replays(case):
    w = Walk(case)
    b = "walk"
    w.do("CreateBucket", w.c.create_bucket, Bucket=b)
    w.do("ListBuckets", w.c.list_buckets)
    objects(w, b)
    parts(w, b)
    documents(w, b)
    versions(w, b)
    identity(w, b)
    for page in w.c.get_paginator("list_object_versions").paginate(Bucket=b):
        gone = [{"Key": x["Key"], "VersionId": x["VersionId"]} for x in page.get("Versions", []) + page.get("DeleteMarkers", [])]
        w.do("DeleteObjects", w.c.delete_objects, Bucket=b, Delete={"Objects": gone})
    w.do("DeleteBucket", w.c.delete_bucket, Bucket=b)

    log_of(w.s)                             # reading the record is recorded: the second reading shows the first
    log = log_of(w.s)
    wrong = []
    for act, request, due in w.asked:
        found = [r for r in log if r.get("id", "").lower() == request.lower()]
        if len(found) != due or any(r.get("act") != act for r in found):
            wrong.append(f"{act}: {len(found)} leaves {[r.get('act') for r in found]}, {due} due")
        if act == "DeleteObjects" and not all("n" in r and "root" in r for r in found):
            wrong.append("DeleteObjects: a batch without its root")
    assert not wrong, "\n".join(wrong)
    walked = {act for act, _, _ in w.asked} | {r["act"] for r in log if r.get("act") in ("ReadOpenings", "Undelete", "WhoCan")}
    assert walked >= implemented(), f"operations without a leaf here: {sorted(implemented() - walked)}"
    with open(os.path.join(ROOT, "docs/spec/record.md")) as f:
        table = set(re.findall(r"\w+", f.read().split("## 6. One row per operation")[1]))
    assert table >= implemented(), f"no row in record.md: {sorted(implemented() - table)}"

    out = case.path("export")
    for log in ("access", "control"):
        w.s.tillit("log", "export", w.s.dir, "--log", log, "--out", out)
    logs = w.s.endpoints["logs"]
    code, text = w.s.verify("replay", out, "--access", logs["access"]["url"], "--access-vkey", logs["access"]["vkey"], "--control", logs["control"]["url"],
                            "--control-vkey", logs["control"]["vkey"])
    assert code == 0, text
