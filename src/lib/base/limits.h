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
#define WIRE_RELEASE_ROWS_MAX 64                 /* rows of one RELEASE of a part set */
#define FORM_BYTES_MAX 65536                     /* fields of a POST form; body of an IAM or STS call */
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
#define PARTS_MAX 10000                          /* of one upload */
#define S3_OBJECT_BYTES_MAX 5497558138880ull     /* 5 TiB */
#define S3_TAGS_MAX 10                           /* of an object; a bucket has S3_BUCKET_TAGS_MAX */
#define S3_BUCKET_TAGS_MAX 50
#define S3_TAG_KEY_CHARS_MAX 128
#define S3_TAG_VALUE_CHARS_MAX 256
#define S3_TAGGING_BYTES_MAX 12288               /* ten tags in query form, every byte of four-byte characters escaped */
#define S3_CORS_RULES_MAX 100
#define S3_LIFECYCLE_RULES_MAX 1000
#define S3_POLICY_BYTES_MAX 20480
#define S3_CONFIG_DOC_BYTES_MAX 49152            /* a bucket's configuration as it is kept */
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
#define BLOB_INLINE_ALONE_BYTES_MAX (8192 + FRAME_TAG_BYTES)   /* and this small when its batch holds nothing else: one sync less */
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
#define COMMAND_BYTES_MAX (4 * 1024 * 1024)      /* a COMPLETE of PARTS_MAX parts */
#define EPOCH_MS 10000
#define PUBLISH_MS 500
#define WAL_FILE_BYTES (16 * 1024 * 1024)
#define TILE_LEAVES 256
#define TREE_LEVELS_MAX 64

/* wire, in lists and connections */
#define WIRE_DIGEST_BYTES_MAX 64
#define WIRE_ETAG_BYTES_MAX 96
#define WIRE_LOCATION_BYTES_MAX 64
#define WIRE_SEND_BUFFER_BYTES (1024 * 1024)
#define WIRE_READS_PER_TURN_MAX 4                /* recv() calls for one peer before the others have their turn */
#define WIRE_PUMP_READS_MAX 256                  /* more than any socket buffer holds */

/* conf */
#define CONF_QUOTAS_MAX 1024                     /* tenants with quotas of their own */

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

/* records and statements */
#define RECORD_INT_MAX 0x1fffffffffffffull       /* 2^53 - 1: what every JSON reader holds exactly */
#define RECORD_TEXT_BYTES_MAX 1024               /* one string in a leaf or statement */
#define RECORD_LIST_ITEMS_MAX 2048
#define RECORD_BUCKET_BYTES_MAX 255              /* of a bucket's name as it was asked for; what is longer is cut, and names none either */
#define RECORD_COMMITS_MAX 24                    /* commitments in one leaf */
#define SALT_BYTES 16
#define SLOT_SALT_BYTES 32
#define STATEMENT_SKEW_MS 900000                 /* the signer's clock and the gate's */
#define STATEMENT_NONCES_MAX 1048576             /* recorded within 2 * STATEMENT_SKEW_MS; one more is refused */
#define STATEMENT_NONCES_SIDE_MAX 32768          /* of one tenant's own people, of the provider's people about one tenant, of officers there */
#define STATEMENT_NONCES_KEY_MAX 8192            /* of one key */
#define STATEMENT_BYTES_MAX 8192
#define NONCE_BYTES 16
#define SSHSIG_CHARS_MAX 4096                    /* armored */
#define SSH_KEY_CHARS_MAX 2048                   /* a line of authorized_keys form */
#define SSH_PRIVATE_CHARS_MAX 4096
#define SSH_APPLICATION_BYTES_MAX 255
#define WEBAUTHN_CREDENTIAL_BYTES_MAX 512        /* its id; a term of RECORD_TEXT_BYTES_MAX holds it and the public key */
#define WEBAUTHN_CLIENT_DATA_BYTES_MAX 4096
#define WEBAUTHN_AUTH_DATA_BYTES_MAX 1024        /* 37 and extensions */
#define WEBAUTHN_SIG_BYTES_MAX 72                /* ES256 in DER; EdDSA is shorter */
#define ASSERTION_CHARS_MAX 8192                 /* all four of it in base64url, and the JSON around them */
#define SSH_FINGERPRINT_CHARS 50                 /* "SHA256:" and 43 base64 characters */

