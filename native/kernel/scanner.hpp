// Finds the records of a log that can hold anything the snapshots know: one walk over the raw bytes.
//
// It may name a record in vain, it never misses one: what a sensor can read out of a record as an observable is, in
// the raw bytes, one of the things that `Scanner::chunk` looks at, or marks the record unseen where it is spelled
// otherwise (escapes, percent signs, other scripts). A test compares it with parsing everything.
#pragma once
#include "classes.hpp"
#include "snapshot.hpp"
#include <memory>
#include <vector>

namespace indicia {

struct Span {
    i64 line, begin, end;
};

struct ScanOptions {
    bool json = false;      // a string before a colon is a key: nothing in it counts
    bool comments = false;  // every line that begins with # counts
    bool csv = false;       // a record may hold newlines between quotes
    Code code = best_code();
};

class Scanner {
  public:
    Scanner(std::vector<std::shared_ptr<const Snapshot>> snapshots, ScanOptions options);
    std::size_t whole(const byte *data, std::size_t n) const;
    // Appends the candidate records of data[0..n), in order; returns the number of lines.
    i64 scan(const byte *data, std::size_t n, std::vector<Span> &out) const;

  private:
    struct Work;
    // Where the chunk from `start` ends; `torn` where that may be inside of what a sensor reads as one.
    std::size_t chunk_end(const byte *data, std::size_t n, std::size_t start, bool &torn) const;
    void chunk(Work &w) const;
    void hashes(Work &w) const;
    void dotted(Work &w) const;
    void v6_runs(Work &w) const;
    void escapes(Work &w) const;
    bool is_dot(const Work &w, std::size_t p, u32 code) const;
    bool is_in_a_name(const Work &w, std::size_t p, std::size_t &run_end) const;
    void authorities(Work &w) const;
    void other_scripts(Work &w) const;
    void single_labels(Work &w) const;
    void comment_lines(Work &w) const;
    void hash_token(Work &w, std::size_t begin, std::size_t end) const;
    void dotted_token(Work &w, std::size_t begin, std::size_t end) const;
    bool is_v4(const Work &w, std::size_t begin, std::size_t n, u32 &out) const;
    void name(Work &w, std::size_t begin, std::size_t end) const;
    bool is_single_label(const byte *p, std::size_t n) const;
    void v6_token(Work &w, std::size_t begin, std::size_t end) const;
    void thumbprint(Work &w, std::size_t begin, std::size_t end) const;
    void authority(Work &w, std::size_t at) const;
    void flush_names(Work &w) const;
    void flush_addresses(Work &w) const;
    bool holds_v4(const Snapshot &s, u32 address, std::vector<Ref> &found) const;
    void flush_hashes(Work &w) const;
    void spans(Work &w, std::vector<Span> &out) const;
    void csv_spans(Work &w, std::vector<Span> &out) const;

    std::vector<std::shared_ptr<const Snapshot>> snapshots_;
    ScanOptions options_;
    Classify classify_;
    bool any_hash_ = false, any_name_ = false, any_v4_ = false, any_v6_ = false, any_single_ = false, any_thumb_ = false;
};

}  // namespace indicia
