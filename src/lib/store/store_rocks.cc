/* SPDX-License-Identifier: Apache-2.0
 * store_rocks: RocksDB with every file sealed, silent, and with status codes instead of strings.
 * Role: the only C++ in Tillit and the only file that includes RocksDB. C++ because its C interface can set neither logger nor
 *   listener nor write buffer manager, and gives errors as text.
 * Trusts: the index key. Distrusts: its own directory: files torn by a power cut, written under another key, or not ours.
 * Spec: src/lib/store/store.h; traps: files of 1..4095 bytes abort RocksDB as Debian builds it (assertions on), so they are swept
 *   before it sees them; its info log is written in the clear with keys in hex, so it gets a logger that says nothing.
 */
#include "store/store_rocks.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/env_encryption.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/listener.h>
#include <rocksdb/options.h>
#include <rocksdb/table.h>
#include <rocksdb/utilities/table_properties_collectors.h>
#include <rocksdb/version.h>
#include <rocksdb/write_batch.h>
#include <rocksdb/write_buffer_manager.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <string>
#include <vector>

/* Mirrors no struct layouts, but the behaviour that the traps describe was read in exactly this version. */
static_assert(ROCKSDB_MAJOR == 7 && ROCKSDB_MINOR == 8, "the engine was measured and its traps found with RocksDB 7.8");

namespace {

constexpr size_t kHeaderBytes = 4096;
constexpr size_t kMagicBytes = 8;
constexpr char kMagic[kMagicBytes + 1] = "tillitR1"; /* the last character is the version */
constexpr size_t kSaltBytes = 32;
constexpr size_t kCheckBytes = 16;
constexpr size_t kBlock = 16;
constexpr size_t kCacheBytes = 32u << 20;
constexpr size_t kBufferBytes = 8u << 20;
constexpr size_t kBuffersBytes = 24u << 20;
constexpr size_t kWalBytes = 12u << 20;
/* A file with this many deletions among as many rows in a row is compacted at once: a scan walks over each tombstone, 0.2 us a piece. */
constexpr size_t kDeletionWindow = 8192;
constexpr size_t kDeletionTrigger = 4096;

/* The index key in a page of its own: locked, not dumped, wiped. */
struct LockedKey {
    uint8_t *p;
    explicit LockedKey(const uint8_t key[32]) {
        p = static_cast<uint8_t *>(mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
        if (p == MAP_FAILED) abort();
        (void)mlock(p, 4096);
        (void)madvise(p, 4096, MADV_DONTDUMP);
        memcpy(p, key, 32);
    }
    ~LockedKey() {
        OPENSSL_cleanse(p, 32);
        munmap(p, 4096);
    }
    LockedKey(const LockedKey &) = delete;
    LockedKey &operator=(const LockedKey &) = delete;
};

bool derive(const uint8_t *master, const uint8_t *salt, uint8_t what, uint8_t out[32]) {
    uint8_t in[kSaltBytes + 1];
    memcpy(in, salt, kSaltBytes);
    in[kSaltBytes] = what;
    unsigned n = 32;
    return HMAC(EVP_sha256(), master, 32, in, sizeof in, out, &n) != nullptr && n == 32;
}

/* One thread's cipher context, set up again only when the stream changes: key schedules are dear beside 8 KiB blocks. */
struct ThreadCipher {
    EVP_CIPHER_CTX *ctx = nullptr;
    uint64_t stream = 0;
    ~ThreadCipher() { EVP_CIPHER_CTX_free(ctx); }
};
thread_local ThreadCipher thread_cipher;
std::atomic<uint64_t> next_stream{1};

class CtrStream final : public rocksdb::BlockAccessCipherStream {
  public:
    explicit CtrStream(const uint8_t key[32]) : id_(next_stream.fetch_add(1)) { memcpy(key_, key, 32); }
    ~CtrStream() override { OPENSSL_cleanse(key_, sizeof key_); }
    size_t BlockSize() override { return kBlock; }
    rocksdb::Status Encrypt(uint64_t off, char *data, size_t n) override { return Xor(off, data, n); }
    rocksdb::Status Decrypt(uint64_t off, char *data, size_t n) override { return Xor(off, data, n); }

  protected:
    void AllocateScratch(std::string &) override {}
    rocksdb::Status EncryptBlock(uint64_t, char *, char *) override { return rocksdb::Status::NotSupported(); }
    rocksdb::Status DecryptBlock(uint64_t, char *, char *) override { return rocksdb::Status::NotSupported(); }

