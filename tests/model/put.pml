/* SPDX-License-Identifier: Apache-2.0
 * Two clients, the gate, the keeper and a hand that kills them: PUT, GET, DELETE, undelete, versions, LIST, void, recovery.
 * Rules 0 to 12 (but 7) of docs/spec/model.md; the page says what each flag NO_... takes away and what then goes wrong.
 *
 * A key's entry is the set of the versions it has, as a bit mask of the leaves that wrote them: at most one without VERSIONED.
 * Processes: Client (a client, its front, and the gate's work on its request), Gate (committer, commands, recovery), Keeper,
 * Fate (kill -9, power cuts, front deaths, as many as KILL_... says), Judge (when nothing moves: replays the log, compares).
 */
#ifndef KEYS
#define KEYS 1
#endif
#ifndef OPS             /* operations a client does ... */
#define OPS 2
#endif
#ifndef LESS            /* ... and how many fewer the second client does */
#define LESS 0
#endif
#ifndef KILL_GATE
#define KILL_GATE 1
#endif
#ifndef KILL_KEEPER
#define KILL_KEEPER 1
#endif
#ifndef KILL_POWER
#define KILL_POWER 0
#endif
#ifndef KILL_FRONT
#define KILL_FRONT 0
#endif
#ifndef BODIES          /* 0 small: in the keeper's memory until APPLY; 1 large: sealed and synced before; 2 either */
#define BODIES 0
#endif
#ifndef LEAVES_MAX
#define LEAVES_MAX 10
#endif
#ifndef MAY             /* what clients may ask: sum of these */
#define MAY (GET_|PUT_|CREATE_|DELETE_)
#endif
#define GET_ 1
#define PUT_ 2
#define CREATE_ 4       /* PUT with If-None-Match: * */
#define DELETE_ 8       /* VERSIONED: a delete marker */
#define UNDELETE_ 16
#define AGAIN_ 32       /* a front that sends its last COMMIT once more */
#define LIST_ 64
#define DELVER_ 128     /* DELETE of the newest or the oldest version by its id */

#define BLOBS (2*OPS)
#define BIT(i) (1<<(i))
#define BELOW(i) (BIT(i)-1)

mtype:leaf = { READ, PUT, DEL, DELVER, UNDEL, VOID, LIST };
#define IS_WRITE(kind) (kind==PUT || kind==DEL || kind==DELVER || kind==UNDEL)
/* seen: the key's entry at FIND (LIST: of the first key). ref: PUT, UNDEL the blob; DELVER the version; VOID the leaf it voids;
   LIST its as_of. seen2: LIST, the last key's entry. */
typedef Leaf { mtype:leaf kind; byte key; short seen; short seen2; byte ref };

Leaf log[LEAVES_MAX];
byte log_n;             /* appended; the file holds them at least in the page cache */
byte log_disk;          /* survive a power cut */
byte log_synced;        /* what the gate believes of log_disk */
byte mark;              /* the durable applied mark */

#define NOWHERE 0
#define LIVE 1
#define GRAVE 2
#define PURGED 3
typedef Index { short entry[KEYS]; byte grave[KEYS]; byte blob[BLOBS]; byte watermark; short refused; short done };
Index page, disk;       /* the keeper's index as written, as synced */
byte staged[BLOBS];     /* 0 no, 1 in the keeper's memory, 2 sealed file */
bit bytes_gone[BLOBS];

#define DOWN 0
#define RECOVERING 1
#define SERVING 2
byte gate = SERVING; bit keeper = 1, linked = 1;
short unsettled, sent, unmarked, pending, owe_void;      /* the gate's memory: sets of write leaves */
byte hold[KEYS], busy[KEYS];                             /* who holds a key; its write leaves not settled yet */
short commands, stale_commands, says_done, says_refused; /* in flight; stale: left in a dead gate's socket */
short batch, batch_refuses; bit batch_written, in_batch[KEYS];
short acked, released, voided;                           /* ghosts: what the world has seen */

mtype:phase = { IDLE, W_WANT, W_FIND, W_LEAF, W_REFUSED, W_VOID, R_WANT, R_FIND, R_LEAF };
/* find: 0, 1 asked, 2 answered, 3 first slice answered. floor: LIST, one past the newest leaf acknowledged when it was asked. */
typedef Request { mtype:phase phase; mtype:leaf kind; byte key, blob, leaf, find; short seen, seen2; byte grave, asof, floor;
                  bit overtaken, client_gone, create, oldest };
