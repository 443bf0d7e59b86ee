/* SPDX-License-Identifier: Apache-2.0
 * Reads under a grant: their leaves stand on the control log, beside the approver's revocation, and name their place on the access log. Two
 * streams under one grant and its budget, a writer, a revocation, a power cut. A front reports what it has sent, truly or not.
 * Rule 15 of docs/spec/model.md: each release under a grant is a decision and a leaf of its own, on the control log, with the access log's size
 * (`acc`) where the first of its stream is appended; what it opens is counted in that turn; few segments go ahead of what was reported sent; and nothing is released once
 * the revocation is appended.
 *
 *   NO_DECIDE_EACH     the decision of a stream's first release stands for the whole stream
 *   NO_ACC_AT_APPEND   the leaf names the access log as it was at FIND
 *   NO_COUNT_IN_TURN   a release is counted when its leaf is durable
 *   NO_METER           releases do not wait for what was reported sent
 *   NO_LOOK_AT_RELEASE a leaf that has become durable releases, whatever was appended behind it
 *   NO_DURABLE_REVOKE  the revocation is answered when it is appended
 */
#ifndef WRITES
#define WRITES 1
#endif
#ifndef SEGS
#define SEGS 2
#endif
#ifndef BUDGET
#define BUDGET 3
#endif
#define STREAMS 2
#define METER 2
#define LEAVES_MAX (WRITES+STREAMS*SEGS+1)
mtype = { NONE, WRITE, USE, REVOKE };
typedef Leaf { mtype kind; byte acc; byte ver; byte stream; byte seg; bit durable };
Leaf wal[LEAVES_MAX];                   /* both logs in the order of their appends; each leaf of the access log is a write of the one key */
byte wal_n, acc_n;                      /* leaves in all; of them on the access log */
bit live = 1;                           /* the gate's fold: the grant, */
byte used;                              /* and what it has used */
byte out, released, sent;               /* segments: on their way out or released, released, reported sent: of all streams together */
bit up = 1, cut_used;
bit answered;                           /* ghost: the approver was told that nothing goes out any more */
byte stood[STREAMS];                    /* judge: next segment of each stream, */
byte shown[STREAMS], placed[STREAMS];   /* the version it began with, and where */

/* Replay of what there is: place by place, as tillit-verify does. `last` is one past the last leaf. */
inline replay(last) {
    i = 0; acc = 0; sum = 0; on = 1;
    stood[0] = 0; stood[1] = 0;
    do
    :: i < last ->
        if
        :: wal[i].kind == WRITE -> acc++
        :: wal[i].kind == REVOKE -> on = 0
        :: wal[i].kind == USE ->
            sum++;
            assert(on);                                         /* live at its place */
            assert(sum <= BUDGET);
            assert(wal[i].seg == stood[wal[i].stream]);         /* in order, without gaps */
            if
            :: wal[i].seg == 0 ->
                assert(wal[i].acc == acc);                      /* where it says it stands */
                assert(wal[i].ver == acc);                      /* the newest version there */
                shown[wal[i].stream] = wal[i].ver; placed[wal[i].stream] = acc
            :: else -> assert(wal[i].ver == shown[wal[i].stream]); assert(wal[i].acc == placed[wal[i].stream])
            fi;
            stood[wal[i].stream]++
        :: else
        fi;
        i++
    :: else -> break
    od
}

proctype Writer() {
    byte n;
    do
    :: atomic { n < WRITES && up -> wal[wal_n].kind = WRITE; wal_n++; acc_n++; n++; printf("leaf %d: WRITE %d\n", wal_n-1, acc_n) }
    :: n >= WRITES || !up -> break
    od
}

proctype Stream(byte id) {
    byte seg, ver, acc, at; bit ok;
    do
    :: seg < SEGS && up ->
again:
        atomic { if :: seg == 0 -> acc = acc_n; ver = acc_n :: else fi }     /* FIND: what goes on stands where it began */
        atomic {
            if
            :: !up -> break
#ifndef NO_METER
            :: up && out - sent < METER ->
#else
            :: up ->
#endif
#ifndef NO_ACC_AT_APPEND
                if :: seg == 0 && acc != acc_n -> goto again :: else fi;    /* rule 8 */
#endif
#ifndef NO_DECIDE_EACH
                ok = live && used < BUDGET;
#else
                if :: seg == 0 -> ok = live && used < BUDGET :: else ok = used < BUDGET fi;
#endif
                if
                :: !ok -> printf("stream %d refused\n", id); break
                :: ok ->
                    at = wal_n; wal[at].kind = USE; wal[at].acc = acc; wal[at].ver = ver; wal[at].stream = id; wal[at].seg = seg; wal_n++; out++;
#ifndef NO_COUNT_IN_TURN
                    used++;
#endif
                    printf("leaf %d: USE stream %d segment %d acc %d ver %d\n", at, id, seg, acc, ver)
                fi
            :: !live -> break                                           /* it waits for its turn, and is told to stop */
            fi }
        atomic {
            if
            :: !up -> break
            :: up && wal[at].durable ->
#ifdef NO_COUNT_IN_TURN
                used++;
#endif
#ifndef NO_LOOK_AT_RELEASE
                if :: !live -> break :: else fi;
#endif
                assert(!answered);                                      /* nothing goes out once the approver has the answer */
                released++; seg++;
                assert(released - sent <= METER);                       /* what a front that ignores KILL still opens */
                printf("stream %d: segment %d released\n", id, seg-1)
            fi;
            at = 0 }
    :: seg >= SEGS || !up -> break
    od
}

/* What it reports is what lets more out; that a front may lie makes no difference to what is asserted. */
proctype Front() {
end:
    do
    :: atomic { up && sent < released -> sent++ }
    od
}

proctype Approver() {
    byte at;
    atomic {
        if
        :: up -> at = wal_n; wal[at].kind = REVOKE; wal_n++; live = 0; printf("leaf %d: REVOKE\n", at)
        :: !up -> goto cut
        fi }
#ifndef NO_DURABLE_REVOKE
    atomic { if :: up && wal[at].durable -> answered = 1 :: !up -> skip fi }
#else
    atomic { if :: up -> answered = 1 :: !up -> skip fi }
#endif
cut:
    skip
}

proctype Committer() {
    byte i;
end:
    do
    :: d_step { up && wal_n > 0 && !wal[wal_n-1].durable -> i = 0; do :: i < wal_n -> wal[i].durable = 1; i++ :: else -> break od; i = 0 }
    od
}

proctype Fate() {       /* a power cut ends the run; what is left is judged */
    byte i, acc, sum, keep; bit on;
    if
    :: atomic { up && !cut_used -> cut_used = 1; up = 0; printf("*** power cut\n");
        keep = 0;
        do :: keep < wal_n && wal[keep].durable -> keep++ :: else -> break od;
        do :: keep < wal_n -> keep++ :: break od;
        d_step {
            replay(keep);
            assert(!answered || !on);                                   /* a revocation that was answered is there */
            assert(sum >= released);                                    /* and so is a leaf of all that went out */
            i = 0; acc = 0; sum = 0; on = 0; keep = 0 } }
    :: true
    fi
}

proctype Judge() {
    byte i, acc, sum; bit on;
    timeout -> d_step { if :: up -> replay(wal_n); assert(answered); assert(sum >= released) :: else fi }
}
init { atomic { run Writer(); run Stream(0); run Stream(1); run Front(); run Approver(); run Committer(); run Fate(); run Judge() } }