  private:
    rocksdb::Status Xor(uint64_t off, char *data, size_t n) {
        ThreadCipher &t = thread_cipher;
        if (t.ctx == nullptr) t.ctx = EVP_CIPHER_CTX_new();
        if (t.ctx == nullptr) return rocksdb::Status::IOError("cipher");
        uint8_t iv[kBlock] = {0};
        uint64_t block = off / kBlock;
        for (int i = 0; i < 8; i++) iv[15 - i] = static_cast<uint8_t>(block >> (8 * i));
        bool same = t.stream == id_;
        if (EVP_EncryptInit_ex(t.ctx, same ? nullptr : EVP_aes_256_ctr(), nullptr, same ? nullptr : key_, iv) != 1) {
            t.stream = 0;
            return rocksdb::Status::IOError("cipher");
        }
        t.stream = id_;
        uint8_t skip[kBlock] = {0};
        int got = 0;
        int head = static_cast<int>(off % kBlock);
        if (head > 0 && EVP_EncryptUpdate(t.ctx, skip, &got, skip, head) != 1) return rocksdb::Status::IOError("cipher");
        auto *p = reinterpret_cast<uint8_t *>(data);
        while (n > 0) {
            int step = n > (1u << 30) ? (1 << 30) : static_cast<int>(n);
            if (EVP_EncryptUpdate(t.ctx, p, &got, p, step) != 1 || got != step) return rocksdb::Status::IOError("cipher");
            p += step;
            n -= static_cast<size_t>(step);
        }
        return rocksdb::Status::OK();
    }
    uint8_t key_[32];
    uint64_t id_;
};

class SealedFiles final : public rocksdb::EncryptionProvider {
  public:
    explicit SealedFiles(std::shared_ptr<LockedKey> key) : key_(std::move(key)) {}
    const char *Name() const override { return "tillit"; }
    size_t GetPrefixLength() const override { return kHeaderBytes; }
    rocksdb::Status CreateNewPrefix(const std::string &, char *prefix, size_t n) const override {
        if (n != kHeaderBytes) return rocksdb::Status::InvalidArgument("header size");
        memset(prefix, 0, n);
        memcpy(prefix, kMagic, kMagicBytes);
        auto *salt = reinterpret_cast<uint8_t *>(prefix) + kMagicBytes;
        uint8_t check[32];
        if (RAND_bytes(salt, kSaltBytes) != 1 || !derive(key_->p, salt, 2, check)) return rocksdb::Status::IOError("random");
        memcpy(salt + kSaltBytes, check, kCheckBytes);
        return rocksdb::Status::OK();
    }
    rocksdb::Status AddCipher(const std::string &, const char *, size_t, bool) override { return rocksdb::Status::NotSupported(); }
    rocksdb::Status CreateCipherStream(const std::string &, const rocksdb::EnvOptions &, rocksdb::Slice &prefix,
                                       std::unique_ptr<rocksdb::BlockAccessCipherStream> *out) override {
        if (prefix.size() < kHeaderBytes || memcmp(prefix.data(), kMagic, kMagicBytes) != 0)
            return rocksdb::Status::Corruption("not a file of this store");
        const auto *salt = reinterpret_cast<const uint8_t *>(prefix.data()) + kMagicBytes;
        uint8_t check[32];
        uint8_t file_key[32];
        if (!derive(key_->p, salt, 2, check) || !derive(key_->p, salt, 1, file_key)) return rocksdb::Status::IOError("cipher");
        if (CRYPTO_memcmp(check, salt + kSaltBytes, kCheckBytes) != 0) {
            wrong_key = true;
            return rocksdb::Status::Corruption("wrong key");
        }
        out->reset(new CtrStream(file_key));
        OPENSSL_cleanse(file_key, sizeof file_key);
        return rocksdb::Status::OK();
    }
    std::atomic<bool> wrong_key{false};