Request rq[2];
byte asked[2]; bit ticket_spent[BLOBS];

inline append(KIND, KEY, SEEN, SEEN2, REF) {
    assert(log_n < LEAVES_MAX);
    log[log_n].kind = KIND; log[log_n].key = KEY; log[log_n].seen = SEEN; log[log_n].seen2 = SEEN2; log[log_n].ref = REF;
    printf("leaf %d: %e key %d seen %d ref %d\n", log_n, KIND, KEY, SEEN, REF);
    log_n++
}
inline finish(Y) {
    rq[Y].phase = IDLE; rq[Y].kind = READ; rq[Y].key = 0; rq[Y].blob = 0; rq[Y].leaf = 0; rq[Y].find = 0; rq[Y].seen = 0;
    rq[Y].seen2 = 0; rq[Y].grave = 0; rq[Y].asof = 0; rq[Y].floor = 0; rq[Y].overtaken = 0; rq[Y].client_gone = 0;
    rq[Y].create = 0; rq[Y].oldest = 0
}
inline copy(TO, FROM) {
    for (q : 0 .. (KEYS-1)) { TO.entry[q] = FROM.entry[q]; TO.grave[q] = FROM.grave[q] }
    for (q : 0 .. (BLOBS-1)) { TO.blob[q] = FROM.blob[q] }
    TO.watermark = FROM.watermark; TO.refused = FROM.refused; TO.done = FROM.done; q = 0
}
inline newest(MASK, AT) { AT = 0; do :: (MASK >> AT) > 1 -> AT++ :: else -> break od }
inline oldest_of(MASK, AT) { AT = 0; do :: (MASK != 0) && !(MASK & BIT(AT)) -> AT++ :: else -> break od }
/* Where the rules stand that are conditions. */
#ifndef NO_HOLD
#define FREE(k) (hold[k] == 0)                          /* 0 */
#else
#define FREE(k) true
#endif
#ifndef NO_VOIDS_FIRST
#define VOIDS_APPENDED (owe_void == 0)                  /* 4: recovery's voids before anything else */
#else
#define VOIDS_APPENDED true
#endif
#ifndef NO_FIND_AGAIN
#define OVERTAKEN(c) (rq[c].overtaken)                  /* 8 */
#else
#define OVERTAKEN(c) false
#endif
#ifndef NO_LIST_AS_OF
#define SETTLED_BELOW(i) ((pending & BELOW(i)) == 0)    /* 9 */
#else
#define SETTLED_BELOW(i) true
#endif
#ifndef NO_PURGE_SYNC                                   /* 12 */
#define RELEASE_SYNCED (disk.blob[page.grave[0]-1] == GRAVE && !in_batch[0])
#else
#define RELEASE_SYNCED true
#endif
#define CREATE_FALLS(c, at) (rq[c].create && rq[c].seen != 0 && log[at].kind != DEL)
#define UNDEL_FALLS(c) (rq[c].kind == UNDEL && (rq[c].grave == 0 || rq[c].seen != 0))
#define GUARD_FALLS(c, at) (CREATE_FALLS(c, at) || UNDEL_FALLS(c) || (rq[c].kind == DELVER && rq[c].seen == 0))
/* What a write leaf makes of an entry. */
#ifdef VERSIONED
#define AFTER(i, entry) (log[i].kind==DELVER -> (entry) & ~BIT(log[i].ref) : (entry) | BIT(i))
#else
#define AFTER(i, entry) (log[i].kind==DEL -> 0 : BIT(i))
#endif
inline recount_voids() {
    voided = 0; q = 0;
    do :: q < log_n -> if :: log[q].kind == VOID -> voided = voided | BIT(log[q].ref) :: else fi; q++ :: else -> break od;
    q = 0
}

