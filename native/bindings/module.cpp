// What Python sees of the kernel: indicia.matcher._kernel. The only file with Python's headers beside columns.*.
#include "columns.hpp"
#include "kernel/batch.hpp"
#include "kernel/builder.hpp"
#include "kernel/scanner.hpp"

#include <nanobind/nanobind.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>

#include <algorithm>
#include <chrono>
#include <system_error>
#include <unordered_map>

namespace nb = nanobind;
using namespace indicia;

namespace {

using Shared = std::shared_ptr<const Snapshot>;

nb::object entries_of(const Snapshot &s, Ref ref, nb::list into) {
    Range range = s.entries_of(ref);
    if (range.begin == range.end) return into;
    std::string canonical = s.canonical(ref);
    PyObject *text = PyUnicode_DecodeUTF8(canonical.data(), static_cast<Py_ssize_t>(canonical.size()), "replace");
    if (!text) throw nb::python_error();
    nb::object held = nb::steal(text);
    for (u64 i = range.begin; i < range.end; i++) {
        Entry e = s.entry(ref.table, i);
        nb::object expires = e.expires == NO_EXPIRY ? nb::none() : nb::object(nb::int_(e.expires));
        into.append(nb::make_tuple(static_cast<u32>(s.kind_of(ref.table)), held, e.id, e.ruling, expires));
    }
    return into;
}

nb::list entries_of(const Snapshot &s, const std::vector<Ref> &refs) {
    nb::list found;
    for (Ref ref : refs) entries_of(s, ref, found);
    return found;
}

Kind kind_from(u32 code) {
    if (code < SHA256 || code > URL) throw nb::value_error("a type is a number from 1 to 8");
    return static_cast<Kind>(code);
}

nb::object memory_of(const void *data, std::size_t bytes, const char *format) {
    nb::object raw = nb::steal(PyBytes_FromStringAndSize(static_cast<const char *>(data), static_cast<Py_ssize_t>(bytes)));
    if (!raw.is_valid()) throw nb::python_error();
    nb::object view = nb::steal(PyMemoryView_FromObject(raw.ptr()));
    if (!view.is_valid()) throw nb::python_error();
    return view.attr("cast")(format);
}

Text text_of(nb::handle value) {
    Py_ssize_t size;
    const char *text = PyUnicode_Check(value.ptr()) ? PyUnicode_AsUTF8AndSize(value.ptr(), &size) : nullptr;
    if (!text) {
        if (!PyErr_Occurred()) PyErr_SetString(PyExc_TypeError, "a value is a str");
        throw nb::python_error();
    }
    return {text, static_cast<std::size_t>(size)};
}

// -- building ---------------------------------------------------------------------------------------------------------

class PyBuilder {
  public:
    PyBuilder(nb::bytes secret, nb::mapping rulings) : builder_(checked(secret)) {
        for (auto item : rulings.items()) {
            nb::tuple pair = nb::cast<nb::tuple>(item);
            nb::sequence ruling = nb::cast<nb::sequence>(pair[1]);
            rulings_[nb::cast<i64>(pair[0])] = {kind_from(nb::cast<u32>(ruling[0])), nb::cast<u32>(ruling[1])};
        }
    }

    void add(nb::iterable rows) {
        for (nb::handle row : rows) add_row(row);
    }

    Builder &builder() { return builder_; }

  private:
    struct Ruling {
        Kind kind;
        u32 number;
    };

    static const byte *checked(const nb::bytes &secret) {
        if (secret.size() != 16) throw nb::value_error("the secret has 16 bytes");
        return reinterpret_cast<const byte *>(secret.c_str());
    }

    void add_row(nb::handle row) {
        nb::object items = nb::steal(PySequence_Fast(row.ptr(), "a row is a sequence"));
        if (!items.is_valid()) throw nb::python_error();
        if (PySequence_Fast_GET_SIZE(items.ptr()) != 4) throw nb::value_error("a row is (decision, canonical value, id, expiry)");
        PyObject **cell = PySequence_Fast_ITEMS(items.ptr());
        i64 decision = PyLong_AsLongLong(cell[0]), id = PyLong_AsLongLong(cell[2]);
        i64 expires = cell[3] == Py_None ? NO_EXPIRY : PyLong_AsLongLong(cell[3]);
        if (PyErr_Occurred()) throw nb::python_error();
        if (decision != last_decision_ || !has_last_) {
            auto found = rulings_.find(decision);
            if (found == rulings_.end()) throw nb::value_error(("indicator " + std::to_string(id) + " has an unknown decision").c_str());
            last_ = found->second;
            last_decision_ = decision;
            has_last_ = true;
        }
        if (!builder_.add(last_.kind, text_of(cell[1]), static_cast<u64>(id), last_.number, expires))
            throw nb::value_error(("the value of indicator " + std::to_string(id) + " is not spelled canonically").c_str());
    }