/* grave */
#define GRAVE_DEFAULT_MS 86400000ull
#define GRAVE_MIN_MS 60000ull

/* frame and keys */
#define FRAME_BLOB_BYTES_MAX S3_PUT_BYTES_MAX    /* one blob is one upload: an object or a part */
#define SECRET_BYTES_MAX 65536                   /* one secret; up to SECRET_SLOT_BYTES they share pages */
#define SECRET_SLOT_BYTES 64
#define SECRET_TOTAL_BYTES_MAX (256 * 1024 * 1024)
#define KEYS_RNG_BYTES 4080                      /* buffered per thread: a page, less its head */
#define KEYS_AAD_BYTES_MAX 4096
#define KEYS_SEAL_BYTES_MAX (4 * 1024 * 1024)    /* plaintext of one seal: a command of COMMAND_BYTES_MAX in the WAL */
#define KEYS_ROOT_FILE_BYTES_MAX 256

/* S3 grammar (s3 room) */
#define S3_EXTRA_MAX 6                           /* extra elements of one error document */
#define S3_EXTRA_CHARS_MAX 255
#define S3_CHUNK_SIZE_DIGITS_MAX 16
#define S3_CHUNK_BYTES_MIN 8192                  /* every aws-chunk but the last */
#define S3_CHUNKS_MAX (S3_PUT_BYTES_MAX / S3_CHUNK_BYTES_MIN + 2)  /* of one body: a short one and the empty one at the end */
#define S3_TRAILER_LINES_MAX 8
#define S3_TOKEN_CHARS_MAX 1536                  /* continuation tokens */
#define S3_BUCKETS_PAGE_MAX 10000
#define S3_CREDENTIAL_CHARS_MAX 256
#define S3_TARGET_BYTES_MAX 16384                /* request target as received */
#define S3_COMPLETE_BODY_BYTES_MAX (4 * 1024 * 1024)  /* PARTS_MAX parts, each with a checksum */
#define S3_XML_NODES_MAX 65536                   /* elements of one document: PARTS_MAX parts of four are 50001 */
#define S3_CONTROL_PATH_BYTES_MAX 512            /* an ARN in S3 Control's path */
#define S3_PART_NUMBERS_SHOWN_MAX 1000           /* parts of one page: ListParts, GetObjectAttributes */
#define S3_CORS_WORDS_MAX 100                    /* origins, headers or methods of one rule */
#define S3_LIFECYCLE_ID_CHARS_MAX 255
#define S3_LIFECYCLE_RULE_ELEMENTS_MAX 32        /* below one rule; eight kinds, of which transitions may stand more than once */
#define S3_LIFECYCLE_DAYS_MAX 2147483647u
#define S3_LIFECYCLE_NEWER_MAX 100
#define S3_FORM_BOUNDARY_CHARS_MAX 70            /* RFC 2046 */
#define S3_FORM_HEAD_BYTES_MAX 4096              /* headers of one part of a form */
#define S3_FORM_FIELDS_BYTES_MAX 20480           /* names and values before the file: AWS's 20 KB */
#define S3_FORM_FIELDS_MAX 100
#define S3_FORM_TAIL_FIELDS_MAX 100              /* parts behind the file, read past */
#define S3_POST_CONDITIONS_MAX 200
#define S3_QUERY_BODY_PARAMS_MAX 128             /* of an IAM or STS call */
#define S3_CONDITION_ETAGS_MAX 64                /* entity tags looked at in one If-Match or If-None-Match */

/* signed chunks on the wire */
#define WIRE_CHUNK_ROW_BYTES 64                  /* SHA-256 of the data, signature */
#define WIRE_CHUNK_ROWS_MAX 256                  /* of one CHUNKS: the gate computes as many HMACs in one turn */
#define WIRE_USAGE_ROW_BYTES 32                  /* of a usages list */

