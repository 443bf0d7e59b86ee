/* SPDX-License-Identifier: Apache-2.0
 * What the gate and the keeper tell each other when they meet: writes and reads of one key, the gate restarted, the keeper's
 * directory or the log put back from an older copy. Rule 7 of docs/spec/model.md.
 *
 *   NO_KEEPER_AGE   the gate does not compare the keeper's watermark with its mark
 *   NO_LOG_AGE      nor with the log's durable size
 *   YOUNG_COPY      the keeper's copy may be younger than the gate's durable mark: beyond what rule 7 promises (see the page)
 */
#ifndef WRITES
#define WRITES 4
#endif
#ifndef RESTORES
#define RESTORES 1
#endif
#ifndef RESTARTS
#define RESTARTS 2
#endif
#define BIT(i) (1<<(i))
byte log[WRITES];                       /* leaf i is write number log[i] (from 1); all PUT of the one key, no void */
byte log_n, mark;                       /* durable at once: put.pml looks at the rest */
byte entry, watermark;                  /* the keeper: the write it shows; what it has settled */
byte kept[WRITES+1];                    /* what the index held when the watermark was i: the copies somebody may put back */
byte write_n;                           /* writes asked for */
short bodies;                           /* writes whose staged bytes the keeper still has */
bit gate = 1, linked = 1, not_served, waits;
short unsettled;
short acked;                            /* ghost: writes that were answered */
byte restores = RESTORES, restarts = RESTARTS;

#define KEEPER_OLD (watermark < mark)
#define LOG_OLD (watermark > log_n)

active proctype Client() {
end:
    do
    :: atomic { gate && linked && !not_served && !waits && unsettled == 0 && write_n < WRITES && log_n < WRITES ->
        write_n++; log[log_n] = write_n; unsettled = unsettled | BIT(log_n); log_n++; waits = 1; bodies = bodies | BIT(write_n);
        printf("leaf %d: write %d\n", log_n-1, write_n) }
    :: atomic { gate && linked && !not_served && unsettled == 0 ->      /* a GET names what the keeper shows: the log must say so too */
        if
        :: log_n == 0 -> assert(entry == 0)
        :: else -> assert(entry == log[log_n-1])
        fi }
    od
}

active proctype Keeper() {
    byte i;
end:
    do
    :: atomic { gate && linked && !not_served && unsettled != 0 ->
        i = 0; do :: unsettled & BIT(i) -> break :: else -> i++ od;
        if
        :: i < watermark -> printf("keeper: knows %d\n", i)
        :: else ->
            if
            :: bodies & BIT(log[i]) -> entry = log[i]; watermark = i+1; kept[watermark] = entry; bodies = bodies & ~BIT(log[i]);
                printf("keeper: writes %d\n", i)
            :: else -> assert(!(acked & BIT(log[i])));                  /* refused; a void of an acknowledged write */
                log[i] = entry; watermark = i+1; kept[watermark] = entry /* the void: back to what it replaced */
            fi
        fi;
        unsettled = unsettled & ~BIT(i);
        if :: waits && i == log_n-1 -> assert(entry == log[i]); acked = acked | BIT(log[i]); waits = 0; printf("acknowledged %d\n", log[i]) :: else fi;
        i = 0 }
    od
}

active proctype Gate() {
    byte i;
end:
    do
    :: d_step { gate && linked && unsettled == 0 && !not_served && mark < log_n -> mark++ }
    :: d_step { !gate -> gate = 1; i = mark; do :: i < log_n -> unsettled = unsettled | BIT(i); i++ :: else -> break od; i = 0 }
    :: d_step { gate && !linked ->
        printf("hello: watermark %d, mark %d, log %d\n", watermark, mark, log_n);
        linked = 1;
#ifndef NO_KEEPER_AGE
        if :: KEEPER_OLD -> not_served = 1; assert(restores < RESTORES); printf("keeper is older than the log\n") :: else fi;
#endif
#ifndef NO_LOG_AGE
        if :: LOG_OLD -> not_served = 1; assert(restores < RESTORES); printf("log is older than the keeper\n") :: else fi
#endif
        }
    od
}

inline gate_stops() { gate = 0; linked = 0; unsettled = 0; waits = 0 }

active proctype Fate() {
    byte w;
end:
    do
    :: atomic { gate && restarts > 0 -> restarts--; printf("*** gate restarts\n"); gate_stops() }
    :: atomic { restores > 0 && watermark > 0 ->                        /* everything is stopped, an older copy of the keeper put back */
        w = 0; do :: w+1 < watermark -> w++ :: break od;
#ifndef YOUNG_COPY
        if :: w < mark -> skip :: else -> w = watermark fi;             /* only copies older than the durable mark */
#endif
        if :: w < watermark -> restores--; printf("*** keeper back to %d\n", w); watermark = w; entry = kept[w]; gate_stops() :: else -> skip fi;
        w = 0 }
    :: atomic { restores > 0 && watermark > 0 && log_n > 0 ->           /* the same with the log */
        w = 0; do :: w+1 < watermark -> w++ :: break od;
        if :: w < log_n && w < watermark -> restores--; printf("*** log back to %d\n", w); log_n = w; if :: mark > w -> mark = w :: else fi; gate_stops() :: else -> skip fi;
        w = 0 }
    od
}

/* While the tenant is served a read can always go on, so nothing stops but for a refusal. */
active proctype Judge() {
end:
    timeout -> assert(not_served)
}
