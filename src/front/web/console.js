// SPDX-License-Identifier: Apache-2.0
// The approvers' page: what waits and runs, all that is known of it, yes and no, and what is done under it while it is done.
// Role: the page of console.html; what it signs is made in console_say.js. Trusts: the text that a requester signed, read here and named by its own digest.
// Distrusts: every word it shows: text nodes only (the page's policy forbids the browser to read HTML from strings), unseen characters by their numbers.
// Spec: docs/spec/access.md section 8, docs/ops/access-approver.md.

import * as say from "./console_say.js";

const $ = (id) => document.getElementById(id);
const OVER = ["rejected", "lapsed", "expired", "revoked", "completed"], LIVE = ["scheduled", "approved", "active", "extension-pending"];
const PENDING = ["manager-pending", "customer-pending", "more-info"];
const watching = new Map();                        // grant id -> AbortController
const kept = { credentials: [], ...JSON.parse(localStorage.getItem("tillit") ?? "{}") };

function keep(values) {
    Object.assign(kept, values);
    localStorage.setItem("tillit", JSON.stringify(kept));
}

function el(name, attributes, ...children) {
    const e = document.createElement(name);
    for (const [key, value] of Object.entries(attributes ?? {})) if (key in e) e[key] = value; else e.setAttribute(key, value);
    e.append(...children.filter((c) => c !== null && c !== undefined).map((c) => (c instanceof Node ? c : say.seen(c))));
    return e;
}

const reads = (n) => (n === 1 ? "1 read" : `${n} reads`);
const lines = (list) => document.createTextNode(list.map(say.seen).join("\n"));

function status(text, kind = "") {
    $("status").className = kind;
    $("status").replaceChildren(say.seen(text));
}

const HELP = {
    origin: "The tenant's origin is another page's, or none: see Enrol a passkey.", rpid: "The tenant pinned another site (rpId): see Enrol a passkey.",
    "unknown-signer": "Nobody here has this passkey: enrol it first.", counter: "This passkey counted back: there may be a copy of it. Have it taken away, and enrol another.",
};

// One thing at a time: the authenticator asks once, and a refusal is shown by its name.
async function act(button, doing, f) {
    button.disabled = true;
    status(doing);
    try {
        status((await f()) ?? "", "good");
    } catch (e) {
        const name = e.code || (e.name === "NotAllowedError" ? "not signed" : e.name === "SecurityError" ? "this page may not use that site (rpId)" : "");
        status([name, name === e.message ? "" : e.message, HELP[e.code] ?? ""].filter(Boolean).join(": "), "bad");
    } finally {
        button.disabled = false;
    }
}

async function speak(kind, subject, values) {
    const text = say.statement(kind, kept.tenant, subject, values);
    return say.send(text, await say.sign(text, kept.rpid || location.hostname, kept.credentials));
}

// what is asked for -----------------------------------------------------------------------------------------------------------

function who(w) {
    return [w.name, w.id && `(${w.id})`, w.employer && `of ${w.employer}`].filter(Boolean).join(" ") || w.key || "somebody";
}

// The request as its author signed it. null: the store's answer does not hold together, and nothing of it may be approved.
async function asked(grant) {
    const r = typeof grant.request === "string" ? say.read(grant.request) : null;
    if (!r || r.kind !== "access.request" || r.tenant !== kept.tenant || r.subject !== grant.id) return null;
    const one = (name) => r.terms.get(name)?.[0] ?? "", number = (name) => Number(one(name));
    return {
        digest: await say.digest(grant.request), bucket: one("bucket"), prefix: one("prefix"), verbs: r.terms.get("verb") ?? [], categories: r.terms.get("category") ?? [],
        country: one("country"), purpose: one("purpose"), ticket: one("ticket"), text: one("text"), extends: one("extends"), duration: number("duration"),
        objects: number("objects"), bytes: number("bytes"), start: number("start"),
    };
}

