// SPDX-License-Identifier: Apache-2.0
// What an owner does with minio-js: journey.mjs ENDPOINT REGION CA BUCKET; credentials from the environment.
import { createHash, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import https from "node:https";
import { Readable } from "node:stream";
import * as Minio from "minio";

const [endpoint, region, ca, bucket] = process.argv.slice(2);
const url = new URL(endpoint);
const s3 = new Minio.Client({
  endPoint: url.hostname, port: Number(url.port), useSSL: url.protocol === "https:", region, pathStyle: true, partSize: 5 * 1024 * 1024,
  accessKey: process.env.AWS_ACCESS_KEY_ID, secretKey: process.env.AWS_SECRET_ACCESS_KEY,
  ...(ca ? { transportAgent: new https.Agent({ ca: readFileSync(ca) }) } : {}),
});
let checks = 0;
const check = (condition, what) => { checks++; if (!condition) { console.log("journey: " + what); process.exit(1); } };
const all = async (stream) => { const parts = []; for await (const p of stream) parts.push(p); return parts; };
const bytes = async (stream) => Buffer.concat(await all(stream));
const failing = async (f) => { try { await f(); } catch (e) { return e.code; } return ""; };

await s3.makeBucket(bucket, region);
check(await s3.bucketExists(bucket), "the bucket exists");
for (const size of [0, 1, 65537, 5 * 1024 * 1024, 13 * 1024 * 1024 + 7]) {
  const data = randomBytes(size);
  await s3.putObject(bucket, `b/${size}`, data, size, { "X-Amz-Meta-Form": "buffer" });
  // A stream of no byte: this client completes an upload without a part, which S3 refuses.
  if (size) await s3.putObject(bucket, `s/${size}`, Readable.from([data]), size);
  for (const key of size ? [`b/${size}`, `s/${size}`] : [`b/${size}`]) check((await bytes(await s3.getObject(bucket, key))).equals(data), `bytes of ${key}`);
  if (size) check((await bytes(await s3.getPartialObject(bucket, `b/${size}`, size - 1, 1))).equals(data.subarray(size - 1)), `last byte of ${size}`);
  const stat = await s3.statObject(bucket, `b/${size}`);
  check(stat.size === size && stat.metaData.form === "buffer", `stat of ${size}`);
  if (size <= 5 * 1024 * 1024) check(stat.etag === createHash("md5").update(data).digest("hex"), `etag of ${size}`);
}
check((await all(s3.listObjectsV2(bucket, "b/", true))).length === 5, "listing");
await s3.copyObject(bucket, "copy", `/${bucket}/b/65537`);
check((await s3.statObject(bucket, "copy")).size === 65537, "copy");
await s3.setObjectTagging(bucket, "copy", { a: "1" });
check((await s3.getObjectTagging(bucket, "copy"))[0].Key === "a", "tags");
check((await failing(() => s3.statObject(bucket, "nothing"))) === "NotFound", "absent");
const put = await fetch(await s3.presignedPutObject(bucket, "by-url", 60), { method: "PUT", body: "by url", ...(ca ? {} : {}) }).catch(() => null);
if (put) check(put.status === 200 && (await bytes(await s3.getObject(bucket, "by-url"))).toString() === "by url", "presigned PUT");
const keys = (await all(s3.listObjectsV2(bucket, "", true))).map((o) => o.name);
await s3.removeObjects(bucket, keys);
check((await all(s3.listObjectsV2(bucket, "", true))).length === 0, "all is gone");
await s3.removeBucket(bucket);
console.log("ok", checks);