proctype Client(byte c) {
    byte k, b, at;
    do
    :: atomic { rq[c].phase == IDLE && asked[c] < OPS && gate == SERVING && linked && keeper ->
        b = c*OPS + asked[c]; asked[c]++;
        if :: k = 0
#if KEYS > 1
           :: k = 1
#endif
        fi;
        rq[c].key = k;
        if
#if MAY & GET_
        :: rq[c].kind = READ; rq[c].phase = R_WANT
#endif
#if MAY & LIST_
        :: k == 0 -> rq[c].kind = LIST; rq[c].phase = R_WANT
#endif
#if MAY & (PUT_|CREATE_)
        :: rq[c].kind = PUT; rq[c].phase = W_WANT; rq[c].blob = b;      /* OPEN, GRANT, STAGE, SEAL; then COMMIT */
#if (MAY & (PUT_|CREATE_)) == (PUT_|CREATE_)
           if :: rq[c].create = 0 :: rq[c].create = 1 fi;
#elif MAY & CREATE_
           rq[c].create = 1;
#endif
#if BODIES == 0
           staged[b] = 1
#elif BODIES == 1
           staged[b] = 2
#else
           if :: staged[b] = 1 :: staged[b] = 2 fi
#endif
#endif
#if MAY & DELETE_
        :: rq[c].kind = DEL; rq[c].phase = W_WANT
#endif
#if MAY & DELVER_
        :: rq[c].kind = DELVER; rq[c].phase = W_WANT; if :: rq[c].oldest = 0 :: rq[c].oldest = 1 fi
#endif
#if MAY & UNDELETE_
        :: rq[c].kind = UNDEL; rq[c].phase = W_WANT
#endif
#if MAY & AGAIN_
        :: asked[c] > 1 && ticket_spent[b-1] -> rq[c].kind = PUT; rq[c].phase = W_WANT; rq[c].blob = b-1;
#ifndef NO_ONE_COMMIT
#ifndef NO_GATE_TICKETS
           finish(c)                                                    /* rule 10: the gate knows the ticket as spent */
#endif
#endif
#endif
        fi;
        k = 0; b = 0 }

    /* -- a write: hold, FIND, guards, leaf -- */
    :: d_step { rq[c].phase == W_WANT && gate == SERVING && linked && FREE(rq[c].key) ->
        hold[rq[c].key] = c+1; rq[c].find = 1; rq[c].phase = W_FIND }
    :: d_step { rq[c].phase == W_FIND && rq[c].find == 2 && gate == SERVING ->
        rq[c].find = 0; newest(rq[c].seen, at);
        if
        :: GUARD_FALLS(c, at) ->
            /* 412 or 404 shows existence: a read, with a leaf, under the hold */
            rq[c].leaf = log_n; append(READ, rq[c].key, rq[c].seen, 0, 0); rq[c].phase = R_LEAF; hold[rq[c].key] = 0
        :: else ->
            rq[c].leaf = log_n; b = rq[c].blob;
            if
            :: rq[c].kind == UNDEL -> b = rq[c].grave - 1
            :: rq[c].kind == PUT -> ticket_spent[b] = 1
            :: rq[c].kind == DELVER -> if :: rq[c].oldest -> oldest_of(rq[c].seen, b) :: else -> b = at fi
            :: else
            fi;
            append(rq[c].kind, rq[c].key, rq[c].seen, 0, b);
            unsettled = unsettled | BIT(rq[c].leaf); unmarked = unmarked | BIT(rq[c].leaf); pending = pending | BIT(rq[c].leaf);
            busy[rq[c].key]++;
            if :: rq[1-c].key == rq[c].key && rq[1-c].phase == R_FIND && rq[1-c].find != 0 -> rq[1-c].overtaken = 1 :: else fi;
            rq[c].phase = W_LEAF
        fi;
        b = 0; at = 0; rq[c].seen = 0; rq[c].grave = 0 }
#ifdef NO_WAIT_FOR_KEEPER
    :: d_step { rq[c].phase == W_LEAF && rq[c].leaf < log_synced && !(acked & BIT(rq[c].leaf)) -> acked = acked | BIT(rq[c].leaf) }
#endif

    /* -- a read: FIND (or SCAN), leaf, durable, release -- */
    :: d_step { rq[c].phase == R_WANT && gate == SERVING && linked && (rq[c].kind == LIST || busy[rq[c].key] == 0) ->
        if :: rq[c].kind == LIST -> do :: (acked >> rq[c].floor) != 0 -> rq[c].floor++ :: else -> break od :: else fi;
        rq[c].find = 1; rq[c].overtaken = 0; rq[c].phase = R_FIND; printf("read %d: FIND sent\n", c) }
#if MAY & LIST_
    :: d_step { rq[c].phase == R_FIND && rq[c].find == 2 && gate == SERVING && rq[c].kind == LIST && SETTLED_BELOW(rq[c].asof) ->
        assert(rq[c].asof >= rq[c].floor);                              /* a listing is not older than what was acknowledged */
        rq[c].leaf = log_n; append(LIST, 0, rq[c].seen, rq[c].seen2, rq[c].asof); rq[c].phase = R_LEAF; rq[c].find = 0;
        rq[c].seen = 0; rq[c].seen2 = 0; rq[c].asof = 0; rq[c].floor = 0 }
#endif
    :: d_step { rq[c].phase == R_FIND && rq[c].kind != LIST && rq[c].find == 2 && gate == SERVING ->
        rq[c].find = 0;
        if
        :: busy[rq[c].key] != 0 || OVERTAKEN(c) -> rq[c].phase = R_WANT
        :: else -> rq[c].leaf = log_n; append(READ, rq[c].key, rq[c].seen, 0, 0); rq[c].phase = R_LEAF
        fi;
        rq[c].seen = 0; rq[c].grave = 0; rq[c].overtaken = 0 }
    :: d_step { rq[c].phase == R_LEAF && rq[c].leaf < log_synced && gate == SERVING ->
        assert(rq[c].leaf < log_disk);                                  /* record before effect */
        if :: !rq[c].client_gone -> released = released | BIT(rq[c].leaf); printf("released under leaf %d\n", rq[c].leaf) :: else fi;
        finish(c) }
    :: rq[c].phase == IDLE && asked[c] >= OPS -> break
    od
}

