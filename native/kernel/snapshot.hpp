// An immutable snapshot, in memory or mapped from a file: what it knows, and what of it matches something seen.
//
// Whatever is in the file, no call reads outside it: sections are held to the file at open, positions to their
// section at every use. A damaged file may give wrong answers until `verify` has read it; it cannot crash.
#pragma once
#include "format.hpp"
#include "line_table.hpp"
#include "spelling.hpp"
#include <memory>
#include <vector>

namespace indicia {

// A key of the snapshot: its table, and its position in it.
struct Ref {
    u32 table;
    u32 position;
};
inline u64 packed(Ref r) { return static_cast<u64>(r.table) << 32 | r.position; }
inline Ref unpacked(u64 v) { return {static_cast<u32>(v >> 32), static_cast<u32>(v)}; }

struct Table {
    LineTable lines;
    const byte *keys = nullptr;
    const byte *firsts = nullptr;  // count + 1 numbers
    const byte *entries = nullptr;
    u64 entry_count = 0;
};

struct Range {
    u64 begin, end;
};

class Snapshot {
  public:
    static std::shared_ptr<const Snapshot> open(const std::string &path);
    // Keeps `owner` alive; `data` is aligned to 64 bytes or copied.
    static std::shared_ptr<const Snapshot> of(const byte *data, std::size_t size);
    ~Snapshot();
    Snapshot(const Snapshot &) = delete;
    Snapshot &operator=(const Snapshot &) = delete;

    const Header &header() const { return *header_; }
    std::size_t size() const { return size_; }
    Text about() const { return Text(reinterpret_cast<const char *>(at(S_ABOUT)), section(S_ABOUT).size); }
    const Table &table(TableId id) const { return tables_[id]; }
    const Secret &secret() const { return secret_; }
    void verify() const;  // throws SnapshotError

    // The indicators about a key: positions in the table's entries.
    Range entries_of(Ref ref) const;
    bool is_url_host(Ref ref) const;
    Entry entry(u32 table, u64 position) const;
    std::string canonical(Ref ref) const;
    Kind kind_of(u32 table) const;

    // Look-ups of whole keys.
    u64 hash_of_key(TableId id, const byte *key) const;
    i64 find_key(TableId id, const byte *key, u64 hash) const;
    i64 find_text(TableId id, Digest d, Text first, Text second = {}) const;  // the text is first + second
    Digest name_digest(Text name) const;
    Digest url_digest(Text url) const;

    bool find(Kind kind, Text canonical, std::vector<Ref> &out) const;   // exactly this value
    bool match(Kind kind, Text canonical, std::vector<Ref> &out) const;  // all that keys_of names
    void match_v4(u32 address, std::vector<Ref> &out, u32 longest = 32, bool whole = true) const;
    void match_v6(const byte *address, std::vector<Ref> &out, u32 longest = 128, bool whole = true) const;
    void match_name(Text name, std::vector<Ref> &out) const;
    void match_url(Text url, std::vector<Ref> &out) const;
    bool v4_may_match(u32 address) const {
        const byte *bits = v4_bits_;
        return bits && (bits[address >> 11] >> (address >> 8 & 7) & 1);
    }
    void prefetch_v4(u32 address) const {
        if (v4_bits_) prefetch(v4_bits_ + (address >> 11));
    }
    bool last_label_may_match(u64 chained) const {
        return last_labels_ && (last_labels_[(chained & 0xffff) >> 3] >> (chained & 7) & 1);
    }
    bool has(TableId id) const { return tables_[id].lines.count != 0; }

  private:
    Snapshot() = default;
    void map(const byte *data, std::size_t size);
    const Section &section(u32 id) const { return header_->section[id]; }
    const byte *at(u32 id) const { return data_ + section(id).offset; }
    void keep(TableId id, i64 found, std::vector<Ref> &out) const;
    void match_networks(TableId id, const byte *address, u32 bytes, u32 longest, std::vector<Ref> &out) const;

    const byte *data_ = nullptr;
    std::size_t size_ = 0;
    void *mapped_ = nullptr;
    byte *owned_ = nullptr;
    const Header *header_ = nullptr;
    Secret secret_{};
    Table tables_[TABLES];
    const byte *texts_ = nullptr;
    u64 text_bytes_ = 0;
    const byte *v4_bits_ = nullptr;
    const byte *last_labels_ = nullptr;
};

// How keys are hashed; the builder and the snapshot share it.
u64 hash_key(const Secret &k, const byte *key, std::size_t bytes);
Digest digest_name(const Secret &k, Text name);
Digest digest_site(const Secret &k, Text site);
Digest digest_url(const Secret &k, Text url);
constexpr u64 FOLD = 0x2020202020202020ull;  // exact on [A-Za-z0-9._-]
constexpr Digest ROOT{0x243f6a8885a308d3ull, 0x13198a2e03707344ull};
constexpr u64 QUERY = 0xa4093822299f31d0ull;  // tells a query from a segment

}  // namespace indicia
