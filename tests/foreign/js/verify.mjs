// SPDX-License-Identifier: Apache-2.0

// Checks a served log with @sigstore/verify: the root is derived again from the entry bundles, a proof is made for each of up to 400
// entries, and the library verifies proof and signed checkpoint. What the library does not look at (origin and size in the
// checkpoint) is looked at here.
import { createHash, createPublicKey } from "node:crypto";
import { createRequire } from "node:module";

const { verifyTLogTimestamp } = createRequire(import.meta.url)("@sigstore/verify/dist/timestamp/index.js");
const PROOFS = 400;

const sha256 = (...parts) => parts.reduce((h, p) => h.update(p), createHash("sha256")).digest();
const fail = (text) => { console.error("sigstore: " + text); process.exit(1); };

async function get(base, path) {
  const r = await fetch(base.replace(/\/+$/, "") + "/" + path);
  if (!r.ok) fail(`${path}: HTTP ${r.status}`);
  return Buffer.from(await r.arrayBuffer());
}

function tileName(n, width) {
  let text = String(n % 1000).padStart(3, "0");
  for (n = Math.floor(n / 1000); n > 0; n = Math.floor(n / 1000)) text = "x" + String(n % 1000).padStart(3, "0") + "/" + text;
  return width === 256 ? text : `${text}.p/${width}`;
}

async function entriesOf(base, size) {
  const all = [];
  for (let from = 0; from < size; from += 256) {
    const width = Math.min(256, size - from);
    const bundle = await get(base, "tile/entries/" + tileName(from / 256, width));
    let at = 0;
    for (let i = 0; i < width; i++) {
      const n = bundle.readUInt16BE(at);
      all.push(bundle.subarray(at + 2, at + 2 + n));
      at += 2 + n;
    }
    if (at !== bundle.length) fail(`bundle ${from / 256} goes on after its entries`);
  }
  return all;
}

// RFC 6962 section 2.1: MTH(D[lo:hi]) and PATH(m, D[lo:hi]).
function treeOf(entries) {
  const known = new Map();
  const split = (n) => 2 ** Math.floor(Math.log2(n - 1));
  const mth = (lo, hi) => {
    if (hi === lo) return sha256();
    if (hi - lo === 1) return sha256(Buffer.from([0]), entries[lo]);
    const name = lo * 2 ** 26 + hi;
    if (!known.has(name)) known.set(name, sha256(Buffer.from([1]), mth(lo, lo + split(hi - lo)), mth(lo + split(hi - lo), hi)));
    return known.get(name);
  };
  const path = (m, lo, hi) => {
    if (hi - lo === 1) return [];
    const k = lo + split(hi - lo);
    return m < k ? [...path(m, lo, k), mth(k, hi)] : [...path(m, k, hi), mth(lo, k)];
  };
  return { root: mth(0, entries.length), path: (m) => path(m, 0, entries.length) };
}

function authorityOf(vkey) {
  const [, name, id, key] = vkey.match(/^(.+)\+([0-9a-f]{8})\+(.+)$/) ?? fail("not a verifier key");
  const raw = Buffer.from(key, "base64");
  if (raw[0] !== 1 || raw.length !== 33) fail("not an Ed25519 key");
  const logID = sha256(name, "\n", raw);
  if (logID.subarray(0, 4).toString("hex") !== id) fail("the key's id is another one");
  const publicKey = createPublicKey({ key: Buffer.concat([Buffer.from("302a300506032b6570032100", "hex"), raw.subarray(1)]), format: "der", type: "spki" });
  return { name, authority: { logID, publicKey, baseURL: "", validFor: { start: new Date(0), end: new Date(8.64e15) } } };
}

const [base, vkey] = process.argv.slice(2);
const { name, authority } = authorityOf(vkey);
const envelope = (await get(base, "checkpoint")).toString("utf8");
const [origin, sizeText, rootText] = envelope.split("\n");
const size = Number(sizeText);
if (origin !== name) fail("the checkpoint is another log's");
const entries = await entriesOf(base, size);
const tree = treeOf(entries);
if (tree.root.toString("base64") !== rootText) fail(`the ${size} entries give root ${tree.root.toString("base64")}, signed is ${rootText}`);

let proofs = 0;
const step = Math.max(1, Math.floor(size / PROOFS));
for (let i = 0; i < size; i = i + step < size || i === size - 1 ? i + step : size - 1) {
  const inclusionProof = { logIndex: String(i), treeSize: String(size), rootHash: tree.root, hashes: tree.path(i), checkpoint: { envelope } };
  try {
    verifyTLogTimestamp({ logIndex: String(i), logId: { keyId: authority.logID }, integratedTime: "1", canonicalizedBody: entries[i], inclusionProof }, [authority]);
  } catch (e) {
    fail(`entry ${i}: ${e.message}`);
  }
  proofs++;
}
console.log(`ok ${size} records, ${proofs} inclusion proofs, root ${rootText}`);
