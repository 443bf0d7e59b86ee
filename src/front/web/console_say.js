// SPDX-License-Identifier: Apache-2.0
// Statements and passkeys, as far as they can be had without a page: texts, digests, keys, and what is shown of words that somebody else wrote.
// Role: console.js asks here; tests/foreign/js/console_test.mjs runs it under node. Trusts: nothing the store answers: what is signed is made here.
// Spec: docs/spec/statement.md sections 1, 2 and 7.

const utf8 = new TextEncoder();

export function base64url(bytes) {
    let s = "";
    for (const b of new Uint8Array(bytes)) s += String.fromCharCode(b);
    return btoa(s).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

export function fromBase64url(text) {
    const s = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
    return Uint8Array.from(s, (c) => c.charCodeAt(0));
}

export async function sha256(text) {
    return new Uint8Array(await crypto.subtle.digest("SHA-256", utf8.encode(text)));
}

// How a request or proposal is named by who approves it.
export async function digest(text) {
    return base64url(await sha256(text));
}

// texts -----------------------------------------------------------------------------------------------------------------------

function byBytes(a, b) {
    const x = utf8.encode(a), y = utf8.encode(b);
    for (let i = 0; i < x.length && i < y.length; i++) if (x[i] !== y[i]) return x[i] - y[i];
    return x.length - y.length;
}

// {verb: ["read", "list"], bytes: 5}: each value a term; undefined, null and "" are left out, so an empty prefix is no term.
export function terms(values) {
    const list = [];
    for (const [name, value] of Object.entries(values))
        for (const one of Array.isArray(value) ? value : [value])
            if (one !== undefined && one !== null && one !== "") list.push(`${name}=${one}`);
    return [...new Set(list)].sort(byBytes);
}

// What is not seen as what it is: controls, marks of format and direction, blanks that are no space, what is not assigned. The store refuses these in texts.
const UNSEEN = /[\p{C}\p{Zl}\p{Zp}\u115F\u1160\u3164\uFFA0\u2800]|(?! )\p{Zs}/gu;

// A statement's one spelling. Throws when no such statement can be written: what JSON would escape has no place in it.
export function statement(kind, tenant, subject, values, t = Date.now(), nonce = crypto.getRandomValues(new Uint8Array(16))) {
    const s = { kind, nonce: base64url(nonce), subject, t, tenant, terms: terms(values), v: 1 };
    for (const x of [kind, subject ?? "", tenant, ...s.terms])
        if (/["\\]/.test(x) || x.search(UNSEEN) >= 0) throw new Error(`"${seen(x)}" has a character that no statement may have`);
    return JSON.stringify(s);                      // the keys stand sorted above; JSON leaves out subject when it is undefined
}

// Terms of somebody's statement, read back from its own text: a Map of name to list of values; null when it is no statement.
export function read(text) {
    let s;
    try {
        s = JSON.parse(text);
    } catch {
        return null;
    }
    if (typeof s !== "object" || s === null || typeof s.kind !== "string" || !Array.isArray(s.terms ?? []) || JSON.stringify(s) !== text) return null;
    const found = new Map();
    for (const term of s.terms ?? []) {
        if (typeof term !== "string" || !term.includes("=")) return null;
        const at = term.indexOf("="), name = term.slice(0, at);
        found.set(name, [...(found.get(name) ?? []), term.slice(at + 1)]);
    }
    return { kind: s.kind, tenant: s.tenant, subject: s.subject, terms: found };
}

// A prefix as statements have it: encoding-type=url.
export function encodePrefix(text) {
    let out = "";
    for (const b of utf8.encode(text)) {
        const c = String.fromCharCode(b);
        out += /[A-Za-z0-9._~\/-]/.test(c) ? c : "%" + b.toString(16).toUpperCase().padStart(2, "0");
    }
    return out;
}

// eyes ------------------------------------------------------------------------------------------------------------------------

// Each character that is not seen as what it is, by its number.
export function seen(text) {
    return String(text).replace(UNSEEN, (c) => `\u27E8U+${c.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}\u27E9`);
}

const SIZES = { B: 1, KiB: 1024, MiB: 1048576, GiB: 1073741824 };

// 5MiB, 500 -> bytes; NaN when it is none.
export function bytes(text) {
    const m = /^(\d+) ?(B|KiB|MiB|GiB)?$/.exec(text.trim());
    return m ? Number(m[1]) * SIZES[m[2] ?? "B"] : NaN;
}

export function size(n) {
    const unit = ["GiB", "MiB", "KiB"].find((u) => n >= SIZES[u] && n % (SIZES[u] / 1024) === 0) ?? "B";
    return unit === "B" ? `${n} bytes` : `${+(n / SIZES[unit]).toFixed(2)} ${unit} (${n} bytes)`;
}

// 1h30min -> ms; NaN when it is none.
export function duration(text) {
    const m = /^(?:(\d+) ?h)? ?(?:(\d+) ?min)?$/.exec(text.trim());
    return m && (m[1] || m[2]) ? Number(m[1] ?? 0) * 3600000 + Number(m[2] ?? 0) * 60000 : NaN;
}

export function span(ms) {
    const h = Math.floor(ms / 3600000), rest = ms % 3600000, min = Math.floor(rest / 60000), s = (rest % 60000) / 1000;
    return [h && `${h} h`, min && `${min} min`, s && `${s} s`].filter(Boolean).join(" ") || "0 s";
}

// passkeys --------------------------------------------------------------------------------------------------------------------

// The key line: how approver.set names a passkey. spki: as getPublicKey() gives it; both kinds end with the key itself.
export function passkeyTerm(algorithm, credential, spki) {
    const known = { "-7": ["ES256", 65], "-8": ["EdDSA", 32] }[algorithm], raw = new Uint8Array(spki);
    if (!known || raw.length < known[1]) throw new Error("the passkey's algorithm is neither ES256 nor EdDSA");
    return `passkey:${known[0]}:${base64url(credential)}:${base64url(raw.slice(-known[1]))}`;
}

export async function enrol(rpid, name) {
    const options = {
        challenge: crypto.getRandomValues(new Uint8Array(32)), rp: { id: rpid, name: "Tillit" }, attestation: "none",
        user: { id: crypto.getRandomValues(new Uint8Array(16)), name, displayName: name },
        pubKeyCredParams: [{ type: "public-key", alg: -8 }, { type: "public-key", alg: -7 }],
        authenticatorSelection: { userVerification: "required", residentKey: "preferred" },
    };
    const made = await navigator.credentials.create({ publicKey: options });
    return passkeyTerm(made.response.getPublicKeyAlgorithm(), made.rawId, made.response.getPublicKey());
}

// The challenge is the statement: whatever this page shows, that is what is signed.
export async function sign(text, rpid, credentials) {
    const options = {
        challenge: await sha256(text), rpId: rpid, userVerification: "required",
        allowCredentials: credentials.map((id) => ({ type: "public-key", id: fromBase64url(id) })),
    };
    const got = await navigator.credentials.get({ publicKey: options });
    return {
        authenticatorData: base64url(got.response.authenticatorData), clientDataJSON: base64url(got.response.clientDataJSON),
        credential: base64url(got.rawId), signature: base64url(got.response.signature),
    };
}

// the store -------------------------------------------------------------------------------------------------------------------

// Below where the page lies: who serves a copy of it passes /v1/ on to the store.
const API = typeof location === "undefined" ? "" : new URL("../v1/", location.href).href;

async function answer(response) {
    const body = await response.json().catch(() => ({}));
    if (response.ok) return body;
    throw Object.assign(new Error(body.detail ?? body.message ?? `the store answers ${response.status}`), { code: body.code ?? "" });
}

export async function send(text, assertion) {
    return answer(await fetch(API + "statements", {
        method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ statement: text, assertion }), credentials: "omit", redirect: "error",
    }));
}

export async function watch(capability, after, signal) {
    return answer(await fetch(`${API}watch/${encodeURIComponent(capability)}?after=${after}`, { signal, credentials: "omit", redirect: "error", cache: "no-store" }));
}