function facts(grant, r) {
    const list = el("dl"), at = (ms) => new Date(ms).toLocaleString();
    const row = (name, value) => value && list.append(el("dt", null, name), el("dd", null, value));
    row("Who asks", [grant.who.name, `(${grant.who.id})`].filter(Boolean).join(" "));
    row("Employer", grant.who.employer);
    row("Subprocessor", grant.who.subprocessor ? `category ${grant.who.subprocessor}` : grant.who.employer && "no: the provider's own");
    row("Office in", grant.who.office);
    row("Is now in", r.country);
    row("Purpose", r.purpose);
    row("Ticket", r.ticket);
    row("Says", r.text);
    row("Bucket", r.bucket);
    row("Prefix", r.prefix || "none: all of the bucket");
    row("May", r.verbs.join(", "));
    row("Kinds of data", r.categories.join(", "));
    row("For", say.span(r.duration));
    row("Not before", r.start && at(r.start));
    row("Budget", `${reads(r.objects)} (a repeat is one, too), ${say.size(r.bytes)}`);
    row("Goes on from", r.extends);
    if (grant.scope && PENDING.concat(LIVE).includes(grant.state))
        row("With all signatures so far", `${grant.scope.bucket}/${grant.scope.prefix}; ${grant.verbs.join(", ")}; ${grant.categories.join(", ")}; ${say.span(grant.duration_ms)}; ${reads(grant.budget.objects)}, ${say.size(grant.budget.bytes)}`);
    row("Waits until", PENDING.includes(grant.state) && grant.lapse && at(grant.lapse));
    row("Ends", LIVE.includes(grant.state) && grant.end && at(grant.end));
    for (const a of grant.approvals ?? []) row(`Signed, ${at(a.t)}`, who(a.who ?? a));
    row("Your side", grant.needed !== undefined && `${grant.approved} of ${grant.needed} approvers`);
    row("Will be logged", grant.logged);
    row("Digest", r.digest);
    return list;
}

// yes and no ------------------------------------------------------------------------------------------------------------------

function choice(name, all, on) {
    const boxes = all.map((x) => [x, el("input", { type: "checkbox", checked: on.includes(x), value: x })]);
    const set = el("fieldset", null, el("legend", null, name), ...boxes.map(([x, box]) => el("label", { className: "check" }, box, x)));
    return [set, () => boxes.filter(([, box]) => box.checked).map(([x]) => x)];
}

// What the form allows, as terms: what differs from the request's own text is a narrowing, and nothing else is believed.
function narrowed(r, f) {
    const same = (a, b) => a.length === b.length && a.every((x) => b.includes(x)), v = { request: r.digest };
    if (f.prefix !== r.prefix) v.prefix = f.prefix;
    if (f.bytes !== r.bytes) v.bytes = f.bytes;
    if (f.objects !== r.objects) v.objects = f.objects;
    if (f.duration !== r.duration) v.duration = f.duration;
    if (!same(f.verbs, r.verbs)) v.verb = f.verbs;
    if (!same(f.categories, r.categories)) v.category = f.categories;
    if (f.text) v.text = f.text;
    return v;
}

function checked(r, f) {
    if (![f.bytes, f.objects, f.duration].every((n) => Number.isSafeInteger(n) && n > 0)) throw new Error("sizes are like 5 MiB, times like 1 h 30 min, reads a number");
    if (f.verbs.length === 0 || f.categories.length === 0) throw new Error("at least one verb and one kind of data; else reject it");
    if (f.bytes > r.bytes || f.objects > r.objects || f.duration > r.duration || !f.prefix.startsWith(r.prefix)) throw new Error("an approval may only narrow what was asked for");
    return f;
}

