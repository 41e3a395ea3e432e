#include "columns.hpp"

#include <algorithm>
#include <string>

namespace nb = nanobind;

namespace indicia {

// The Arrow C data interface, as its specification has it.
struct ArrowSchema {
    const char *format, *name, *metadata;
    i64 flags, n_children;
    ArrowSchema **children;
    ArrowSchema *dictionary;
    void (*release)(ArrowSchema *);
    void *private_data;
};
struct ArrowArray {
    i64 length, null_count, offset, n_buffers, n_children;
    const void **buffers;
    ArrowArray **children;
    ArrowArray *dictionary;
    void (*release)(ArrowArray *);
    void *private_data;
};

Column::Column(nb::handle values) {
    if (PyList_Check(values.ptr()) || PyTuple_Check(values.ptr())) from_sequence(values);
    else if (!from_arrow(values) && !from_buffer(values))
        throw nb::type_error("values are a list or tuple of str, an Arrow array, or a numpy array of strings or digests");
}

Column::~Column() {
    if (has_view_) PyBuffer_Release(&view_);
}

Text Column::at(std::size_t i) const {
    const char *data = reinterpret_cast<const char *>(data_);
    switch (form_) {
    case TEXTS: return texts_[i];
    case FIXED: {
        if (is_null(i)) return {};
        const char *p = data + stride_ * i;
        std::size_t n = width_;
        while (trim_ && n && p[n - 1] == 0) n--;
        return {p, n};
    }
    case WIDE: {
        const char *p = narrowed_.data() + width_ * i;
        std::size_t n = width_;
        while (n && p[n - 1] == 0) n--;
        return {p, n};
    }
    case OFFSETS_32: {
        if (is_null(i)) return {};
        u32 begin = load32(offsets_ + 4 * (i + offset_)), end = load32(offsets_ + 4 * (i + offset_) + 4);
        return {data + begin, end - begin};
    }
    case OFFSETS_64: {
        if (is_null(i)) return {};
        u64 begin = load64(offsets_ + 8 * (i + offset_)), end = load64(offsets_ + 8 * (i + offset_) + 8);
        return {data + begin, end - begin};
    }
    case VIEWS: {
        if (is_null(i)) return {};
        const byte *view = data_ + 16 * (i + offset_);
        u32 length = load32(view), buffer = load32(view + 8), begin = load32(view + 12);
        if (length <= 12) return {reinterpret_cast<const char *>(view + 4), length};
        if (buffer >= data_buffers_) return {};
        return {static_cast<const char *>(buffers_[2 + buffer]) + begin, length};
    }
    }
    return {};
}

void Column::read(std::size_t first, std::size_t n, Text *out) const {
    const char *data = reinterpret_cast<const char *>(data_);
    if (form_ == OFFSETS_32 && !validity_) {
        const byte *offsets = offsets_ + 4 * (first + offset_);
        u32 begin = load32(offsets);
        for (std::size_t i = 0; i < n; i++) {
            u32 end = load32(offsets + 4 * i + 4);
            out[i] = {data + begin, end - begin};
            begin = end;
        }
        return;
    }
    if (form_ == TEXTS) {
        std::copy(texts_.begin() + static_cast<std::ptrdiff_t>(first), texts_.begin() + static_cast<std::ptrdiff_t>(first + n), out);
        return;
    }
    for (std::size_t i = 0; i < n; i++) out[i] = at(first + i);
}

void Column::from_sequence(nb::handle values) {
    owner_ = nb::steal(PySequence_Tuple(values.ptr()));  // holds every text, whatever happens to the list meanwhile
    if (!owner_.is_valid()) throw nb::python_error();
    size_ = static_cast<std::size_t>(PyTuple_GET_SIZE(owner_.ptr()));
    texts_.resize(size_);
    for (std::size_t i = 0; i < size_; i++) {
        PyObject *item = PyTuple_GET_ITEM(owner_.ptr(), static_cast<Py_ssize_t>(i));
        if (item == Py_None) continue;
        if (PyBytes_Check(item)) {
            texts_[i] = {PyBytes_AS_STRING(item), static_cast<std::size_t>(PyBytes_GET_SIZE(item))};
            continue;
        }
        Py_ssize_t n = 0;
        const char *text = PyUnicode_Check(item) ? PyUnicode_AsUTF8AndSize(item, &n) : nullptr;
        if (!text && PyErr_Occurred()) PyErr_Clear();  // a lone surrogate: no value is spelled so
        else if (!text) throw nb::type_error("values are str, bytes or None");
        if (text) texts_[i] = {text, static_cast<std::size_t>(n)};
    }
}

bool Column::from_arrow(nb::handle values) {
    if (!nb::hasattr(values, "__arrow_c_array__")) return false;
    owner_ = values.attr("__arrow_c_array__")();
    nb::tuple pair = nb::cast<nb::tuple>(owner_);
    auto *schema = static_cast<ArrowSchema *>(PyCapsule_GetPointer(nb::object(pair[0]).ptr(), "arrow_schema"));
    if (!schema) throw nb::python_error();
    auto *array = static_cast<ArrowArray *>(PyCapsule_GetPointer(nb::object(pair[1]).ptr(), "arrow_array"));
    if (!array) throw nb::python_error();
    Text format = schema->format;
    if (schema->dictionary || array->dictionary) throw nb::type_error("a dictionary-encoded array: ask about its dictionary, then map the indices");
    size_ = static_cast<std::size_t>(array->length);
    offset_ = static_cast<std::size_t>(array->offset);
    if (array->n_buffers < 2) throw nb::type_error("an Arrow array of strings or binary values is needed");
    if (array->null_count != 0) validity_ = static_cast<const byte *>(array->buffers[0]);
    is_binary_ = format == "z" || format == "Z" || format == "vz" || format.substr(0, 2) == "w:";
    const auto *second = static_cast<const byte *>(array->buffers[1]);
    if (format == "u" || format == "z" || format == "U" || format == "Z") {
        form_ = format == "u" || format == "z" ? OFFSETS_32 : OFFSETS_64;
        offsets_ = second;
        data_ = static_cast<const byte *>(array->buffers[2]);
        if (size_ && !offsets_) throw nb::value_error("the Arrow array has no offsets");
    } else if (format == "vu" || format == "vz") {
        form_ = VIEWS;
        data_ = second;
        buffers_ = array->buffers;
        data_buffers_ = static_cast<std::size_t>(array->n_buffers > 3 ? array->n_buffers - 3 : 0);  // the last holds their sizes
    } else if (format.substr(0, 2) == "w:") {
        form_ = FIXED;
        width_ = stride_ = static_cast<std::size_t>(std::stoul(std::string(format.substr(2))));
        data_ = second + width_ * offset_;
    } else {
        throw nb::type_error(("an Arrow array of strings or binary values is needed; this one has the format " + std::string(format)).c_str());
    }
    return true;
}

bool Column::from_buffer(nb::handle values) {
    if (!PyObject_CheckBuffer(values.ptr())) return false;
    if (PyObject_GetBuffer(values.ptr(), &view_, PyBUF_FORMAT | PyBUF_C_CONTIGUOUS) != 0) throw nb::python_error();
    has_view_ = true;
    Text format = view_.format ? view_.format : "B";
    auto dimension = [&](int i) { return static_cast<std::size_t>(view_.shape[i]); };
    data_ = static_cast<const byte *>(view_.buf);
    form_ = FIXED;
    if (view_.ndim == 2 && format == "B") {
        size_ = dimension(0);
        width_ = stride_ = dimension(1);
        is_binary_ = true;
    } else if (view_.ndim == 1 && format.back() == 's') {
        size_ = dimension(0);
        width_ = stride_ = static_cast<std::size_t>(view_.itemsize);
        trim_ = true;
    } else if (view_.ndim == 1 && format.back() == 'w') {  // four bytes a character
        form_ = WIDE;
        size_ = dimension(0);
        width_ = static_cast<std::size_t>(view_.itemsize) / 4;
        narrowed_.resize(size_ * width_);
        for (std::size_t i = 0; i < narrowed_.size(); i++) {
            u32 c = load32(data_ + 4 * i);
            narrowed_[i] = c < 128 ? static_cast<char>(c) : '\x7f';  // in no canonical value
        }
    } else {
        throw nb::type_error("a numpy array is of dtype S or U, or uint8 of two dimensions: (values, bytes of a digest)");
    }
    return true;
}

}  // namespace indicia