/* The 200 for write leaf W, if somebody still waits for it. */
inline answer(W) {
    for (q : 0 .. 1) {
        if
        :: rq[q].phase == W_LEAF && rq[q].leaf == W ->
            assert(disk.done & BIT(W));                                 /* acknowledged means settled and synced */
            if :: !rq[q].client_gone -> acked = acked | BIT(W); printf("acknowledged leaf %d\n", W) :: else fi;
            hold[rq[q].key] = 0; finish(q)
        :: else
        fi
    }
    q = 0
}
inline first_of(SET, AT) { AT = 0; do :: ((SET) & BIT(AT)) -> break :: else -> AT++ od }
inline append_void(KEY, I) {
    assert(!(acked & BIT(I)));                                          /* what was acknowledged is never voided */
    assert(!(page.done & BIT(I)));                                      /* nor what has its effect */
    pending = pending & ~BIT(I); append(VOID, KEY, 0, 0, I); voided = voided | BIT(I);
#ifndef NO_VOID_HOLD
    busy[KEY]--
#endif
}

proctype Gate() {
    byte i, q; bit mine;
end:
    do
    :: d_step { gate != DOWN && log_synced < log_n -> log_disk = log_n; log_synced = log_n; printf("gate: synced %d\n", log_n) }
    :: atomic { gate != DOWN && linked && (unsettled & ~sent & BELOW(log_synced)) != 0 ->
#ifdef NO_ORDER
        i = 0;
        do
        :: (unsettled & ~sent & BIT(i)) != 0 -> break
        :: ((unsettled & ~sent & BELOW(log_synced)) >> (i+1)) != 0 -> i++
        od;
#else
        d_step { first_of(unsettled & ~sent, i) };                      /* rule 1 */
#endif
        d_step { sent = sent | BIT(i); commands = commands | BIT(i); printf("gate: APPLY %d\n", i); i = 0 } }
    :: d_step { gate != DOWN && says_done != 0 ->
        first_of(says_done, i); says_done = says_done & ~BIT(i); printf("gate: %d is done\n", i);
        if
        :: unsettled & BIT(i) -> unsettled = unsettled & ~BIT(i); sent = sent & ~BIT(i); unmarked = unmarked & ~BIT(i);
            pending = pending & ~BIT(i); busy[log[i].key]--; answer(i)
        :: else
        fi;
        i = 0 }
    :: d_step { gate != DOWN && says_refused != 0 ->
        first_of(says_refused, i); says_refused = says_refused & ~BIT(i); printf("gate: %d is refused\n", i);
        if
        :: unsettled & BIT(i) ->
            unsettled = unsettled & ~BIT(i); sent = sent & ~BIT(i); mine = 0;
            for (q : 0 .. 1) { if :: rq[q].phase == W_LEAF && rq[q].leaf == i -> mine = 1; rq[q].phase = W_REFUSED :: else fi }
            q = 0;
#ifdef NO_VOID_HOLD
            busy[log[i].key]--;
#endif
            if :: !mine -> owe_void = owe_void | BIT(i) :: else fi
        :: else
        fi;
        i = 0; mine = 0 }
    :: d_step { gate != DOWN && (rq[0].phase == W_REFUSED || rq[1].phase == W_REFUSED) ->
        q = (rq[0].phase == W_REFUSED -> 0 : 1); i = rq[q].leaf;
        append_void(rq[q].key, i);
        rq[q].leaf = log_n-1; rq[q].phase = W_VOID; q = 0; i = 0 }
    :: d_step { gate != DOWN && owe_void != 0 ->                        /* nobody waits for this one any more */
        first_of(owe_void, i); owe_void = owe_void & ~BIT(i);
        append_void(log[i].key, i);
        i = 0 }
    :: d_step { gate != DOWN && (rq[0].phase == W_VOID && rq[0].leaf < log_synced || rq[1].phase == W_VOID && rq[1].leaf < log_synced) ->
        q = (rq[0].phase == W_VOID && rq[0].leaf < log_synced -> 0 : 1);
        assert(rq[q].leaf < log_disk);                                  /* the error is answered when the void is durable */
        unmarked = unmarked & ~BIT(log[rq[q].leaf].ref); hold[rq[q].key] = 0; finish(q); q = 0 }

    /* -- recovery -- */
    :: d_step { gate == DOWN ->
#ifndef NO_SYNC_GATE
        log_disk = log_n;                                               /* rule 6 */
#endif
        log_synced = log_n; printf("gate: restarts, reads %d leaves, mark %d\n", log_n, mark);
        recount_voids();
        i = mark;
        do
        :: i < log_n ->
            if
            :: IS_WRITE(log[i].kind) && !(voided & BIT(i)) -> unsettled = unsettled | BIT(i); unmarked = unmarked | BIT(i);
                pending = pending | BIT(i); busy[log[i].key]++
            :: else
            fi;
            i++
        :: else -> break
        od;
        i = 0; gate = RECOVERING }
    :: d_step { gate != DOWN && keeper && !linked && batch == 0 ->      /* hello: the old connection is closed, what it held is dropped */
        stale_commands = 0; commands = 0; says_done = 0; says_refused = 0; linked = 1; sent = 0;
        printf("hello: watermark %d\n", page.watermark) }
    :: d_step { gate == RECOVERING && linked && unsettled == 0 && VOIDS_APPENDED ->
        gate = SERVING; printf("gate: serves\n") }
    od
}

