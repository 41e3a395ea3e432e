// Collects indicators and lays them out as a snapshot.
#pragma once
#include "snapshot.hpp"
#include <vector>

namespace indicia {

class Builder {
  public:
    explicit Builder(const byte secret[16]);
    // False: the value is not canonical for its type; nothing is kept of it.
    bool add(Kind kind, Text canonical, u64 id, u32 ruling, i64 expires);
    void write(const std::string &path, u64 changeset, const byte chain[32], Text about);
    std::vector<byte> to_bytes(u64 changeset, const byte chain[32], Text about);

  private:
    struct Row {
        u64 id;
        i64 expires;
        u32 ruling;
        u32 is_host;  // no indicator: the key is the host of a URL
    };
    struct Rows {
        std::vector<byte> keys;  // of KEY_BYTES each; names and URLs: b of the digest, place in the texts
        std::vector<u64> hashes;
        std::vector<Row> rows;
    };
    struct Sorted {
        std::vector<u32> order;  // rows by hash, then key, then id
        u64 keys = 0;
        u64 entries = 0;
        u64 buckets = 0;
    };
    struct Layout {
        Header header;
        std::vector<Sorted> tables;
    };
    void add_key(TableId id, const byte *key, u64 hash, const Row &row);
    void add_text(TableId id, Digest d, Text text, const Row &row);
    bool add_url(Text url, const Row &row);
    void add_host(const UrlParts &parts);
    bool same_key(TableId id, u32 a, u32 b) const;
    Sorted sort(TableId id) const;
    Layout lay_out(u64 changeset, const byte chain[32], Text about) const;
    void emit(Layout &layout, Text about, byte *out) const;
    void emit_table(TableId id, const Sorted &sorted, const Header &header, byte *out) const;
    void emit_filters(const Header &header, byte *out) const;

    byte raw_secret_[16];
    Secret secret_;
    Rows tables_[TABLES];
    std::vector<byte> texts_;
    u64 count_ = 0;
    bool has_single_labels_ = false;
    u64 net4_lengths_ = 0;
    u64 net6_lengths_[3] = {};
};

}  // namespace indicia