/* the gate's pipeline */
#define GATE_FRONTS_MAX 64                       /* connections of workers */
#define GATE_UNSIGNED_MAX 32                     /* narrowing and stored headers outside the signature */
#define GATE_IN_FLIGHT_PER_TENANT_MAX 4096       /* requests of one tenant past their first check; tickets counted */
#define GATE_POOL_SPARE_MAX 512                  /* request structs kept when idle */
#define GATE_REPEAT_MS 900000                    /* how long a signature is remembered: the skew that is allowed */
#define GATE_REPEATS_MAX (1024 * 1024)           /* exact entries, state-changing requests */
#define GATE_REPEATS_READ_MAX 65536              /* slots of the approximate table for reads */
#define GATE_SUMMARY_GAP_MS 30000                /* two summary leaves a minute and log */
#define GATE_READ_TRIES_MAX 3                    /* a read finds again so often, then takes the hold */
#define GATE_BATCHES_MAX 4                       /* DeleteObjects jobs at once, one a tenant */
#define GATE_BATCH_ITEMS_BYTES_MAX 48000         /* of one slice: an opening takes OPENING_BYTES_MAX, and the rest of it is small */
#define GATE_BATCH_MARKERS_MAX 32                /* of one slice: each is sealed in the turn of its leaf */
#define GATE_STATUS_BYTES_MAX (4 * 1024 * 1024)  /* status.json of TENANTS_MAX tenants */
#define QUOTA_RATE_MAX 1000000000u               /* requests a second */
#define QUOTA_BURST_MS 2000                      /* what a bucket of tokens holds */
#define GATE_SWEEP_MS 100                        /* looking for what waited too long for the keeper */
#define GATE_GRAVE_MARKS_MAX 128                 /* remembered due times of a tenant's grave */
#define GATE_PURGE_BUCKETS_MAX 10000
#define GATE_APPLY_QUEUED_BYTES (2 * 1024 * 1024) /* on their way to the keeper; APPLYs past it wait with their writes */
#define KEEPER_RETRY_MS 20
#define KEEPER_RETRY_SLOW_MS 1000                /* when the keeper said no for a reason that does not pass */
#define KEEPER_ASKS_MAX (32 * 1024)              /* FIND and SCAN outstanding */
#define ENTRY_ETAG_CHARS_MAX 63
#define ENTRY_FACTS_BYTES_MAX 256
#define ENTRY_META_BYTES_MAX 24576
#define ENTRY_KEYBOX_BYTES_MAX 384
#define ENTRY_NAME_BYTES_MAX (S3_KEY_BYTES_MAX + 1 + ID_BYTES + 2)   /* of a part: key, NUL, upload, number */
#define GATE_COMPLETES_MAX 64                    /* CompleteMultipartUploads at once, past their bodies */
#define GATE_PARTS_PAGE 1000                     /* rows of one SCAN of an upload's parts */
#define PART_ROW_BYTES_MAX 192                   /* a sealed part row */
#define ENTRY_BYTES_MAX 65536

/* front */
#define FLOW_SLOTS_MAX 8192                      /* requests in flight in one worker */
#define FLOW_UNITS 2                             /* reads of one GET under way */
#define FLOW_UNIT_FRAMES_MAX 4                   /* frames of one read from a blob file */
#define FLOW_READ_FRAMES_MAX 3                   /* frames of one READ: WIRE_DATA_BYTES_MAX holds no more */
#define FLOW_CHUNKS_MAX 2                        /* STAGE frames of one PUT that wait for the socket */
#define FLOW_CHUNK_ROWS 128                      /* signed chunks told to the gate together */
#define FLOW_PUTS_KEPT 16                        /* idle upload states a worker keeps for reuse */
#define FLOW_PIECES_MAX 64                       /* of one writev to a peer */
#define FLOW_LOG_READ_BYTES 65536
#define FAIR_KEYS_MAX 1024                       /* callers of one worker that are told apart */
#define FAIR_PEER_CHARS_MAX 48
#define FAIR_SHARES 16                           /* requests with the gate, of all callers, while there are few */
#define FAIR_SHARE_MIN 2                         /* of one caller, however many there are */
#define FAIR_UNPROVEN_MAX 4                      /* of those who sign wrongly */
#define FAIR_ACTIVE_MS 200                       /* who asked within counts as a caller */
#define FAIR_HOLD_MS 1000                        /* a request counts so long at most */
#define FAIR_WAIT_MS 10000                       /* and waits so long at most */
#define FAIR_FAILED_MS 10000                     /* a wrong signature is remembered */
#define FLOW_ALLOW_BYTES_MAX 64                  /* every method */
#define FLOW_CREDENTIAL_BYTES_MAX 256            /* that ASK can carry */
#define FLOW_LIST_HEADER_BYTES_MAX 4096          /* of a listing's answer: LISTING.headers' bound */
#define FLOW_FORMS_MAX 512                       /* forms and IAM bodies that one worker holds at once */
#define FLOW_FORM_PIECE_BYTES 8192               /* of a form's file looked at beyond the frame that is held back */
#define FLOW_FORM_BOUNDARY_BYTES_MAX 128         /* what a form's parser may hold back and give out with the next piece */
#define FLOW_XML_BYTES_MAX (8 * 1024 * 1024)     /* one page of a listing, every byte escaped */
#define FLOW_TICK_MS 100
#define FLOW_RECONNECT_MS 20
#define FLOW_PEER_IN_BYTES (384 * 1024)          /* one frame of WIRE_FRAME_BYTES_MAX and its header */
#define FLOW_METRICS_WORKERS_MAX 64