#ifndef NO_ONE_COMMIT
#define CANNOT_ADOPT(b) (staged[b] == 0 || page.blob[b] != NOWHERE)
#else
#define CANNOT_ADOPT(b) (staged[b] == 0 && page.blob[b] != LIVE)
#endif
#define REFUSES(i) ((log[i].kind == PUT && CANNOT_ADOPT(log[i].ref)) || (log[i].kind == UNDEL && page.blob[log[i].ref] != GRAVE))

inline take(I) {
#ifndef NO_WATERMARK
    if
    :: I < page.watermark ->                                            /* settled before: answered from the rows */
        printf("keeper: knows %d\n", I);
#ifndef NO_REFUSAL_ROW
        if :: page.refused & BIT(I) -> says_refused = says_refused | BIT(I) :: else -> says_done = says_done | BIT(I) fi
#else
        says_done = says_done | BIT(I)
#endif
    :: else ->
        batch = batch | BIT(I); in_batch[log[I].key] = 1;
        if
        :: REFUSES(I) -> printf("keeper: refuses %d\n", I); batch_refuses = batch_refuses | BIT(I)
        :: else ->
#ifndef NO_HOLD
            assert(page.entry[log[I].key] == log[I].seen)               /* rule 2: unchanged since FIND is an assertion */
#endif
        fi
    fi
#else                   /* the entry's own leaf tells: "my leaf or a newer one is there" is done, "not what FIND saw" is refused */
    if
    :: (page.entry[log[I].key] >> I) != 0 -> printf("keeper: knows %d\n", I); says_done = says_done | BIT(I)
    :: else ->
        if
        :: page.entry[log[I].key] != log[I].seen || REFUSES(I) -> printf("keeper: refuses %d\n", I); says_refused = says_refused | BIT(I)
        :: else -> batch = batch | BIT(I); in_batch[log[I].key] = 1
        fi
    fi
#endif
}
inline look_up(Y) {
    rq[Y].seen = page.entry[rq[Y].key]; rq[Y].grave = page.grave[rq[Y].key]; rq[Y].find = 2;
    if
    :: rq[Y].kind == LIST -> rq[Y].grave = 0; rq[Y].asof = page.watermark;
#ifdef NO_ONE_SNAPSHOT
        rq[Y].find = 3
#else
        rq[Y].seen2 = page.entry[KEYS-1]                                /* later slices read the first one's snapshot */
#endif
    :: else
    fi;
    printf("keeper: FIND of %d sees %d\n", Y, rq[Y].seen)
}

