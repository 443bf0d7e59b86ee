// SPDX-License-Identifier: Apache-2.0
// What an owner does with @aws-sdk/client-s3: journey.mjs ENDPOINT REGION CA BUCKET; credentials from the environment.
import { createHash, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { Readable } from "node:stream";
import https from "node:https";
import { NodeHttpHandler } from "@smithy/node-http-handler";
import {
  S3Client, CreateBucketCommand, DeleteBucketCommand, DeleteObjectCommand, DeleteObjectsCommand, GetObjectCommand, HeadObjectCommand,
  ListBucketsCommand, ListObjectsCommand, ListObjectsV2Command, PutObjectCommand,
} from "@aws-sdk/client-s3";

const [endpoint, region, ca, bucket] = process.argv.slice(2);
const s3 = new S3Client({
  endpoint, region, forcePathStyle: true, maxAttempts: 1,
  requestHandler: new NodeHttpHandler(ca ? { httpsAgent: new https.Agent({ ca: readFileSync(ca) }) } : {}),
});
let checks = 0;
const check = (condition, what) => { checks++; if (!condition) { console.log("journey: " + what); process.exit(1); } };
const failing = async (command) => { try { await s3.send(command); } catch (e) { return e; } return { name: "", $metadata: {} }; };
const bytes = async (r) => Buffer.from(await r.Body.transformToByteArray());

await s3.send(new CreateBucketCommand({ Bucket: bucket }));
check((await s3.send(new ListBucketsCommand({}))).Buckets.some((b) => b.Name === bucket), "the bucket is listed");
const keys = [];
for (const size of [0, 1, 2048, 65536, 65537, 1048577, 8388608]) {
  const data = randomBytes(size);
  for (const form of ["buffer", "stream"]) {
    const Key = `${form}/${size}`;
    const body = form === "buffer" ? { Body: data } : { Body: Readable.from(size ? [data] : []), ContentLength: size };
    const put = await s3.send(new PutObjectCommand({ Bucket: bucket, Key, ...body, Metadata: { form } }));
    check(put.ETag === `"${createHash("md5").update(data).digest("hex")}"`, `ETag of ${Key}`);
    const got = await s3.send(new GetObjectCommand({ Bucket: bucket, Key }));
    check(got.Metadata.form === form && (await bytes(got)).equals(data), `bytes of ${Key}`);
    keys.push(Key);
  }
}
for (const Key of ["a//b/../c", ".", "å/日本", "+%25", "a b+c", "x&<y>"]) {
  await s3.send(new PutObjectCommand({ Bucket: bucket, Key, Body: Key }));
  check((await bytes(await s3.send(new GetObjectCommand({ Bucket: bucket, Key })))).toString() === Key, `name ${Key}`);
  keys.push(Key);
}
const sorted = [...keys].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
const listed = [];
for (let ContinuationToken; ;) {
  const page = await s3.send(new ListObjectsV2Command({ Bucket: bucket, MaxKeys: 4, ContinuationToken }));
  listed.push(...(page.Contents ?? []).map((c) => c.Key));
  if (!page.IsTruncated) break;
  ContinuationToken = page.NextContinuationToken;
}
check(JSON.stringify(listed) === JSON.stringify(sorted), `v2 pages: ${listed}`);
check((await s3.send(new ListObjectsCommand({ Bucket: bucket, Delimiter: "/" }))).CommonPrefixes.some((p) => p.Prefix === "stream/"), "common prefixes");
const part = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: "buffer/65537", Range: "bytes=65530-" }));
check((await bytes(part)).length === 7 && part.ContentRange === "bytes 65530-65536/65537", "range");
check((await failing(new GetObjectCommand({ Bucket: bucket, Key: "absent" }))).name === "NoSuchKey", "absent key");
check((await failing(new HeadObjectCommand({ Bucket: bucket, Key: "absent" }))).$metadata.httpStatusCode === 404, "absent key, head");
check((await failing(new PutObjectCommand({ Bucket: bucket, Key: ".", Body: "x", IfNoneMatch: "*" }))).name === "PreconditionFailed", "If-None-Match");
check((await failing(new DeleteBucketCommand({ Bucket: bucket }))).name === "BucketNotEmpty", "a bucket with objects stays");
await s3.send(new DeleteObjectCommand({ Bucket: bucket, Key: keys[0] }));
const gone = await s3.send(new DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects: keys.slice(1).map((Key) => ({ Key })) } }));
check(gone.Deleted.length === keys.length - 1, "DeleteObjects names each key");
await s3.send(new DeleteBucketCommand({ Bucket: bucket }));
console.log("ok", checks);