  private:
    std::shared_ptr<LockedKey> key_;
};

/* RocksDB's own log holds object names in hex; nothing of it is kept. */
class SilentLogger final : public rocksdb::Logger {
  public:
    SilentLogger() : rocksdb::Logger(rocksdb::InfoLogLevel::FATAL_LEVEL) {}
    using rocksdb::Logger::Logv;
    void Logv(const char *, va_list) override {}
    void Logv(const rocksdb::InfoLogLevel, const char *, va_list) override {}
    void LogHeader(const char *, va_list) override {}
};

/* Remembers that something failed behind our back: the next write says so instead of going on with a half-dead engine. */
class Listener final : public rocksdb::EventListener {
  public:
    void OnBackgroundError(rocksdb::BackgroundErrorReason, rocksdb::Status *s) override {
        if (s->severity() >= rocksdb::Status::Severity::kFatalError) fatal = true;
    }
    std::atomic<bool> fatal{false};
};

} // namespace

struct store_rocks {
    std::shared_ptr<LockedKey> key;
    std::shared_ptr<SealedFiles> provider;
    std::unique_ptr<rocksdb::Env> env;
    std::shared_ptr<Listener> listener;
    std::unique_ptr<rocksdb::DB> db;
    std::vector<rocksdb::ColumnFamilyHandle *> tables;
    rocksdb::WriteBatch batch;
};

namespace {

int code_of(const rocksdb::Status &s) {
    if (s.ok()) return STORE_ROCKS_OK;
    if (s.IsNotFound()) return STORE_ROCKS_MISSING;
    if (s.IsNoSpace()) return STORE_ROCKS_FULL;
    if (s.IsCorruption()) return STORE_ROCKS_CORRUPT;
    return STORE_ROCKS_IO;
}

bool ends_with(const std::string &s, const char *end) {
    size_t n = strlen(end);
    return s.size() >= n && s.compare(s.size() - n, n, end) == 0;
}

/* Trap 1: see the head of this file. What is cut or removed here was never acknowledged: its header was not even complete. */
int sweep(const char *dir, char *message, size_t message_n) {
    DIR *d = opendir(dir);
    if (d == nullptr) {
        snprintf(message, message_n, "cannot list %s: %s", dir, strerror(errno));
        return STORE_ROCKS_IO;
    }
    int rc = STORE_ROCKS_OK;
    while (const struct dirent *e = readdir(d)) {
        std::string name = e->d_name;
        struct stat st;
        if (fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(st.st_mode) || st.st_size == 0 || name == "LOCK")
            continue;
        bool root = name == "CURRENT" || name.rfind("MANIFEST-", 0) == 0;
        if (st.st_size < static_cast<off_t>(kHeaderBytes)) {
            if (name == "CURRENT") {
                snprintf(message, message_n, "%s/CURRENT is torn or was not written by this store: put the index back from a copy", dir);
                rc = STORE_ROCKS_CORRUPT;
                break;
            }
            bool cut = ends_with(name, ".log") || ends_with(name, ".sst") || root;
            int done = -1;
            if (cut) {
                int fd = openat(dirfd(d), e->d_name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
                if (fd >= 0) {
                    done = ftruncate(fd, 0) == 0 ? fsync(fd) : -1;
                    close(fd);
                }
            } else {
                done = unlinkat(dirfd(d), e->d_name, 0);
            }
            if (done != 0) {
                snprintf(message, message_n, "cannot clear a torn file in %s: %s", dir, strerror(errno));
                rc = errno == ENOSPC ? STORE_ROCKS_FULL : STORE_ROCKS_IO;
                break;
            }
            continue;
        }
        if (!root) continue;
        char magic[kMagicBytes] = {0};
        int fd = openat(dirfd(d), e->d_name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        ssize_t n = fd < 0 ? -1 : pread(fd, magic, sizeof magic, 0);
        if (fd >= 0) close(fd);
        if (n == static_cast<ssize_t>(sizeof magic) && memcmp(magic, kMagic, kMagicBytes) == 0) continue;
        bool newer = n == static_cast<ssize_t>(sizeof magic) && memcmp(magic, kMagic, kMagicBytes - 1) == 0;
        snprintf(message, message_n, newer ? "the index in %s was written by a newer version: run that one"
                                           : "the index in %s was not written by this store: put it back from a copy", dir);
        rc = newer ? STORE_ROCKS_VERSION : STORE_ROCKS_CORRUPT;
        break;
    }
    closedir(d);
    return rc;
}

rocksdb::ColumnFamilyOptions table_options(const std::shared_ptr<rocksdb::Cache> &cache) {
    rocksdb::BlockBasedTableOptions t;
    t.block_cache = cache;
    t.block_size = 8192;
    t.format_version = 5;
    t.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
    t.index_type = rocksdb::BlockBasedTableOptions::kTwoLevelIndexSearch;
    t.partition_filters = true;
    t.metadata_block_size = 4096;
    t.cache_index_and_filter_blocks = true;
    t.cache_index_and_filter_blocks_with_high_priority = true;
    t.pin_l0_filter_and_index_blocks_in_cache = true;
    rocksdb::ColumnFamilyOptions c;
    c.table_factory.reset(rocksdb::NewBlockBasedTableFactory(t));
    c.table_properties_collector_factories.push_back(rocksdb::NewCompactOnDeletionCollectorFactory(kDeletionWindow, kDeletionTrigger));
    c.write_buffer_size = kBufferBytes;
    c.max_write_buffer_number = 3;
    c.compression = rocksdb::kNoCompression;
    c.level_compaction_dynamic_level_bytes = true;
    c.target_file_size_base = 16u << 20;
    c.max_bytes_for_level_base = 64u << 20;
    return c;
}

rocksdb::DBOptions db_options(store_rocks *r, const std::shared_ptr<rocksdb::Cache> &cache) {
    rocksdb::DBOptions o;
    o.env = r->env ? r->env.get() : rocksdb::Env::Default();
    o.info_log = std::make_shared<SilentLogger>();
    o.listeners.push_back(r->listener);
    o.create_if_missing = true;
    o.create_missing_column_families = true;
    o.write_buffer_manager = std::make_shared<rocksdb::WriteBufferManager>(kBuffersBytes, cache);
    o.max_total_wal_size = kWalBytes;
    o.bytes_per_sync = 1u << 20;
    o.max_background_jobs = 2;
    o.max_open_files = 256;
    o.max_file_opening_threads = 4;
    o.skip_stats_update_on_db_open = true;
    o.paranoid_checks = true;
    o.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
    o.stats_dump_period_sec = 0;
    o.stats_persist_period_sec = 0;
    o.recycle_log_file_num = 0; /* recycling would reuse a keystream */
    return o;
}

} // namespace

extern "C" {

int store_rocks_open(const char *dir, const uint8_t key[32], int clear, struct store_rocks **out, char *message, size_t message_n) {
    *out = nullptr;
    if (mkdir(dir, 0700) != 0 && errno != EEXIST) {
        snprintf(message, message_n, "cannot make %s: %s", dir, strerror(errno));
        return errno == ENOSPC ? STORE_ROCKS_FULL : STORE_ROCKS_IO;
    }
    auto r = std::make_unique<store_rocks>();
    r->listener = std::make_shared<Listener>();
    if (!clear) {
        int rc = sweep(dir, message, message_n);
        if (rc != STORE_ROCKS_OK) return rc;
        r->key = std::make_shared<LockedKey>(key);
        r->provider = std::make_shared<SealedFiles>(r->key);
        r->env.reset(rocksdb::NewEncryptedEnv(rocksdb::Env::Default(), r->provider));
    }
    auto cache = rocksdb::NewLRUCache(kCacheBytes);
    rocksdb::ColumnFamilyOptions c = table_options(cache);
    std::vector<rocksdb::ColumnFamilyDescriptor> families = {{rocksdb::kDefaultColumnFamilyName, c}, {"blob", c}};
    rocksdb::DB *db = nullptr;
    rocksdb::Status s = rocksdb::DB::Open(db_options(r.get(), cache), dir, families, &r->tables, &db);
    if (!s.ok()) {
        bool wrong = r->provider && r->provider->wrong_key;
        if (wrong) snprintf(message, message_n, "the index in %s was written under another key: the gate's root key or state is not the one of this directory", dir);
        else snprintf(message, message_n, "the index does not open: %s", s.ToString().c_str());
        return wrong ? static_cast<int>(STORE_ROCKS_WRONG_KEY) : code_of(s);
    }
    r->db.reset(db);
    *out = r.release();
    return STORE_ROCKS_OK;
}

void store_rocks_close(struct store_rocks *r) {
    if (r == nullptr) return;
    for (rocksdb::ColumnFamilyHandle *h : r->tables) r->db->DestroyColumnFamilyHandle(h).PermitUncheckedError();
    r->db->Close().PermitUncheckedError();
    r->db.reset();
    delete r;
}

/* A thread's pins are few and short; these are reused so that a get allocates nothing. */
struct RocksPin {
    rocksdb::PinnableSlice slice;
    bool used = false;
};
static thread_local RocksPin pins[4];

int store_rocks_get(struct store_rocks *r, const void *snap, int table, const uint8_t *key, size_t key_n, const uint8_t **value,
                    size_t *value_n, void **pin) {
    RocksPin *p = nullptr;
    for (RocksPin &one : pins)
        if (!one.used) p = &one;
    if (p == nullptr) abort(); /* more than four values held by one thread: our mistake */
    rocksdb::ReadOptions o;
    o.snapshot = static_cast<const rocksdb::Snapshot *>(snap);
    rocksdb::Status s = r->db->Get(o, r->tables[static_cast<size_t>(table)], rocksdb::Slice(reinterpret_cast<const char *>(key), key_n), &p->slice);
    if (!s.ok()) {
        p->slice.Reset();
        return code_of(s);
    }
    p->used = true;
    *value = reinterpret_cast<const uint8_t *>(p->slice.data());
    *value_n = p->slice.size();
    *pin = p;
    return STORE_ROCKS_OK;
}

void store_rocks_unpin(void *pin) {
    auto *p = static_cast<RocksPin *>(pin);
    p->slice.Reset();
    p->used = false;
}

void store_rocks_batch_clear(struct store_rocks *r) { r->batch.Clear(); }

void store_rocks_batch_put(struct store_rocks *r, int table, const uint8_t *key, size_t key_n, const uint8_t *value, size_t value_n) {
    r->batch.Put(r->tables[static_cast<size_t>(table)], rocksdb::Slice(reinterpret_cast<const char *>(key), key_n),
                 rocksdb::Slice(reinterpret_cast<const char *>(value), value_n)).PermitUncheckedError();
}

void store_rocks_batch_del(struct store_rocks *r, int table, const uint8_t *key, size_t key_n) {
    r->batch.Delete(r->tables[static_cast<size_t>(table)], rocksdb::Slice(reinterpret_cast<const char *>(key), key_n)).PermitUncheckedError();
}

int store_rocks_batch_write(struct store_rocks *r) {
    if (r->listener->fatal) return STORE_ROCKS_IO;
    rocksdb::WriteOptions o;
    o.sync = true;
    return code_of(r->db->Write(o, &r->batch));
}

int store_rocks_flush(struct store_rocks *r) {
    rocksdb::FlushOptions o;
    o.wait = true;
    return code_of(r->db->Flush(o, r->tables));
}

const void *store_rocks_snap_open(struct store_rocks *r) { return r->db->GetSnapshot(); }
void store_rocks_snap_close(struct store_rocks *r, const void *snap) {
    r->db->ReleaseSnapshot(static_cast<const rocksdb::Snapshot *>(snap));
}

struct RocksIter {
    std::string upper;
    rocksdb::Slice upper_slice;
    std::unique_ptr<rocksdb::Iterator> it;
};

void *store_rocks_iter_open(struct store_rocks *r, const void *snap, int table, const uint8_t *upper, size_t upper_n) {
    auto *i = new RocksIter;
    i->upper.assign(reinterpret_cast<const char *>(upper), upper_n);
    i->upper_slice = i->upper;
    rocksdb::ReadOptions o;
    o.snapshot = static_cast<const rocksdb::Snapshot *>(snap);
    o.iterate_upper_bound = &i->upper_slice;
    i->it.reset(r->db->NewIterator(o, r->tables[static_cast<size_t>(table)]));
    return i;
}

void store_rocks_iter_close(void *it) { delete static_cast<RocksIter *>(it); }
void store_rocks_iter_seek(void *it, const uint8_t *key, size_t key_n) {
    static_cast<RocksIter *>(it)->it->Seek(rocksdb::Slice(reinterpret_cast<const char *>(key), key_n));
}
void store_rocks_iter_seek_back(void *it, const uint8_t *key, size_t key_n) {
    static_cast<RocksIter *>(it)->it->SeekForPrev(rocksdb::Slice(reinterpret_cast<const char *>(key), key_n));
}
void store_rocks_iter_next(void *it) { static_cast<RocksIter *>(it)->it->Next(); }
int store_rocks_iter_valid(void *it) { return static_cast<RocksIter *>(it)->it->Valid(); }
void store_rocks_iter_key(void *it, const uint8_t **p, size_t *n) {
    rocksdb::Slice s = static_cast<RocksIter *>(it)->it->key();
    *p = reinterpret_cast<const uint8_t *>(s.data());
    *n = s.size();
}
void store_rocks_iter_value(void *it, const uint8_t **p, size_t *n) {
    rocksdb::Slice s = static_cast<RocksIter *>(it)->it->value();
    *p = reinterpret_cast<const uint8_t *>(s.data());
    *n = s.size();
}
int store_rocks_iter_status(void *it) { return code_of(static_cast<RocksIter *>(it)->it->status()); }

} // extern "C"