proctype Keeper() {
    byte i, q, k, v; short before, gone;
end:
    do
    :: d_step { keeper && rq[0].find == 1 -> look_up(0) }
    :: d_step { keeper && rq[1].find == 1 -> look_up(1) }
#ifdef NO_ONE_SNAPSHOT
    :: d_step { keeper && rq[0].find == 3 -> rq[0].seen2 = page.entry[KEYS-1]; rq[0].find = 2 }
    :: d_step { keeper && rq[1].find == 3 -> rq[1].seen2 = page.entry[KEYS-1]; rq[1].find = 2 }
#endif
    :: atomic { keeper && !batch_written && commands != 0 ->
#ifdef NO_ORDER
        i = 0;
        do :: (commands & BIT(i)) != 0 -> break :: (commands >> (i+1)) != 0 -> i++ od;
#else
        d_step { first_of(commands, i) };
#endif
        d_step { if :: in_batch[log[i].key] || (batch & BIT(i)) -> skip :: else -> commands = commands & ~BIT(i); take(i) fi; i = 0 } }
    :: d_step { keeper && !batch_written && stale_commands != 0 ->
        first_of(stale_commands, i);
        if
        :: in_batch[log[i].key] || (batch & BIT(i)) -> skip
        :: else -> stale_commands = stale_commands & ~BIT(i); printf("keeper: takes %d from the dead connection\n", i); take(i)
        fi;
        i = 0 }
    :: d_step { keeper && !batch_written && batch != 0 ->               /* one atomic write; in the page cache */
        i = 0;
        do
        :: i < LEAVES_MAX ->
            if
            :: batch & BIT(i) ->
                if :: i+1 > page.watermark -> page.watermark = i+1 :: else fi;
                if
                :: batch_refuses & BIT(i) -> page.refused = page.refused | BIT(i)
                :: else ->
                    assert(i < log_disk);                               /* record before effect */
                    assert(!(voided & BIT(i)));                         /* no effect after a void */
                    k = log[i].key; before = page.entry[k];
                    assert(!(page.done & BIT(i)) || before == AFTER(i, before));    /* settled once */
                    page.done = page.done | BIT(i); printf("keeper: writes %d\n", i);
                    page.entry[k] = AFTER(i, before); gone = before & ~page.entry[k];
                    if :: log[i].kind == PUT || log[i].kind == UNDEL -> page.blob[log[i].ref] = LIVE :: else fi;
                    if :: log[i].kind == UNDEL -> page.grave[k] = 0 :: else fi;
                    v = 0;
                    do
                    :: (gone >> v) != 0 ->
                        if
                        :: (gone & BIT(v)) && log[v].kind != DEL -> page.blob[log[v].ref] = GRAVE; page.grave[k] = log[v].ref+1
                        :: else
                        fi;
                        v++
                    :: else -> break
                    od;
                    if
                    :: log[i].kind == PUT || log[i].kind == UNDEL -> assert(page.blob[log[i].ref] == LIVE)  /* visible means it has bytes */
                    :: else
                    fi
                fi
            :: else
            fi;
            i++
        :: else -> break
        od;
        batch_written = 1; i = 0; k = 0; v = 0; before = 0; gone = 0 }
    :: d_step { keeper && batch_written ->                              /* synced: answer */
        copy(disk, page); printf("keeper: synced, answers\n");
        i = 0;
        do
        :: i < LEAVES_MAX ->
            if
            :: batch & BIT(i) ->
                if :: !(batch_refuses & BIT(i)) && log[i].kind == PUT -> staged[log[i].ref] = 0; assert(!bytes_gone[log[i].ref]) :: else fi;
                if :: batch_refuses & BIT(i) -> says_refused = says_refused | BIT(i) :: else -> says_done = says_done | BIT(i) fi
            :: else
            fi;
            i++
        :: else -> break
        od;
        batch = 0; batch_refuses = 0; batch_written = 0; i = 0;
        for (q : 0 .. (KEYS-1)) { in_batch[q] = 0 }
        q = 0;
        if :: !linked -> says_done = 0; says_refused = 0 :: else fi }
#if MAY & (UNDELETE_|AGAIN_)
    :: d_step { keeper && page.grave[0] != 0 && page.blob[page.grave[0]-1] == GRAVE && RELEASE_SYNCED ->
        k = page.grave[0]-1; bytes_gone[k] = 1; page.blob[k] = PURGED; page.grave[0] = 0; printf("keeper: purges blob %d\n", k);
#ifndef NO_PURGE_SYNC
        disk.blob[k] = PURGED; disk.grave[0] = 0;
#endif
        k = 0 }
#endif
    :: d_step { !keeper ->
#ifndef NO_SYNC_KEEPER
        copy(disk, page);                                               /* rule 6 */
#endif
        keeper = 1 }
    od
}