/* the gate's logbook */
#define LOGS_MAX (2 * TENANTS_MAX + 16)          /* two per tenant, and the gate's own */
#define WAL_BATCH_BYTES_MAX (8 * 1024 * 1024)    /* records of one batch; its rows come on top */
#define WAL_SPARE_FILES 3                        /* the reserve for a full disk */
#define WAL_ZERO_BYTES (256 * 1024)              /* zeros written at a time when a file is made */
#define LOGBOOK_TAIL_BYTES_MAX (128 * 1024 * 1024)  /* durable records not yet in flat files; more and nothing is accepted */
#define LOGBOOK_ROUND_MS 200                     /* between two rounds of the flusher */
#define LOGBOOK_SYNC_MS 50                       /* of syncing flat files before the flusher looks at its other work */
#define LOGBOOK_MARK_MS 1000                     /* a mark without a batch to ride in waits this long */
#define LOGBOOK_RETRY_MS 1000                    /* before the flusher tries a full disk again */
#define LOGBOOK_OPEN_LOGS 32                     /* logs whose flat files the flusher keeps open */
#define LOGBOOK_WRITE_BYTES (1024 * 1024)        /* of one log gathered for one write to its flat files */
#define LOGBOOK_CHECK_HASHES 2048                /* hashes read at a time by the background recomputation */
#define LOG_CLOCK_DEGRADED_MS 5000
#define LOG_CLOCK_REFUSED_MS 900000

/* keeper */
#define LOCATION_BYTES_MAX 64
#define ROW_KEY_BYTES_MAX 1088                   /* table byte, bucket, key, NUL, two numbers */
#define KEEPER_FRONTS_MAX 256
#define KEEPER_STAGES_MAX 32768                  /* granted or staged blobs */
#define KEEPER_STAGE_MEMORY_BYTES_MAX (256u * 1024 * 1024)  /* staged bytes in memory; past it credits are withheld */
#define KEEPER_SPILL_BYTES (256 * 1024)          /* a blob that may be large goes to its file from here on */
#define KEEPER_CREDIT_STEP_BYTES (256 * 1024)
#define KEEPER_PARK_MS 1000                      /* a STAGE may overtake its GRANT by this much */
#define KEEPER_QUEUE_MAX 65536                   /* APPLYs received and not settled */
#define KEEPER_BATCH_ITEMS_MAX 1024
#define KEEPER_BATCH_BYTES_MAX (16u * 1024 * 1024)
#define KEEPER_LOGS_MAX 20000                    /* two logs a tenant */
#define KEEPER_REOPEN_MS 200                     /* between attempts to reopen a failed engine */
#define KEEPER_IO_THREADS 2
#define KEEPER_READS_MAX 16384                   /* READs waiting for a disk, all fronts */
#define KEEPER_SCANS_MAX 1024
#define KEEPER_RESERVE_BYTES (128ull * 1024 * 1024)  /* free space below which writes stop */
#define KEEPER_RESERVE_SLACK_BYTES (16ull * 1024 * 1024)
#define KEEPER_BALLAST_BYTES (16u * 1024 * 1024) /* a file given up when the disk is full all the same */
#define KEEPER_SPACE_MS 250
#define SCAN_ANSWER_BYTES_MAX (2 * 1024 * 1024)  /* rows of one SCAN, all its frames */
#define PURGE_ENTRIES_MAX 10000
#define BATCH_ITEMS_MAX 1000
#define WIRE_PART_ROW_BYTES_MAX 302              /* of a part rows list: numbers, location and sealed row at their longest */
#define FOUND_PARTS_MAX 512                      /* part rows of one FOUND */
#define FOUND_PARTS_BYTES_MAX (180 * 1024)       /* and their bytes; what is left over is asked for with SET */
#define SETPART_PROBES_MAX 128                   /* seeks that find a part by its number: half of them halve the range of offsets */
#define GRAVE_LOOK_MAX 10000                     /* buried versions of one key that an UNDELETE looks at */

