/* SPDX-License-Identifier: Apache-2.0
 * The control log beside the access log: an owner revokes and allows again, a reader reads, the power is cut.
 * Rule 14 of docs/spec/model.md: `ctl` in an access leaf is the control log's size when that leaf is appended; if the control log
 * moved since decide, decide again. Both logs stand in one WAL.
 *
 *   NO_DECIDE_AGAIN    the leaf names the size at decide, and nobody looks again when it is appended
 *   NO_DECISION_MOVES  the leaf names the size when it is appended, with the decision made before
 *   NO_ONE_WAL         each log has a file and a sync of its own
 */
#ifndef READS
#define READS 2
#endif
#ifndef CONTROLS
#define CONTROLS 2
#endif
#define LEAVES_MAX (READS+CONTROLS+1)
mtype = { NONE, ALLOW, REVOKE, READ };
typedef Leaf { mtype kind; byte ctl; bit allow; byte who; bit durable };
Leaf wal[LEAVES_MAX];                   /* both logs in the order of their appends */
byte wal_n, ctl_n;                      /* leaves in all; of them on the control log */
bit allowed = 1;                        /* the gate's fold of the control log */
bit up = 1, cut_used;
byte asked_reads, asked_controls;
bit revoked_for_all;                    /* ghost: the newest answered control leaf is a REVOKE */
byte answered_ctl;                      /* ghost: control leaves answered so far */

#define CONTROL(i) (wal[i].kind == ALLOW || wal[i].kind == REVOKE)

proctype Owner() {
    byte at;
    do
    :: atomic { asked_controls < CONTROLS && up -> at = wal_n; wal[at].kind = (asked_controls % 2 == 0 -> REVOKE : ALLOW); allowed = (wal[at].kind == ALLOW);
            wal_n++; ctl_n++; asked_controls++; printf("leaf %d: control %d %e\n", at, ctl_n, wal[at].kind) }
        atomic {
            if
            :: up && wal[at].durable && CONTROL(at) -> answered_ctl++; revoked_for_all = (wal[at].kind == REVOKE); printf("owner has its answer\n")
            :: !up || at >= wal_n || !CONTROL(at) -> skip               /* cut off: no answer */
            fi }
    :: asked_controls >= CONTROLS -> break
    :: !up -> break
    od
}

proctype Reader() {
    byte ctl, at, asked_after; bit decision;
    do
    :: asked_reads < READS && up ->
        asked_reads++;
        asked_after = answered_ctl;
again:
        atomic { ctl = ctl_n; decision = allowed };                     /* decide; then FIND, opening facts, other tenants' turns */
        if
        :: !up -> break
        :: atomic { up ->
#ifndef NO_DECIDE_AGAIN
#ifndef NO_DECISION_MOVES
            if :: ctl != ctl_n -> goto again :: else fi;
#else
            ctl = ctl_n;
#endif
#endif
            at = wal_n; wal[at].kind = READ; wal[at].ctl = ctl; wal[at].allow = decision; wal_n++;
            printf("leaf %d: READ ctl %d allow %d\n", at, ctl, decision);
            assert(ctl >= asked_after);
            assert(!(decision && revoked_for_all && ctl < ctl_n)) }     /* not under a right whose end has been answered */
        fi;
        atomic {
            if
            :: up && wal[at].durable && wal[at].kind == READ ->               /* release: what it stands on must be there for whoever replays */
                ctl = 0; decision = 1;
                d_step { byte i; bit fold = 1;
                    i = 0; fold = 1;
                    do
                    :: i < wal_n ->
                        if
                        :: CONTROL(i) && wal[i].durable && ctl < wal[at].ctl -> ctl++; fold = (wal[i].kind == ALLOW)
                        :: else
                        fi;
                        i++
                    :: else -> break
                    od;
                    assert(ctl == wal[at].ctl);                         /* the control log is as long as the leaf says, durably */
                    assert(fold == wal[at].allow);                      /* and gives the decision that was made */
                    i = 0; fold = 0 };
                printf("released\n")
            :: !up || at >= wal_n || wal[at].kind != READ -> skip
            fi;
            at = 0; ctl = 0; decision = 0 }
    :: asked_reads >= READS -> break
    :: !up -> break
    od
}

proctype Committer() {
    byte i;
end:
    do
#ifndef NO_ONE_WAL
    :: d_step { up && wal_n > 0 && !wal[wal_n-1].durable ->
        i = 0; do :: i < wal_n -> wal[i].durable = 1; i++ :: else -> break od; i = 0 }
#else
    :: d_step { up && wal_n > 0 -> i = 0; do :: i < wal_n -> if :: CONTROL(i) -> wal[i].durable = 1 :: else fi; i++ :: else -> break od; i = 0 }
    :: d_step { up && wal_n > 0 -> i = 0; do :: i < wal_n -> if :: !CONTROL(i) -> wal[i].durable = 1 :: else fi; i++ :: else -> break od; i = 0 }
#endif
    od
}

proctype Fate() {       /* a power cut ends the run; what is left is judged */
    byte i, ctl, keep; bit fold;
    if
    :: atomic { up && !cut_used -> cut_used = 1; up = 0; printf("*** power cut\n");
        keep = 0;
        do :: keep < wal_n && wal[keep].durable -> keep++ :: else -> break od;
#ifndef NO_ONE_WAL
        do :: keep < wal_n -> keep++ :: break od;
#else
        keep = wal_n;                                                   /* each file lost its own tail */
#endif
        d_step {
            i = 0; ctl = 0; fold = 1;
            do
            :: i < wal_n ->
#ifndef NO_ONE_WAL
                if :: i >= keep -> wal[i].kind = NONE :: else fi;
#else
                if :: !wal[i].durable -> wal[i].kind = NONE :: else fi;
#endif
                if
                :: CONTROL(i) -> ctl++; fold = (wal[i].kind == ALLOW)
                :: wal[i].kind == READ -> assert(wal[i].ctl == ctl); assert(wal[i].allow == fold)   /* replay of what survived */
                :: else
                fi;
                i++
            :: else -> break
            od;
            wal_n = 0; i = 0; ctl = 0; fold = 0; keep = 0 } }
    :: true
    fi
}

proctype Judge() {
    byte i, ctl; bit fold;
    timeout -> d_step {
        i = 0; ctl = 0; fold = 1;
        do
        :: i < wal_n ->
            if
            :: CONTROL(i) -> ctl++; fold = (wal[i].kind == ALLOW)
            :: wal[i].kind == READ -> assert(wal[i].ctl == ctl); assert(wal[i].allow == fold)   /* one order over both logs */
            :: else
            fi;
            i++
        :: else -> break
        od;
        assert(!up || (asked_reads == READS && asked_controls == CONTROLS)) }
}
init { atomic { run Owner(); run Reader(); run Committer(); run Fate(); run Judge() } }