/* Any prefix of the WAL between durable and appended is in the file; any earlier, or the newest permitted, mark was written. */
#ifndef NO_MARK_WAITS
#define MARK_STOPS unmarked
#else
#define MARK_STOPS (unsettled|owe_void)
#endif
inline forget_tail() {
    assert(((acked|released) >> tail) == 0);
    do
    :: log_n > tail -> log_n--; log[log_n].kind = 0; log[log_n].key = 0; log[log_n].seen = 0; log[log_n].seen2 = 0; log[log_n].ref = 0
    :: else -> break
    od
}
inline gate_dies() {
    tail = log_disk; do :: tail < log_n -> tail++ :: break od;
    new_mark = mark;
    if
    :: skip
    :: true -> skip; d_step { new_mark = 0;
        do :: new_mark < log_synced && !(MARK_STOPS & BIT(new_mark)) && new_mark < tail -> new_mark++ :: else -> break od;
        if :: new_mark < mark -> new_mark = mark :: else fi }; skip
    fi;
    skip; d_step { forget_tail();
        mark = new_mark; log_synced = 0; gate = DOWN; linked = 0; unsettled = 0; sent = 0; unmarked = 0; pending = 0; owe_void = 0;
        stale_commands = stale_commands | commands; commands = 0; says_done = 0; says_refused = 0;
        for (q : 0 .. (KEYS-1)) { hold[q] = 0; busy[q] = 0 }
        q = 0; finish(0); finish(1); recount_voids(); printf("WAL keeps %d leaves, mark %d\n", log_n, mark); tail = 0; new_mark = 0 }; skip
}
inline keeper_dies() {
    skip; d_step { keeper = 0; linked = 0; commands = 0; stale_commands = 0; says_done = 0; says_refused = 0;
        batch = 0; batch_refuses = 0; batch_written = 0;
        for (q : 0 .. (KEYS-1)) { in_batch[q] = 0 }
        for (q : 0 .. (BLOBS-1)) { if :: staged[q] == 1 -> staged[q] = 0 :: else fi }
        for (q : 0 .. 1) {
            if :: rq[q].phase == W_FIND -> hold[rq[q].key] = 0; finish(q) :: rq[q].phase == R_FIND -> finish(q) :: else fi
        }
#ifdef NO_KEEPER_DECIDES
        i = 0;
        do
        :: i < LEAVES_MAX ->
            if
            :: unsettled & sent & BIT(i) -> unsettled = unsettled & ~BIT(i);
                for (q : 0 .. 1) { if :: rq[q].phase == W_LEAF && rq[q].leaf == i -> rq[q].phase = W_REFUSED :: else fi }
            :: else
            fi;
            i++
        :: else -> break
        od;
        i = 0;
#endif
        sent = 0; q = 0 }; skip
}
/* Front V dies: nobody is left to answer, and the keeper drops what its connection staged. */
inline front_dies(V) {
    rq[V].client_gone = 1; printf("*** front %d dies\n", V);
    if
    :: rq[V].kind == PUT && staged[rq[V].blob] != 0 ->
        if
        :: rq[V].phase == W_LEAF && (batch & BIT(rq[V].leaf)) ->
#ifdef NO_CLAIM
            bytes_gone[rq[V].blob] = 1; staged[rq[V].blob] = 0
#else
            skip                                                        /* rule 11 */
#endif
        :: else -> staged[rq[V].blob] = 0
        fi
    :: else
    fi;
    if :: rq[V].phase == W_WANT -> finish(V) :: else fi
}