    Builder builder_;
    std::unordered_map<i64, Ruling> rulings_;
    Ruling last_{SHA256, 0};
    i64 last_decision_ = 0;
    bool has_last_ = false;
};

const byte *chain_of(const nb::bytes &chain) {
    if (chain.size() != 32) throw nb::value_error("the hash of a changeset has 32 bytes");
    return reinterpret_cast<const byte *>(chain.c_str());
}

// -- the point call ---------------------------------------------------------------------------------------------------

// Reads a value as `detect` does where its spelling leaves no doubt; false: it does.
bool match_text(const Snapshot &s, Text text, std::vector<Ref> &found) {
    byte key[32];
    u32 v4;
    std::size_t n = text.size();
    TableId table = n == 64 ? T_SHA256 : n == 40 ? T_SHA1 : T_MD5;
    if ((n == 64 || n == 40 || n == 32) && decode_hex(bytes_of(text), n / 2, key)) {
        i64 at = s.find_key(table, key, s.hash_of_key(table, key));
        if (at != NOT_FOUND) found.push_back({table, static_cast<u32>(at)});
        return true;
    }
    if (n && is_digit(static_cast<byte>(text[0])) && parse_v4(bytes_of(text), n, v4)) {
        s.match_v4(v4, found);
        return true;
    }
    if (is_plausible_name(text)) {
        s.match_name(text, found);
        return true;
    }
    if (!is_plain_url(text)) return false;
    s.match_url(text, found);
    UrlParts parts;
    split_url(text, parts);
    if (parse_v4(bytes_of(parts.host), parts.host.size(), v4)) s.match_v4(v4, found);
    else s.match_name(parts.host, found);
    return true;
}

PyObject *check(PyObject *self, PyObject *value) noexcept {
    const auto *s = static_cast<const Shared *>(PyCapsule_GetPointer(self, "indicia.snapshot"));
    if (!s) return nullptr;
    if (!PyUnicode_Check(value)) {
        PyErr_SetString(PyExc_TypeError, "a value is a str");
        return nullptr;
    }
    if (!PyUnicode_IS_COMPACT_ASCII(value)) Py_RETURN_NOTIMPLEMENTED;
    Text text(static_cast<const char *>(PyUnicode_DATA(value)), static_cast<std::size_t>(PyUnicode_GET_LENGTH(value)));
    try {
        std::vector<Ref> found;
        if (!match_text(**s, text, found)) Py_RETURN_NOTIMPLEMENTED;
        if (found.empty()) Py_RETURN_NONE;
        nb::list entries = entries_of(**s, found);
        if (entries.size() == 0) Py_RETURN_NONE;
        return entries.release().ptr();
    } catch (nb::python_error &error) {
        error.restore();
    } catch (const std::exception &error) {
        PyErr_SetString(PyExc_RuntimeError, error.what());
    }
    return nullptr;
}

PyMethodDef CHECK = {"check", check, METH_O, "What matches a value; None for nothing, NotImplemented where its spelling leaves a doubt."};

struct PySnapshot {
    Shared s;
    nb::object check_function;

