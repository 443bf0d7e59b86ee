/* SPDX-License-Identifier: Apache-2.0
 * DeleteObjects of two keys beside a PUT and a GET of either, with the gate killed once, and beside a second batch.
 * Rule 13 of docs/spec/model.md: a leaf per slice, its holds taken in sorted order before FIND and kept until its one atomic APPLY
 * is settled.
 *
 *   NO_BATCH_HOLDS   a key is held only while its own part is applied; the watermark passes the leaf with the first part
 *   NO_ONE_APPLY     all keys held, but one APPLY a key; the keeper knows the leaf only by the watermark of the first part
 *   NO_SORTED_HOLDS  a second batch takes its holds in the other order (and waits for ever, where the store would answer 503)
 */
#define BIT(i) (1<<(i))
#define LEAVES_MAX 6
mtype = { NONE, READ, PUT, BATCH };
typedef Leaf { mtype kind; byte key; byte seen };
Leaf log[LEAVES_MAX];
byte log_n = 2;                         /* leaves 0 and 1: PUT of key 0 and key 1, settled long ago */
byte entry[2];                          /* the keeper's index: 0, or 1 + the leaf that wrote it */
byte watermark = 2;                     /* all leaves below are settled */
byte effects[LEAVES_MAX*2];             /* ghost: how often leaf i took effect on key k */
byte hold[2];                           /* 0, or who holds the key */
byte busy[2];                           /* write leaves of the key not settled */
bit up = 1, killed, recovering, put_between, batch_between;
byte batch_leaf, ended;

#define HOLD(k, who) atomic { up && hold[k] == 0 -> hold[k] = who }
#define EFFECT(i, k) effects[2*(i)+(k)]++

inline part(k) {        /* one key of the batch takes effect, if the keeper does not know it as settled */
    entry[k] = 0; EFFECT(batch_leaf, k); printf("batch deletes key %d\n", k)
}

inline settled() { busy[0] = 0; busy[1] = 0; hold[0] = 0; hold[1] = 0; batch_between = 0 }

proctype Batch() {
#ifdef NO_BATCH_HOLDS
    HOLD(0, 1);
    atomic { up -> batch_leaf = log_n; log[log_n].kind = BATCH; log_n++; busy[0]++; batch_between = 1; printf("leaf %d: batch\n", batch_leaf) };
#else
    HOLD(0, 1); HOLD(1, 1);
    atomic { up -> batch_leaf = log_n; log[log_n].kind = BATCH; log_n++; busy[0]++; busy[1]++; batch_between = 1; printf("leaf %d: batch\n", batch_leaf) };
#endif
send:
#ifdef NO_BATCH_HOLDS
    atomic { up -> part(0); watermark = batch_leaf+1; busy[0] = 0; hold[0] = 0 };
    HOLD(1, 1);
    atomic { up -> part(1); hold[1] = 0; goto out };
#else
#ifdef NO_ONE_APPLY
    if
    :: atomic { up -> if :: watermark <= batch_leaf -> part(0); watermark = batch_leaf+1 :: else fi }
    :: atomic { !up -> goto recover }
    fi;
    if
    :: atomic { up -> if :: !recovering -> part(1) :: else fi; settled(); goto out }
    :: atomic { !up -> goto recover }
    fi;
#else
    if
    :: atomic { up -> if :: watermark <= batch_leaf -> part(0); part(1); watermark = batch_leaf+1 :: else fi }   /* the answer is still on its way */
    :: atomic { !up -> goto recover }
    fi;
    if
    :: atomic { up -> settled(); goto out }
    :: atomic { !up -> goto recover }
    fi;
#endif
#endif
recover:                /* the gate sends the leaf's APPLY once more, before it serves */
    atomic { printf("recovery\n"); recovering = 1; hold[0] = 1; hold[1] = 1; busy[0] = 1; busy[1] = 1; up = 1 };
    goto send;
out:
    ended++
}

proctype Second() {     /* another DeleteObjects, only as far as its holds */
#ifdef NO_SORTED_HOLDS
    HOLD(1, 2); HOLD(0, 2);
#else
    HOLD(0, 2); HOLD(1, 2);
#endif
    atomic { if :: hold[0] == 2 -> hold[0] = 0 :: else fi; if :: hold[1] == 2 -> hold[1] = 0 :: else fi };
    ended++
}

proctype Put() {
    byte k, leaf;
    if :: k = 0 :: k = 1 fi;
    atomic { up && hold[k] == 0 -> hold[k] = 3; put_between = 1 };
    atomic { up -> leaf = log_n; log[leaf].kind = PUT; log[leaf].key = k; log_n++; busy[k]++; printf("leaf %d: PUT key %d\n", leaf, k) };
    atomic { entry[k] = leaf+1; EFFECT(leaf, k); if :: leaf+1 > watermark -> watermark = leaf+1 :: else fi; hold[k] = 0; busy[k]--; put_between = 0;
        printf("PUT of key %d acknowledged\n", k) };
    ended++
}

proctype Get() {
    byte k;
    if :: k = 0 :: k = 1 fi;
    atomic { up && busy[k] == 0 -> printf("leaf %d: GET key %d sees %d\n", log_n, k, entry[k]);
        log[log_n].kind = READ; log[log_n].key = k; log[log_n].seen = entry[k]; log_n++ };
    ended++
}

proctype Fate() {       /* a gate that dies half way through the PUT or the second batch's holds is put.pml's matter */
    if
#ifndef NO_BATCH_HOLDS                  /* goes wrong without a kill as well */
    :: atomic { batch_between && !put_between && hold[0] != 2 && hold[1] != 2 && up && !killed -> killed = 1; up = 0; hold[0] = 0; hold[1] = 0;
        printf("*** gate dies\n") }
#endif
    :: true
    fi
}

proctype Judge() {
    byte i, now[2];
    timeout -> d_step {
        assert(ended == 4);                                     /* nobody is stuck */
        i = 2; now[0] = 1; now[1] = 2;
        do
        :: i < log_n ->
            if
            :: log[i].kind == PUT -> now[log[i].key] = i+1; assert(effects[2*i+log[i].key] == 1)
            :: log[i].kind == BATCH -> now[0] = 0; now[1] = 0; assert(effects[2*i] == 1 && effects[2*i+1] == 1)
            :: log[i].kind == READ -> assert(log[i].seen == now[log[i].key])
            :: else
            fi;
            i++
        :: else -> break
        od;
        assert(entry[0] == now[0] && entry[1] == now[1]) }
}

init { atomic { entry[0] = 1; entry[1] = 2; run Batch(); run Second(); run Put(); run Get(); run Fate(); run Judge() } }