/* policy */
#define POLICY_OWNERS_MAX 16                     /* keys that genesis names */
#define POLICY_KEYS_MAX 10000                    /* access keys of a tenant, turned off ones too */
#define POLICY_READERS_MAX 4096                  /* log capabilities of a tenant, revoked ones too */
#define POLICY_CAPABILITY_BYTES_MAX 64
#define POLICY_USER_CHARS_MAX 64
#define POLICY_USERS_MAX 5000                    /* of a tenant, present ones */
#define POLICY_USER_POLICIES_MAX 10              /* inline, of one user */
#define POLICY_USER_POLICY_BYTES_MAX 2048        /* of all inline policies of a user, blanks outside strings not counted (AWS) */
#define POLICY_USER_KEYS_MAX 2                   /* access keys of one user (AWS) */
#define POLICY_USER_ID_CHARS 20
#define POLICY_NAME_CHARS_MAX 128
#define POLICY_PATH_CHARS_MAX 512
#define POLICY_DOC_BYTES_TOTAL_MAX (64 * 1024 * 1024)  /* documents of a tenant */
#define POLICY_STATEMENTS_MAX 512                /* of one document */
#define POLICY_JSON_DEPTH_MAX 8
#define POLICY_WILDCARD_STEPS_MAX 65536          /* of one match of one pattern: more is no match of an allow, and a match of a deny */
#define POLICY_CTX_BYTES_MAX 16384
#define POLICY_DECISION_STEPS_MAX 262144         /* of all matches of one decision */
#define POLICY_COMPILED_BYTES_MAX (2 * 1024 * 1024)    /* of one document */
#define POLICY_EXPANDED_BYTES_MAX 8192           /* a pattern with its variables put in */
#define POLICY_ARN_BYTES_MAX 640                 /* of a principal, or a resource of IAM */
#define POLICY_KEY_CHARS_MAX 256                 /* a condition key, its tag's key in it */
#define POLICY_NUMBER_UNIT 1000000               /* numbers in policies are counted in millionths */
#define POLICY_NUMBER_MAX 9000000000000ll        /* before the point */
#define POLICY_VALUE_TEXT_MAX 1280               /* a tag's value, decoded */

/* tillit-verify */
#define VERIFY_FINDINGS_MAX 100                  /* printed; more are counted */
#define VERIFY_PLACE_CHARS_MAX 1023              /* URL or directory of a log */
#define VERIFY_BUNDLE_BYTES_MAX (256 * (2 + 65535))
#define VERIFY_SLOT_LEVELS 20                    /* of the tree over the slots of the heads log */
#define VERIFY_SLOTS_MAX (1 << 18)
#define VERIFY_KEYS_MAX 100000000                /* keys and buckets a replay holds */
#define VERIFY_FETCH_SECONDS 60                  /* one tile */
#define VERIFY_SEEN_BYTES_MAX (16 * 1024 * 1024)
#define VERIFY_HEAD_TRIES_MAX 20                 /* looks for a head that covers an export, VERIFY_HEAD_WAIT_MS apart */
#define VERIFY_HEAD_WAIT_MS 200
#define VERIFY_SILENCE_MS (2 * EPOCH_MS)         /* a longer time between two epochs is told */

