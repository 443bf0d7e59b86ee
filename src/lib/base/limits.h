/* SPDX-License-Identifier: Apache-2.0
 * Every bound, once, with its unit last in its name. A test reaches each one and one past it.
 */
#ifndef TILLIT_LIMITS_H
#define TILLIT_LIMITS_H

/* identifiers */
#define ID_BYTES 16                      /* tenant, bucket, blob, log, request, capability */
#define ID_TEXT_CHARS 26                 /* base32 of ID_BYTES */
#define HASH_BYTES 32
#define ACCESS_KEY_CHARS 20              /* "AKIA" + 16 base32 upper case */
#define SECRET_KEY_CHARS 40
#define ACCOUNT_CHARS 12

/* wire */
#define WIRE_FRAME_BYTES_MAX (320 * 1024)        /* payload of one frame: a 256 KiB stage or read, and its header */
#define WIRE_DATA_BYTES_MAX (256 * 1024)
#define WIRE_BATCH_BYTES 65536                   /* a peer's queued output that is flushed at once */
#define WIRE_OUT_BYTES_MAX (8 * 1024 * 1024)     /* a peer that does not read this much is closed */

/* S3 */
#define S3_KEY_BYTES_MAX 1024
#define S3_BUCKET_CHARS_MIN 3
#define S3_BUCKET_CHARS_MAX 63
#define S3_USER_META_BYTES_MAX 2048
#define S3_HEADER_SECTION_BYTES_MAX 8192
#define S3_CANONICAL_BYTES_MAX 32768             /* canonical request the front may send */
#define S3_HEADERS_MAX 100
#define S3_QUERY_PARAMS_MAX 64
#define S3_PUT_BYTES_MAX 5368709120ull
#define S3_LIST_KEYS_MAX 1000
#define S3_CONTROL_BODY_BYTES_MAX (1024 * 1024)  /* XML or JSON bodies of control requests */
#define S3_DELETE_BODY_BYTES_MAX (2 * 1024 * 1024)
#define S3_DELETE_KEYS_MAX 1000
#define S3_SKEW_MS 900000
#define S3_PRESIGN_SECONDS_MAX 604800
#define S3_CHUNK_LINE_BYTES_MAX 4096
#define S3_BUCKETS_PER_TENANT_MAX 10000
#define XML_DEPTH_MAX 16

/* frames and segments */
#define FRAME_PLAIN_BYTES 65536
#define FRAME_TAG_BYTES 16
#define SEGMENT_PLAIN_BYTES (4 * 1024 * 1024)
#define SEGMENT_FRAMES 64

/* blobs */
#define BLOB_INLINE_BYTES_MAX 2048               /* ciphertext this small lives in the index */
#define BLOB_PACK_BYTES_MAX (1024 * 1024)        /* up to here in packs, above in files */
#define PACK_BYTES (64 * 1024 * 1024)
#define STAGE_CREDIT_BYTES (1024 * 1024)         /* in flight per blob, front to keeper */
#define ENTRY_BLOB_ROWS_MAX 8

/* scan */
#define SCAN_ROWS_BUDGET 20000
#define SCAN_PAGE_BYTES_MAX (256 * 1024)

/* gate */
#define HOLDS_MAX 16384
#define HOLD_WAIT_MS 2000
#define RECENT_WRITES_MAX 65536
#define REQUESTS_MAX 16384                       /* in flight in the gate, all fronts */
#define TENANTS_MAX 10000
#define TICKET_MS 3600000                        /* a ticket not committed for an hour is dropped */
#define PARK_MS 3000

/* logs */
#define LEAF_BYTES_MAX 60000                     /* tlog-tiles entries carry a u16 length */
#define OPENING_BYTES_MAX 65536
#define COMMAND_BYTES_MAX 262144
#define EPOCH_MS 10000
#define PUBLISH_MS 500
#define WAL_FILE_BYTES (16 * 1024 * 1024)
#define TILE_LEAVES 256
#define TREE_LEVELS_MAX 64

/* wire, in lists and connections */
#define WIRE_DIGEST_BYTES_MAX 64
#define WIRE_ETAG_BYTES_MAX 96
#define WIRE_LOCATION_BYTES_MAX 64
#define WIRE_READS_PER_TURN_MAX 4                /* recv() calls for one peer before the others have their turn */
#define WIRE_PUMP_READS_MAX 256                  /* more than any socket buffer holds */

/* loop */
#define LOOP_EVENTS_PER_TURN_MAX 256
#define LOOP_AFTERS_PER_TURN_MAX 1000000         /* more is two that add each other for ever */
#define LOOP_WAIT_MS_MAX 3600000

/* ledger */
#define LEDGER_SIZE_MAX 0x7fffffffffffffffull    /* leaves; others count in signed 64-bit numbers */
#define LEDGER_TILE_LEVELS_MAX 7                 /* levels above the leaves' one that a log can fill: 256^7 < 2^63 */
#define LEDGER_TILE_LEVEL_MAX 63                 /* that a tile's name may say */
#define LEDGER_TILE_PATH_BYTES_MAX 64
#define LEDGER_NAME_BYTES_MAX 255
#define LEDGER_NOTE_BYTES_MAX 65536
#define LEDGER_NOTE_SIGS_MAX 64
#define LEDGER_SIG_BYTES_MAX 4096                /* key id and signature of any algorithm, ours or not */
#define LEDGER_EXTRA_CHARS_MAX 8192              /* base64 of a tlog-proof's extra data */
#define LEDGER_TLOG_PROOF_BYTES_MAX 98304
#define ED25519_KEY_BYTES 32
#define ED25519_SEED_BYTES 32
#define ED25519_SIG_BYTES 64

/* grave */
#define GRAVE_DEFAULT_MS 86400000ull
#define GRAVE_MIN_MS 60000ull

/* frame and keys */
#define FRAME_BLOB_BYTES_MAX S3_PUT_BYTES_MAX    /* one blob is one upload: an object or a part */
#define SECRET_BYTES_MAX 65536                   /* one secret; up to SECRET_SLOT_BYTES they share pages */
#define SECRET_SLOT_BYTES 64
#define SECRET_TOTAL_BYTES_MAX (256 * 1024 * 1024)
#define KEYS_RNG_BYTES 4080                      /* buffered per thread: a page, less its head */
#define KEYS_LABEL_CONTEXT_BYTES_MAX 64
#define KEYS_AAD_BYTES_MAX 4096
#define KEYS_SEAL_BYTES_MAX (1024 * 1024)        /* plaintext of one seal */
#define KEYS_ROOT_FILE_BYTES_MAX 256

/* S3 grammar (s3 room) */
#define S3_EXTRA_MAX 6                           /* extra elements of one error document */
#define S3_EXTRA_CHARS_MAX 255
#define S3_CHUNK_SIZE_DIGITS_MAX 16
#define S3_CHUNK_BYTES_MIN 8192                  /* every aws-chunk but the last */
#define S3_TRAILER_LINES_MAX 8
#define S3_TOKEN_CHARS_MAX 1024                  /* continuation tokens */
#define S3_BUCKETS_PAGE_MAX 10000
#define S3_CREDENTIAL_CHARS_MAX 256
#define S3_TARGET_BYTES_MAX 16384                /* request target as received */
#define S3_CONDITION_ETAGS_MAX 64                /* entity tags looked at in one If-Match or If-None-Match */

#endif