byte left_gate = KILL_GATE, left_keeper = KILL_KEEPER, left_power = KILL_POWER, left_front = KILL_FRONT;
proctype Fate() {
    byte q, tail, new_mark, i;
    do
    :: atomic { gate != DOWN && left_gate > 0 -> left_gate--; printf("*** gate dies\n"); gate_dies() }
    :: atomic { keeper && left_keeper > 0 -> left_keeper--; printf("*** keeper dies\n"); keeper_dies() }
    :: atomic { left_power > 0 -> left_power--; printf("*** power cut\n");
        if
        :: gate != DOWN -> gate_dies()
        :: else -> tail = log_disk; do :: tail < log_n -> tail++ :: break od; skip; d_step { forget_tail(); recount_voids(); tail = 0 }; skip
        fi;
        skip; d_step { log_disk = log_n; assert((disk.done >> log_n) == 0) };
        keeper_dies();
        if :: true -> skip; d_step { copy(page, disk) }; skip :: true -> skip; d_step { copy(disk, page) }; skip fi;
        skip; d_step { assert((page.done >> log_n) == 0);
            for (q : 0 .. (KEYS-1)) {
                i = 0;
                do
                :: (page.entry[q] >> i) != 0 ->
                    assert(!(page.entry[q] & BIT(i)) || log[i].kind == DEL || !bytes_gone[log[i].ref]);
                    i++
                :: else -> break
                od
            }
            q = 0; i = 0 } }
    :: atomic { left_front > 0 && rq[0].phase != IDLE && !rq[0].client_gone -> left_front--; front_dies(0) }
    :: atomic { left_front > 0 && rq[1].phase != IDLE && !rq[1].client_gone -> left_front--; front_dies(1) }
    :: break
    od
}

typedef Entries { short entry[KEYS] };
Entries fold, listed;
inline fold_one(F, I) {
    if
    :: IS_WRITE(log[I].kind) -> F.entry[log[I].key] = AFTER(I, F.entry[log[I].key])
    :: log[I].kind == VOID -> F.entry[log[log[I].ref].key] = log[log[I].ref].seen     /* where it stands: back to what the write replaced */
    :: else
    fi
}
proctype Judge() {
    byte i, q;
    timeout -> d_step {
        assert(asked[0] == OPS && asked[1] == OPS && rq[0].phase == IDLE && rq[1].phase == IDLE);     /* nobody is stuck */
        assert(gate == SERVING && keeper && linked && unsettled == 0 && commands == 0 && batch == 0 && owe_void == 0);
        for (q : 0 .. (KEYS-1)) { assert(hold[q] == 0 && busy[q] == 0) }
        assert(log_disk == log_n);
        i = 0;
        do
        :: i < log_n ->
            if
            :: log[i].kind == LIST ->
                for (q : 0 .. (KEYS-1)) { listed.entry[q] = 0 }
                q = 0;
#ifndef NO_LIST_AS_OF
                do :: q < log[i].ref -> fold_one(listed, q); q++ :: else -> break od;
                do
                :: q < i -> if :: log[q].kind == VOID && log[q].ref < log[i].ref -> fold_one(listed, q) :: else fi; q++
                :: else -> break
                od;
#else
                do :: q < i -> fold_one(listed, q); q++ :: else -> break od;
#endif
                assert(log[i].seen == listed.entry[0] && log[i].seen2 == listed.entry[KEYS-1]); q = 0     /* replay of a LIST */
            :: log[i].kind == READ -> assert(log[i].seen == fold.entry[log[i].key])                 /* replay of a read */
            :: else
            fi;
            fold_one(fold, i);
            if :: IS_WRITE(log[i].kind) -> assert(((page.done & BIT(i)) != 0) != ((voided & BIT(i)) != 0)) :: else fi;  /* effect or void */
            if :: acked & BIT(i) -> assert(!(voided & BIT(i))) :: else fi;
            i++
        :: else -> break
        od;
        assert((acked >> log_n) == 0 && (released >> log_n) == 0);
        for (q : 0 .. (KEYS-1)) {
            assert(page.entry[q] == fold.entry[q]);                           /* the store is what the log says */
            assert(disk.entry[q] == page.entry[q]);
            i = 0;
            do
            :: (page.entry[q] >> i) != 0 ->
                if
                :: (page.entry[q] & BIT(i)) && log[i].kind != DEL -> assert(page.blob[log[i].ref] == LIVE && !bytes_gone[log[i].ref])
                :: else
                fi;
                i++
            :: else -> break
            od
        }
        i = 0; q = 0 }
}

init {
    atomic { rq[0].phase = IDLE; rq[1].phase = IDLE; rq[0].kind = READ; rq[1].kind = READ; asked[1] = LESS;
        run Client(0); run Client(1); run Gate(); run Keeper(); run Fate(); run Judge() }
}
#ifdef SERVED           /* whatever dies, as long as nothing dies any more, everything asked ends and the gate serves */
ltl served { <> (asked[0] == OPS && asked[1] == OPS && rq[0].phase == IDLE && rq[1].phase == IDLE && gate == SERVING && keeper && linked && unsettled == 0) }
#endif
