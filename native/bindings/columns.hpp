// A column of values in Python's, numpy's or Arrow's memory, read where it lies.
#pragma once
#include "kernel/spelling.hpp"

#include <nanobind/nanobind.h>

#include <vector>

namespace indicia {

struct ArrowSchema;
struct ArrowArray;

// Made with the GIL held; `at` and the rest need it not: what was given stays alive and is not changed meanwhile.
class Column {
  public:
    explicit Column(nanobind::handle values);  // raises TypeError or ValueError
    ~Column();
    Column(const Column &) = delete;
    Column &operator=(const Column &) = delete;

    std::size_t size() const { return size_; }
    bool is_binary() const { return is_binary_; }
    bool has_nulls() const { return validity_ != nullptr; }
    // The bytes of all values, one after the other, where each has just `width`; else null.
    const byte *raw_of_width(std::size_t width) const { return form_ == FIXED && is_binary_ && !trim_ && width_ == width ? data_ : nullptr; }
    // Empty where there is no value.
    Text at(std::size_t i) const;
    // The n values from `first`.
    void read(std::size_t first, std::size_t n, Text *out) const;

  private:
    enum Form { TEXTS, FIXED, WIDE, OFFSETS_32, OFFSETS_64, VIEWS };
    void from_sequence(nanobind::handle values);
    bool from_arrow(nanobind::handle values);
    bool from_buffer(nanobind::handle values);
    bool is_null(std::size_t i) const {
        std::size_t bit = i + offset_;
        return validity_ && !(validity_[bit >> 3] >> (bit & 7) & 1);
    }

    Form form_ = TEXTS;
    std::size_t size_ = 0, width_ = 0, stride_ = 0, offset_ = 0;
    bool is_binary_ = false, trim_ = false;
    const byte *data_ = nullptr, *offsets_ = nullptr, *validity_ = nullptr;
    const void *const *buffers_ = nullptr;
    std::size_t data_buffers_ = 0;
    std::vector<Text> texts_;
    std::vector<char> narrowed_;
    nanobind::object owner_;
    Py_buffer view_{};
    bool has_view_ = false;
};

}  // namespace indicia