    explicit PySnapshot(Shared snapshot) : s(std::move(snapshot)) {
        auto *held = new Shared(s);
        PyObject *capsule = PyCapsule_New(held, "indicia.snapshot", [](PyObject *c) {
            delete static_cast<Shared *>(PyCapsule_GetPointer(c, "indicia.snapshot"));
        });
        if (!capsule) {
            delete held;
            throw nb::python_error();
        }
        check_function = nb::steal(PyCFunction_New(&CHECK, capsule));
        Py_DECREF(capsule);
        if (!check_function.is_valid()) throw nb::python_error();
    }
};

// -- many at once -----------------------------------------------------------------------------------------------------

struct Found {
    std::vector<i64> rows;
    std::vector<u64> refs;
    void add(std::size_t row, Ref ref) {
        rows.push_back(static_cast<i64>(row));
        refs.push_back(packed(ref));
    }
};

void match_hashes(const Snapshot &s, TableId table, const Column &column, Found &found) {
    const std::size_t width = KEY_BYTES[table];
    std::vector<KeyHit> hits;
    const byte *raw = column.raw_of_width(width);
    if (raw && !column.has_nulls()) {
        match_keys(s, table, raw, column.size(), hits);
        for (const KeyHit &hit : hits) found.add(hit.row, {table, hit.position});
        return;
    }
    // Decoded in blocks that stay in the nearest cache but one.
    constexpr std::size_t BLOCK = 1024;
    std::vector<byte> keys(BLOCK * width);
    std::vector<u32> rows(BLOCK);
    std::vector<Text> texts(BLOCK);
    for (std::size_t first = 0; first < column.size(); first += BLOCK) {
        std::size_t n = std::min(BLOCK, column.size() - first), count;
        column.read(first, n, texts.data());
        if (column.is_binary()) {  // digests, or their digits
            count = 0;
            for (std::size_t i = 0; i < n; i++) {
                byte *key = keys.data() + width * count;
                bool is_key = texts[i].size() == width;
                if (is_key) std::memcpy(key, texts[i].data(), width);
                else is_key = texts[i].size() == 2 * width && decode_hex(bytes_of(texts[i]), width, key);
                rows[count] = static_cast<u32>(i);
                count += is_key;
            }
        } else {
            count = decode_keys(texts.data(), n, width, keys.data(), rows.data());
        }
        hits.clear();
        match_keys(s, table, keys.data(), count, hits);
        for (const KeyHit &hit : hits) found.add(first + rows[hit.row], {table, hit.position});
    }
}

void match_names(const Snapshot &s, const Column &column, Found &found) {
    constexpr std::size_t BLOCK = 64;
    struct Pending {
        Digest digest;
        u32 row;
        u32 start;
    };
    std::vector<Pending> pending;
    Text values[BLOCK];
    for (std::size_t first = 0; first < column.size(); first += BLOCK) {
        std::size_t n = std::min(BLOCK, column.size() - first);
        pending.clear();
        for (std::size_t i = 0; i < n; i++) {
            Text name = values[i] = column.at(first + i);
            if (name.empty() || name.size() > 253) continue;
            std::size_t before = pending.size();
            Digest d = ROOT;
            for (std::size_t end = name.size();;) {
                std::size_t start = end;
                while (start > 0 && name[start - 1] != '.') start--;
                d = chain(s.secret(), d, hash_bytes(s.secret(), bytes_of(name) + start, end - start, FOLD));
                if (end == name.size() && !s.last_label_may_match(d.a)) break;
                if (end != name.size() || s.header().has_single_labels || start == 0) {
                    s.table(T_NAME).lines.prefetch_line(d.a);
                    pending.push_back({d, static_cast<u32>(i), static_cast<u32>(start)});
                }
                if (start == 0) break;
                end = start - 1;
            }
            std::reverse(pending.begin() + static_cast<std::ptrdiff_t>(before), pending.end());  // the most specific first
        }
        for (const Pending &p : pending) {
            i64 at = s.find_text(T_NAME, p.digest, values[p.row].substr(p.start));
            if (at == NOT_FOUND) continue;
            Ref ref{T_NAME, static_cast<u32>(at)};
            Range range = s.entries_of(ref);
            if (range.begin != range.end) found.add(first + p.row, ref);
        }
    }
}

void match_each(const Snapshot &s, Kind kind, const Column &column, Found &found) {
    std::vector<Ref> refs;
    for (std::size_t i = 0; i < column.size(); i++) {
        refs.clear();
        s.match(kind, column.at(i), refs);
        for (Ref ref : refs) found.add(i, ref);
    }
}

void match_urls(const Snapshot &s, const Column &column, Found &found) {
    // The lines of the hosts are asked for first; few hosts have an indicator about a URL.
    constexpr std::size_t BLOCK = 32;
    std::vector<Ref> refs;
    Text values[BLOCK];
    for (std::size_t first = 0; first < column.size(); first += BLOCK) {
        std::size_t n = std::min(BLOCK, column.size() - first);
        for (std::size_t i = 0; i < n; i++) {
            values[i] = column.at(first + i);
            UrlParts parts;
            if (split_url(values[i], parts) && !parts.bracketed && parts.host.size() <= 253)
                s.table(T_NAME).lines.prefetch_line(s.name_digest(parts.host).a);
        }
        for (std::size_t i = 0; i < n; i++) {
            refs.clear();
            s.match_url(values[i], refs);
            for (Ref ref : refs) found.add(first + i, ref);
        }
    }
}

void match_column(const Snapshot &s, Kind kind, const Column &column, Found &found) {
    switch (kind) {
    case SHA256: return match_hashes(s, T_SHA256, column, found);
    case SHA1: return match_hashes(s, T_SHA1, column, found);
    case MD5: return match_hashes(s, T_MD5, column, found);
    case THUMBPRINT: return match_hashes(s, T_THUMBPRINT, column, found);
    case NAME: return match_names(s, column, found);
    case URL: return match_urls(s, column, found);
    default: return match_each(s, kind, column, found);
    }
}

nb::tuple match_many(const PySnapshot &self, u32 code, nb::object values) {
    Kind kind = kind_from(code);
    Column column(values);
    Found found;
    {
        nb::gil_scoped_release released;
        match_column(*self.s, kind, column, found);
    }
    return nb::make_tuple(memory_of(found.rows.data(), found.rows.size() * 8, "q"), memory_of(found.refs.data(), found.refs.size() * 8, "Q"));
}

// Lines a second of a table that are read at random, each asked for ahead of time: what the memory allows.
double line_rate(const PySnapshot &self, u32 code, u64 count) {
    constexpr TableId tables[] = {T_SHA256, T_SHA1, T_MD5, T_THUMBPRINT, T_V4, T_NET4, T_NAME, T_URL};
    const LineTable &t = self.s->table(tables[kind_from(code) - 1]).lines;
    if (t.buckets == 0) return 0;
    nb::gil_scoped_release released;
    constexpr std::size_t AHEAD = 32;
    u64 ring[AHEAD] = {}, state = 88172645463325252ull, sum = 0;
    auto begin = std::chrono::steady_clock::now();
    for (u64 i = 0; i < count; i++) {
        sum += load64(reinterpret_cast<const byte *>(t.lines + ring[i % AHEAD]));
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        ring[i % AHEAD] = reduce(state * 0x9e3779b97f4a7c15ull, t.buckets);
        prefetch(t.lines + ring[i % AHEAD]);
    }
    double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    asm volatile("" : : "r"(sum));
    return static_cast<double>(count) / seconds;
}

// -- scanning ---------------------------------------------------------------------------------------------------------

Scanner make_scanner(nb::sequence snapshots, bool json, bool comments, bool csv, const std::string &name) {
    Code code = best_code();
    if (!name.empty()) {
        for (Code each : {Code::BASELINE, Code::AVX2, Code::AVX512})
            if (name == name_of(each)) code = each;
        if (name != name_of(code) || !runs(code)) throw nb::value_error("code is baseline, avx2 or avx512, as far as this machine runs it");
    }
    std::vector<Shared> shared;
    for (nb::handle each : snapshots) shared.push_back(nb::cast<const PySnapshot &>(each).s);
    return Scanner(std::move(shared), {json, comments, csv, code});
}

struct Buffer {
    Py_buffer view{};
    explicit Buffer(nb::handle object) {
        if (PyObject_GetBuffer(object.ptr(), &view, PyBUF_SIMPLE) != 0) throw nb::python_error();
    }
    ~Buffer() { PyBuffer_Release(&view); }
    Buffer(const Buffer &) = delete;
    Buffer &operator=(const Buffer &) = delete;
    const byte *data() const { return static_cast<const byte *>(view.buf); }
    std::size_t size() const { return static_cast<std::size_t>(view.len); }
};

nb::tuple scan(const Scanner &self, nb::object data) {
    Buffer buffer(data);
    std::vector<Span> found;
    i64 lines;
    {
        nb::gil_scoped_release released;
        lines = self.scan(buffer.data(), buffer.size(), found);
    }
    return nb::make_tuple(lines, memory_of(found.data(), found.size() * sizeof(Span), "q"));
}

std::size_t whole(const Scanner &self, nb::object data) {
    Buffer buffer(data);
    nb::gil_scoped_release released;
    return self.whole(buffer.data(), buffer.size());
}

}  // namespace