function approval(grant, r, done) {
    const input = (value, n = 12) => el("input", { value, size: n, spellcheck: false, autocomplete: "off" });
    const now = { prefix: grant.scope?.prefix ?? r.prefix, bytes: grant.budget?.bytes ?? r.bytes, objects: grant.budget?.objects ?? r.objects, duration: grant.duration_ms ?? r.duration };
    const prefix = input(say.seen(now.prefix), 30), bytes = input(say.size(now.bytes).replace(/ bytes$| \(.*/, "")), objects = input(String(now.objects), 6);
    const duration = input(say.span(now.duration)), text = input("", 40), review = el("div");
    const [verbs, verbsOn] = choice("May", r.verbs, grant.verbs ?? r.verbs), [categories, categoriesOn] = choice("Kinds of data", r.categories, grant.categories ?? r.categories);
    const form = el("form", null, el("label", null, "Prefix (percent-encoded)", prefix), el("label", null, "Bytes", bytes), el("label", null, "Reads", objects),
                    el("label", null, "For", duration), verbs, categories, el("label", null, "A note to them", text), el("button", null, "Approve this..."));
    if (say.size(now.bytes).includes("(") && say.bytes(bytes.value) !== now.bytes) bytes.value = String(now.bytes);
    form.addEventListener("submit", (event) => {
        event.preventDefault();
        try {
            const f = checked(r, { prefix: prefix.value, bytes: say.bytes(bytes.value), objects: Number(objects.value), duration: say.duration(duration.value), verbs: verbsOn(),
                                   categories: categoriesOn(), text: text.value });
            const values = narrowed(r, f), yes = el("button", { className: "yes", type: "button" }, "Sign and approve");
            yes.addEventListener("click", () => act(yes, "Your passkey asks you now.", async () => {
                const a = await speak("access.approve", grant.id, values);
                done(a.state);
                return `Approved: it is ${a.state} now. Receipt ${a.receipt}.`;
            }));
            review.replaceChildren(el("p", null, `You let ${who(grant.who)}, ${f.verbs.join(", ")} what lies under ${r.bucket}/${f.prefix} (${f.categories.join(", ")}), for ${say.span(f.duration)}, ` +
                                                 `at most ${reads(f.objects)} and ${say.size(f.bytes)}. These terms are signed:`), el("pre", null, lines(say.terms(values))), yes);
            status("");
        } catch (e) {
            review.replaceChildren();
            status(e.message, "bad");
        }
    });
    return el("div", null, form, review);
}

// One word and, if wanted, a text: reject, ask, revoke.
function saying(grant, r, kind, label, style, needsText, done) {
    const text = el("input", { size: 40, required: needsText, placeholder: needsText ? "your question" : "a word about it, if you like", "aria-label": `${label}: your words` });
    const button = el("button", { className: style }, label), form = el("form", { className: kind.replace(".", "-") }, text, button);
    form.addEventListener("submit", (event) => {
        event.preventDefault();
        act(button, "Your passkey asks you now.", async () => {
            const a = await speak(kind, grant.id, { request: kind === "access.revoke" ? undefined : r.digest, text: text.value });
            done(a.state);
            return `It is ${a.state} now${a.closed === undefined ? "" : a.closed ? "; every stream is closed" : "; A STREAM DID NOT CLOSE"}. Receipt ${a.receipt}.`;
        });
    });
    return form;
}

// watching --------------------------------------------------------------------------------------------------------------------

function eventRow(e) {
    const what = e.kind === "access" ? `${e.bucket ?? ""}${e.key === undefined ? "" : "/" + e.key}` : [e.who && who(e.who), e.text].filter(Boolean).join(": ");
    const from = e.kind === "access" ? [e.person, e.country, e.peer].filter(Boolean).join(", ") : "";
    const outcome = e.decision === "deny" ? `refused: ${e.why ?? ""}` : e.bytes === undefined ? "" : say.size(e.bytes);
    return el("tr", { className: e.decision ?? "" }, el("td", null, new Date(e.t).toLocaleTimeString()), el("td", null, e.act ?? e.kind), el("td", null, what), el("td", null, from), el("td", null, outcome));
}

// Until it is over, or the page shows something else. What came is shown at once; what did not come because of a broken line is asked for again.
async function follow(answer, body, told) {
    const stop = new AbortController();
    let next = answer.next;
    watching.get(answer.id)?.abort();
    watching.set(answer.id, stop);
    while (!stop.signal.aborted) {
        try {
            const a = await say.watch(answer.watch, next, stop.signal);
            next = a.next;
            for (const e of a.events) body.prepend(eventRow(e));
            told(a.state, a.events);
            if (OVER.includes(a.state)) return;
        } catch (e) {
            if (stop.signal.aborted) return;
            told(e.code === "watch-over" ? "watch-over" : "no-answer", []);
            if (e.code === "watch-over") return;
            await new Promise((go) => setTimeout(go, 1500));
        }
        await new Promise((go) => setTimeout(go, 100));
    }
}

function watch(answer, is) {
    const used = { ...answer.used }, sum = el("p"), body = el("tbody");
    const head = el("tr", null, ...["Time", "What", "On", "By, in, from", "Opened"].map((x) => el("th", { scope: "col" }, x)));
    const told = (now, events) => {
        for (const e of events.filter((x) => x.kind === "access" && x.decision === "allow" && x.bytes !== undefined)) {
            used.bytes += e.bytes;
            used.objects += e.goes_on ? 0 : 1;
        }
        const word = { "watch-over": "The watch is over: open it again to go on.", "no-answer": "No answer from the store: asking again." }[now];
        if (!word) is(now);
        sum.replaceChildren(word ?? `Opened so far: ${reads(used.objects)}, ${say.size(used.bytes)}. ${OVER.includes(now) ? "It is over." : "Live: what is done under it appears here."}`);
    };
    for (const e of answer.events) body.prepend(eventRow(e));
    told(answer.state, []);
    if (!OVER.includes(answer.state) && answer.watch) follow(answer, body, told);
    return el("div", null, sum, el("table", null, el("thead", null, head), body));
}

// cards -----------------------------------------------------------------------------------------------------------------------

async function card(grant, opened) {
    const r = await asked(grant), state = el("span", { className: "state" });
    const article = el("article", { id: `grant-${grant.id}` }, el("header", null, el("h3", null, `${grant.who?.name ?? "Somebody"}: ${r?.ticket ?? grant.id}`), state));
    if (!r || r.digest !== grant.digest) {
        article.append(el("p", { className: "bad" }, "The store's answer about this request does not hold together. Do not sign anything about it; look with tillit access show."));
        return article;
    }
    const live = el("div"), pending = el("div");
    const is = (now) => {
        state.replaceChildren(say.seen(now));
        live.hidden = !LIVE.includes(now);
        pending.hidden = !PENDING.includes(now);
    };
    live.append(saying(grant, r, "access.revoke", "End this access now", "end", false, is));
    pending.append(approval(grant, r, is), saying(grant, r, "access.reject", "Reject", "", false, is), saying(grant, r, "access.ask", "Ask", "", true, is));
    article.append(live, facts(grant, r), el("details", null, el("summary", null, "The request, word for word"), el("pre", null, grant.request)));
    for (const q of grant.questions ?? []) article.append(el("p", null, `${q.act === "access.ask" ? "Asked" : "Answered"} by ${who(q.who ?? {})}: ${q.text ?? ""}`));
    article.append(pending, opened ? watch(grant, is) : opening(grant));
    is(grant.state);
    return article;
}

function opening(grant) {
    const open = el("button", { type: "button", className: "open" }, LIVE.includes(grant.state) ? "Open and watch" : "Open");
    open.addEventListener("click", () => act(open, "Your passkey asks you now: looking is logged, too.", async () => {
        const answer = await speak("access.look", grant.id, {});
        $(`grant-${grant.id}`).replaceWith(await card(answer, true));
    }));
    return el("div", { className: "actions" }, open);
}

async function look(after) {
    const answer = await speak("access.look", undefined, { after });
    if (after === undefined) {
        for (const stop of watching.values()) stop.abort();
        $("requests").replaceChildren();
    }
    for (const grant of answer.grants) $("requests").append(await card(grant, false));
    if (answer.next !== undefined) {
        const more = el("button", { type: "button" }, "More");
        more.addEventListener("click", () => act(more, "Your passkey asks you now.", async () => {
            more.remove();
            await look(answer.next);
        }));
        $("requests").append(more);
    }
    return answer.grants.length === 0 && after === undefined ? "Nothing waits and nothing runs." : "";
}

// passkeys --------------------------------------------------------------------------------------------------------------------

function commands(id, name, term) {
    return lines([`tillit origin set origin=${location.origin} rpid=${kept.rpid}`, `tillit approver set ${id} name='${name.replaceAll("'", "")}' key=${term}`]);
}

function onSubmit(id, doing, f) {
    $(id).addEventListener("submit", (event) => {
        event.preventDefault();
        act(event.submitter ?? $(id).querySelector("button"), doing, f);
    });
}

// A proposal of another approver: its words first, and what is signed is the digest of just these.
async function readProposal() {
    const text = $("proposal").value.replace(/[\r\n]+$/, ""), p = say.read(text);
    if (!p || p.tenant !== kept.tenant) throw new Error("this is no statement about your tenant");
    const rows = [["What", p.kind], ["About", p.subject ?? ""], ...[...p.terms].flatMap(([name, values]) => values.map((v) => [name, v]))].filter(([, v]) => v);
    const request = await say.digest(text), yes = el("button", { className: "yes", type: "button" }, "Sign: I agree");
    yes.addEventListener("click", () => act(yes, "Your passkey asks you now.", async () => `Agreed: ${(await speak("agree", undefined, { request })).what}.`));
    $("agreeing").replaceChildren(el("dl", null, ...rows.flatMap(([n, v]) => [el("dt", null, n), el("dd", null, v)])), el("pre", null, request), yes);
}

onSubmit("look", "Your passkey asks you now: looking is logged, too.", () => {
    keep({ tenant: $("tenant").value.trim() });
    return look();
});
onSubmit("enrol", "Your device asks you now.", async () => {
    const id = $("enrol-id").value.trim(), name = $("enrol-name").value.trim(), rpid = $("rpid").value.trim();
    const term = await say.enrol(rpid, id);
    keep({ rpid, credentials: [...kept.credentials, term.split(":")[2]] });
    $("term").replaceChildren(term);
    $("commands").replaceChildren(commands(id, name, term));
    $("propose-keys").value = term;
    $("enrolled").hidden = false;
    return "A passkey was made. It counts when it is enrolled.";
});
onSubmit("propose", "A passkey that is enrolled already asks you now.", async () => {
    keep({ tenant: $("tenant").value.trim() });
    const key = $("propose-keys").value.split("\n").map((x) => x.trim()).filter(Boolean);
    const a = await speak("approver.set", $("enrol-id").value.trim(), { key, name: $("enrol-name").value.trim() });
    return `${a.what}. Digest ${a.digest}, receipt ${a.receipt}.`;
});
onSubmit("agree", "", readProposal);
$("tenant").value = kept.tenant ?? "";
$("rpid").value = kept.rpid ?? location.hostname;
if (!window.PublicKeyCredential) status("This browser has no passkeys here: the page must be served over https (or as http://localhost).", "bad");