/* People and grants (policy/policy_access.h) */
#define POLICY_WORD_CHARS_MAX 64                 /* account, person, purpose, verb, category */
#define POLICY_TEXT_BYTES_MAX 512                /* a text for a person's eyes */
#define POLICY_WORDS_MAX 16                      /* verbs, categories, approvers of one statement */
#define POLICY_PERSONS_MAX 20000
#define POLICY_PERSON_KEYS_MAX 8
#define POLICY_PURPOSES_MAX 64
#define POLICY_APPROVERS_MAX 64
#define POLICY_APPROVER_KEYS_MAX 8
#define POLICY_RULES_MAX 256
#define POLICY_NEED_MAX 16
#define POLICY_RECOVERY_KEYS_MAX 16
#define POLICY_PROPOSALS_EACH_MAX 16             /* of one approver, that wait; one more is refused */
#define POLICY_PROPOSALS_MAX (POLICY_APPROVERS_MAX * POLICY_PROPOSALS_EACH_MAX)
#define POLICY_CUSTOMER_KEYS_MAX 8192            /* of approvers and for recovery, removed ones too */
#define POLICY_NOTICES_MAX 16
#define POLICY_GRANTS_OPEN_MAX 4096              /* of one tenant, not over */
#define POLICY_REQUESTS_EACH_MAX 128             /* of one person at one tenant, that wait: nobody's keep others from asking */
#define POLICY_GRANTS_MAX 1000000                /* of one tenant, ever */
#define GRANT_DURATION_MIN_MS 60000
#define GRANT_DURATION_MAX_MS 28800000           /* 8 h */
#define GRANT_LAPSE_MS 43200000                  /* 12 h */
#define GRANT_LAPSE_MIN_MS 900000                /* 15 min */
#define GRANT_LAPSE_MAX_MS 1209600000            /* 14 d */
#define PROPOSAL_LAPSE_MS 604800000              /* 7 d */
#define RECOVERY_DELAY_MS 604800000              /* 7 d */
#define TRAINING_MS 31536000000                  /* 365 d */
#define SCREENING_MS 63072000000                 /* 730 d */
#define REVIEW_MS 7776000000                     /* 90 d */
#define SESSION_MS_MAX 3600000                   /* temporary credentials, 1 h */
#define SESSION_BYTES_MAX 153                    /* a session before it is sealed: an account of POLICY_WORD_CHARS_MAX */
#define SESSION_TOKEN_CHARS_MAX 279              /* base64url of tenant id, seal and session */
#define WATCH_MS_MAX 3600000                     /* a look's watch, 1 h; its capability is shorter than SESSION_TOKEN_CHARS_MAX */
#define SESSIONS_KEPT 256                        /* opened sessions and their signing keys: slots of a table that forgets */
#define METER_SEGMENTS_MAX 2                     /* of a grant, released beyond what was reported sent */
#define METER_KILL_MS 500                        /* the front's time to stop a stream */
#define METER_STREAMS_MAX 128                    /* of a grant, waiting ones too: one more is told to slow down */
#define METER_STREAMS_TENANT_MAX 1024            /* of all grants of a tenant: its own requests keep the larger part of what it may have in flight */

/* notices (the steward) */
#define NOTICE_TARGETS_MAX 16384                 /* that are behind, all tenants: past it a tenant's log is looked at later */
#define NOTICE_TARGETS_TENANT_MAX 128            /* of one tenant: those it names, and those that it named before and were not told yet */
#define NOTICE_TARGET_BYTES_MAX RECORD_TEXT_BYTES_MAX
#define NOTICE_ROWS_MAX 32                       /* of one target in memory */
#define NOTICE_BYTES_MAX (16 * 1024 * 1024)      /* of all rows in memory */
#define NOTICE_SENDS_MAX 128                     /* calls at once */
#define NOTICE_SENDS_FAILING_MAX 96              /* of them to targets whose last call failed: they leave room to those that answer */
#define NOTICE_SENDS_PER_TENANT_MAX 4            /* slow targets of one tenant must not take all */
#define NOTICE_CURSORS_BYTES_MAX (32 * 1024 * 1024)  /* TENANTS_MAX lines, and NOTICE_TARGETS_MAX of the longest */
#define NOTICE_MAIL_BYTES_MAX 65536              /* an event in a person's words */
#define NOTICE_ALARMS_MAX 16                     /* of NOTICE_ALARMS_MS by the log's clock: what was refused past them is not told */
#define NOTICE_ALARMS_MS 10000
#define NOTICE_CA_BYTES_MAX (1024 * 1024)         /* the file of [notices] ca */
#define NOTICE_TEXT_CHARS_MAX 700                /* of one value in a mail */

#endif