NB_MODULE(_kernel, m) {
    m.doc() = "The compiled kernel of the matcher; what each call does is written in _kernel.pyi.";
    nb::set_leak_warnings(false);  // who freezes the garbage collector lets go of nothing at the end
    m.attr("FORMAT_VERSION") = FORMAT_VERSION;
    m.attr("CODE") = name_of(best_code());
    nb::exception<SnapshotError>(m, "SnapshotError", PyExc_ValueError);
    nb::register_exception_translator([](const std::exception_ptr &p, void *) {
        try {
            std::rethrow_exception(p);
        } catch (const std::system_error &error) {
            errno = error.code().value();
            std::string what = error.what();
            PyErr_SetFromErrnoWithFilename(PyExc_OSError, what.substr(0, what.rfind(": ")).c_str());
        }
    });

    nb::class_<PyBuilder>(m, "Builder")
        .def(nb::init<nb::bytes, nb::mapping>(), nb::arg("secret"), nb::arg("rulings"))
        .def("add", &PyBuilder::add, nb::arg("rows"))
        .def("write", [](PyBuilder &b, const std::string &path, u64 changeset, nb::bytes chain, nb::bytes about) {
                const byte *hash = chain_of(chain);
                Text text(about.c_str(), about.size());
                nb::gil_scoped_release released;
                b.builder().write(path, changeset, hash, text);
            }, nb::arg("path"), nb::arg("changeset"), nb::arg("chain"), nb::arg("about"))
        .def("to_bytes", [](PyBuilder &b, u64 changeset, nb::bytes chain, nb::bytes about) {
                const byte *hash = chain_of(chain);
                Text text(about.c_str(), about.size());
                std::vector<byte> out;
                {
                    nb::gil_scoped_release released;
                    out = b.builder().to_bytes(changeset, hash, text);
                }
                return nb::bytes(out.data(), out.size());
            }, nb::arg("changeset"), nb::arg("chain"), nb::arg("about"));

    nb::class_<PySnapshot>(m, "Snapshot")
        .def_static("open", [](const std::string &path) { return PySnapshot(Snapshot::open(path)); }, nb::arg("path"))
        .def_static("from_bytes", [](nb::bytes data) {
                return PySnapshot(Snapshot::of(reinterpret_cast<const byte *>(data.c_str()), data.size()));
            }, nb::arg("data"))
        .def_prop_ro("changeset", [](const PySnapshot &p) { return p.s->header().changeset; })
        .def_prop_ro("chain", [](const PySnapshot &p) { return nb::bytes(p.s->header().chain, 32); })
        .def_prop_ro("about", [](const PySnapshot &p) { return nb::bytes(p.s->about().data(), p.s->about().size()); })
        .def_prop_ro("size", [](const PySnapshot &p) { return p.s->size(); })
        .def_prop_ro("hot_bytes", [](const PySnapshot &p) {
                nb::dict found;
                for (u32 id = 0; id < TABLES; id++) {
                    u32 kind = p.s->kind_of(id);
                    u64 bytes = p.s->table(static_cast<TableId>(id)).lines.buckets * sizeof(Line);
                    nb::object before = found.attr("get")(kind, 0);
                    found[nb::int_(kind)] = nb::cast<u64>(before) + bytes;
                }
                return found;
            })
        .def_prop_ro("check", [](const PySnapshot &p) { return p.check_function; })
        .def("__len__", [](const PySnapshot &p) { return p.s->header().indicators; })
        .def("keys", [](const PySnapshot &p, u32 kind) {
                u64 count = 0;
                for (u32 id = 0; id < TABLES; id++)
                    if (p.s->kind_of(id) == kind_from(kind)) count += p.s->table(static_cast<TableId>(id)).lines.count;
                return count;
            }, nb::arg("kind"))
        .def("verify", [](const PySnapshot &p) { nb::gil_scoped_release released; p.s->verify(); })
        .def("find", [](const PySnapshot &p, u32 kind, nb::str value) {
                std::vector<Ref> found;
                p.s->find(kind_from(kind), text_of(value), found);
                return entries_of(*p.s, found);
            }, nb::arg("kind"), nb::arg("canonical"))
        .def("match", [](const PySnapshot &p, u32 kind, nb::str value) {
                std::vector<Ref> found;
                p.s->match(kind_from(kind), text_of(value), found);
                return entries_of(*p.s, found);
            }, nb::arg("kind"), nb::arg("canonical"))
        .def("match_many", &match_many, nb::arg("kind"), nb::arg("values"))
        .def("entries", [](const PySnapshot &p, u64 ref) {
                nb::list found;
                entries_of(*p.s, unpacked(ref), found);
                return found;
            }, nb::arg("ref"));
    m.def("line_rate", &line_rate, nb::arg("snapshot"), nb::arg("kind"), nb::arg("count"));

    nb::class_<Scanner>(m, "Scanner")
        .def("__init__", [](Scanner *self, nb::sequence snapshots, bool json, bool comments, bool csv, const std::string &code) {
                new (self) Scanner(make_scanner(snapshots, json, comments, csv, code));
            }, nb::arg("snapshots"), nb::kw_only(), nb::arg("json") = false, nb::arg("comments") = false, nb::arg("csv") = false,
            nb::arg("code") = "")
        .def("whole", &whole, nb::arg("data"))
        .def("scan", &scan, nb::arg("data"));
}
