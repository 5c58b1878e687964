/**
 * @file hmtl.hpp
 * C++17 over the C API of hmtl: owning handles, exceptions, `std::string_view`. Header only.
 *
 * Ownership.  Model, Dataset, Trainer and Cancel own a handle of the C API, move and do not copy.
 *   One that was moved from holds none: its methods throw Error with HMTL_CODE_INVALID_ARGUMENT.
 * Errors.     Whatever fails throws Error, which carries the code of the C API.
 * Threads.    As in hmtl.h: `const` methods of one object may overlap, others not.
 * Results.    JSON in a `std::string`, as hmtl.h shows it. `hmtl_nlohmann.hpp` reads it into structs.
 * Options.    JSON objects as text; "" stands for none.
 */
#pragma once

#include <hmtl.h>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <initializer_list>
#include <iterator>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace hmtl {

/// A failed call: the code of the C API and its message.
class Error : public std::runtime_error {
public:
    /// A failure with a code and one line of text.
    Error(hmtl_code code, const std::string &message) : std::runtime_error(message), code_(code) {}

    /// What kind of failure it was.
    hmtl_code code() const noexcept { return code_; }

private:
    hmtl_code code_;
};

/// @cond
namespace detail {

template <class T, void (*Free)(T *)>
struct Deleter {
    void operator()(T *pointer) const noexcept { Free(pointer); }
};

template <class T, void (*Free)(T *)>
using Handle = std::unique_ptr<T, Deleter<T, Free>>;

inline void check(hmtl_error *error)
{
    if (error == nullptr)
        return;
    const Handle<hmtl_error, hmtl_error_free> owned(error);
    throw Error(hmtl_error_code(error), hmtl_error_message(error));
}

/// The string that a call writes.
template <class Call>
std::string text_of(Call &&call)
{
    char *raw = nullptr;
    check(std::forward<Call>(call)(&raw));
    const Handle<char, hmtl_string_free> owned(raw);
    return std::string(raw);
}

/// The object that a call makes.
template <class T, class Call>
T *made_by(Call &&call)
{
    T *raw = nullptr;
    check(std::forward<Call>(call)(&raw));
    return raw;
}

/// A string that ends in NUL, for the time of a call. One that holds NUL would be cut there.
class CString {
public:
    CString(std::string_view text, const char *name) : text_(text)
    {
        if (text.find('\0') != std::string_view::npos)
            throw Error(HMTL_CODE_INVALID_ARGUMENT, std::string(name) + " holds a NUL");
    }

    const char *get() const noexcept { return text_.c_str(); }

private:
    std::string text_;
};

/// Options, which may be left out.
class Options : CString {
public:
    explicit Options(std::string_view json) : CString(json, "options"), none_(json.empty()) {}

    const char *get() const noexcept { return none_ ? nullptr : CString::get(); }

private:
    bool none_;
};

inline hmtl_str view(std::string_view text) noexcept { return {text.data(), text.size()}; }

template <class Range>
std::vector<hmtl_str> views(const Range &texts)
{
    std::vector<hmtl_str> found;
    for (const auto &text : texts)
        found.push_back(view(std::string_view(text)));
    return found;
}

/// Whether a range holds what can be seen as text; a text itself is a range of characters.
template <class Range, class = void>
struct IsTexts : std::false_type {};

template <class Range>
struct IsTexts<Range, std::void_t<decltype(std::string_view(*std::begin(std::declval<const Range &>())))>>
    : std::bool_constant<!std::is_convertible_v<const Range &, std::string_view>> {};

template <class Range>
using Texts = std::enable_if_t<IsTexts<Range>::value, int>;

} // namespace detail
/// @endcond

/// Asks running calls to stop. trigger() may be called from any thread; a token stays triggered.
class Cancel {
public:
    Cancel() : handle_(hmtl_cancel_new()) {}

    /// A token that is triggered when `parent` is, and can be triggered alone.
    static Cancel child_of(const Cancel &parent) { return Cancel(hmtl_cancel_new_child(parent.get())); }

    /// Calls that hold the token throw HMTL_CODE_CANCELLED at their next step.
    void trigger() const noexcept { hmtl_cancel_trigger(handle_.get()); }

    /// The handle of the C API, borrowed; nullptr after a move.
    const hmtl_cancel *get() const noexcept { return handle_.get(); }

private:
    explicit Cancel(hmtl_cancel *handle) noexcept : handle_(handle) {}

    detail::Handle<hmtl_cancel, hmtl_cancel_free> handle_;
};

/// @cond
namespace detail {

inline const hmtl_cancel *token(const Cancel *cancel) noexcept
{
    return cancel == nullptr ? nullptr : cancel->get();
}

} // namespace detail
/// @endcond

/// Annotated documents, read-only.
class Dataset {
public:
    /// Goes over the documents of a data set as JSON.
    class Iterator {
    public:
        /// @cond
        using iterator_category = std::input_iterator_tag;
        using value_type = std::string;
        using difference_type = std::ptrdiff_t;
        using pointer = const std::string *;
        using reference = std::string;

        Iterator() = default;
        Iterator(const Dataset *dataset, std::size_t index) : dataset_(dataset), index_(index) {}

        std::string operator*() const { return dataset_->get(index_); }

        Iterator &operator++()
        {
            ++index_;
            return *this;
        }

        Iterator operator++(int)
        {
            Iterator before = *this;
            ++index_;
            return before;
        }

        friend bool operator==(const Iterator &a, const Iterator &b) noexcept { return a.index_ == b.index_; }
        friend bool operator!=(const Iterator &a, const Iterator &b) noexcept { return !(a == b); }
        /// @endcond

    private:
        const Dataset *dataset_ = nullptr;
        std::size_t index_ = 0;
    };

    /// Takes over a handle of the C API.
    explicit Dataset(hmtl_dataset *handle) noexcept : handle_(handle) {}

    /// Opens a file or a folder with the reader named `format`; see hmtl_dataset_open.
    static Dataset open(std::string_view format, std::string_view path, std::string_view options = {})
    {
        const detail::CString name(format, "format"), place(path, "path");
        const detail::Options json(options);
        return Dataset(detail::made_by<hmtl_dataset>(
            [&](hmtl_dataset **out) { return hmtl_dataset_open(name.get(), place.get(), json.get(), out); }));
    }

    /// Reads JSON Lines from memory, one document a line.
    static Dataset from_jsonl(std::string_view jsonl)
    {
        return Dataset(detail::made_by<hmtl_dataset>(
            [&](hmtl_dataset **out) { return hmtl_dataset_from_jsonl(jsonl.data(), jsonl.size(), out); }));
    }

    /// Numbers of documents, mentions, labels and so on, as JSON.
    std::string info() const
    {
        return detail::text_of([&](char **out) { return hmtl_dataset_info(handle(), out); });
    }

    /// The number of documents.
    std::size_t size() const noexcept { return hmtl_dataset_len(handle()); }

    /// Whether there is no document.
    bool empty() const noexcept { return size() == 0; }

    /// Document `index` as JSON.
    std::string get(std::size_t index) const
    {
        return detail::text_of([&](char **out) { return hmtl_dataset_get(handle(), index, out); });
    }

    /// Document `index` as JSON.
    std::string operator[](std::size_t index) const { return get(index); }

    /// The first document.
    Iterator begin() const noexcept { return {this, 0}; }

    /// After the last document.
    Iterator end() const noexcept { return {this, size()}; }

    /// Writes the documents in `format`; see hmtl_dataset_write.
    void write(std::string_view format, std::string_view path) const
    {
        const detail::CString name(format, "format"), place(path, "path");
        detail::check(hmtl_dataset_write(handle(), name.get(), place.get()));
    }

    /// The handle of the C API, borrowed; nullptr after a move.
    const hmtl_dataset *handle() const noexcept { return handle_.get(); }

private:
    detail::Handle<hmtl_dataset, hmtl_dataset_free> handle_;
};

/// A trained model. Immutable: all methods may be called from several threads at once.
class Model {
public:
    /// Takes over a handle of the C API.
    explicit Model(hmtl_model *handle) noexcept : handle_(handle) {}

    /// Loads the model in directory `dir`; see hmtl_model_load.
    static Model load(std::string_view dir, std::string_view options = {})
    {
        const detail::CString path(dir, "dir");
        return load(path.get(), options);
    }

    /// Loads the model that ships with the library.
    static Model load_default(std::string_view options = {})
    {
        return load(static_cast<const char *>(nullptr), options);
    }

    /// Tasks, labels, card and so on, as JSON.
    std::string info() const
    {
        return detail::text_of([&](char **out) { return hmtl_model_info(handle(), out); });
    }

    /// Annotates a text of any length: a document as JSON; see hmtl_model_annotate.
    std::string annotate(std::string_view text, std::string_view options = {}) const
    {
        const detail::Options json(options);
        return detail::text_of([&](char **out) {
            return hmtl_model_annotate(handle(), text.data(), text.size(), json.get(), out);
        });
    }

    /// Annotates texts: any range of strings or string views. The result is an array of documents in
    /// their order; see hmtl_model_annotate_batch.
    template <class Range, detail::Texts<Range> = 0>
    std::string annotate_batch(const Range &texts, std::string_view options = {}, const Cancel *cancel = nullptr) const
    {
        const std::vector<hmtl_str> views = detail::views(texts);
        const detail::Options json(options);
        return detail::text_of([&](char **out) {
            return hmtl_model_annotate_batch(handle(), views.data(), views.size(), json.get(), detail::token(cancel),
                                             out);
        });
    }

    /// Annotates texts that stand in braces.
    std::string annotate_batch(std::initializer_list<std::string_view> texts, std::string_view options = {},
                               const Cancel *cancel = nullptr) const
    {
        return annotate_batch<std::initializer_list<std::string_view>>(texts, options, cancel);
    }

    /// Annotates tokens of one sentence: any range of strings or string views.
    template <class Range, detail::Texts<Range> = 0>
    std::string annotate_tokens(const Range &tokens, std::string_view options = {}) const
    {
        return tokenized(detail::views(tokens), nullptr, 0, options);
    }

    /// Annotates tokens of several sentences; `sentence_ends` has the index after the last token of each.
    template <class Range, detail::Texts<Range> = 0>
    std::string annotate_tokens(const Range &tokens, const std::vector<std::size_t> &sentence_ends,
                                std::string_view options = {}) const
    {
        return tokenized(detail::views(tokens), sentence_ends.data(), sentence_ends.size(), options);
    }

    /// Scores the model on a data set: the metrics of each task as JSON; see hmtl_model_evaluate.
    std::string evaluate(const Dataset &dataset, std::string_view options = {}, const Cancel *cancel = nullptr) const
    {
        const detail::Options json(options);
        return detail::text_of([&](char **out) {
            return hmtl_model_evaluate(handle(), dataset.handle(), json.get(), detail::token(cancel), out);
        });
    }

    /// Writes the model as a directory, whole or not at all; see hmtl_model_save.
    void save(std::string_view dir, std::string_view options = {}) const
    {
        const detail::CString path(dir, "dir");
        const detail::Options json(options);
        detail::check(hmtl_model_save(handle(), path.get(), json.get()));
    }

    /// The handle of the C API, borrowed; nullptr after a move.
    const hmtl_model *handle() const noexcept { return handle_.get(); }

private:
    static Model load(const char *dir, std::string_view options)
    {
        const detail::Options json(options);
        return Model(detail::made_by<hmtl_model>(
            [&](hmtl_model **out) { return hmtl_model_load(dir, json.get(), out); }));
    }

    std::string tokenized(const std::vector<hmtl_str> &tokens, const std::size_t *ends, std::size_t sentences,
                          std::string_view options) const
    {
        const detail::Options json(options);
        return detail::text_of([&](char **out) {
            return hmtl_model_annotate_tokens(handle(), tokens.data(), tokens.size(), ends, sentences, json.get(), out);
        });
    }

    detail::Handle<hmtl_model, hmtl_model_free> handle_;
};

/// Trains a model; see hmtl_trainer_new. Methods that are not `const` exclude all others.
class Trainer {
public:
    /// Receives a training event as JSON.
    using OnEvent = std::function<void(std::string_view event)>;

    /// Takes over a handle of the C API.
    explicit Trainer(hmtl_trainer *handle) noexcept : handle_(handle) {}

    /// Describes the run by JSON.
    explicit Trainer(std::string_view config)
        : handle_(detail::made_by<hmtl_trainer>([json = detail::CString(config, "config")](hmtl_trainer **out) {
              return hmtl_trainer_new(json.get(), out);
          }))
    {
    }

    /// Goes on from the checkpoint in `dir`; see hmtl_trainer_resume.
    static Trainer resume(std::string_view dir, std::string_view options = {})
    {
        const detail::CString path(dir, "dir");
        const detail::Options json(options);
        return Trainer(detail::made_by<hmtl_trainer>(
            [&](hmtl_trainer **out) { return hmtl_trainer_resume(path.get(), json.get(), out); }));
    }

    /// Gives a task its data for a split: "train", "dev" or "test".
    void add_dataset(std::string_view task, std::string_view split, const Dataset &dataset)
    {
        const detail::CString name(task, "task"), part(split, "split");
        detail::check(hmtl_trainer_add_dataset(handle_.get(), name.get(), part.get(), dataset.handle()));
    }

    /// Takes one optimization step and describes it as JSON.
    std::string step()
    {
        return detail::text_of([&](char **out) { return hmtl_trainer_step(handle_.get(), out); });
    }

    /// Trains to the end, or until `cancel`; see hmtl_trainer_train. An exception of `on_event` ends
    /// the training between two steps and goes on from here; the trainer can be trained further.
    std::string train(const OnEvent &on_event = nullptr, const Cancel *cancel = nullptr)
    {
        if (!on_event)
            return trained(nullptr, nullptr, detail::token(cancel));
        // The caller's token is not ours to trigger: an exception has one of its own.
        Watch watch{on_event, cancel == nullptr ? Cancel() : Cancel::child_of(*cancel), nullptr};
        try {
            return trained(&Trainer::call, &watch, watch.stop.get());
        } catch (const Error &) {
            if (watch.thrown)
                std::rethrow_exception(watch.thrown);
            throw;
        }
    }

    /// Scores the weights as they stand on a split, as JSON.
    std::string evaluate(std::string_view split, const Cancel *cancel = nullptr)
    {
        const detail::CString part(split, "split");
        return detail::text_of([&](char **out) {
            return hmtl_trainer_evaluate(handle_.get(), part.get(), detail::token(cancel), out);
        });
    }

    /// Where the run stands, as JSON.
    std::string info() const
    {
        return detail::text_of([&](char **out) { return hmtl_trainer_info(handle(), out); });
    }

    /// Writes a checkpoint to `dir`, whole or not at all.
    void save(std::string_view dir) const
    {
        const detail::CString path(dir, "dir");
        detail::check(hmtl_trainer_save(handle(), path.get()));
    }

    /// Copies the weights as they stand into a model.
    Model snapshot() const
    {
        return Model(detail::made_by<hmtl_model>(
            [&](hmtl_model **out) { return hmtl_trainer_snapshot(handle(), out); }));
    }

    /// Copies the weights of the best epoch into a model: of a task, or of all for "".
    Model snapshot_best(std::string_view task = {}) const
    {
        const detail::CString name(task, "task");
        return Model(detail::made_by<hmtl_model>([&](hmtl_model **out) {
            return hmtl_trainer_snapshot_best(handle(), task.empty() ? nullptr : name.get(), out);
        }));
    }

    /// The handle of the C API, borrowed; nullptr after a move.
    const hmtl_trainer *handle() const noexcept { return handle_.get(); }

private:
    struct Watch {
        const OnEvent &on_event;
        Cancel stop;
        std::exception_ptr thrown;
    };

    /// No exception may pass the frames of the library.
    static void call(const char *event, void *data) noexcept
    {
        Watch &watch = *static_cast<Watch *>(data);
        if (watch.thrown)
            return;
        try {
            watch.on_event(event);
        } catch (...) {
            watch.thrown = std::current_exception();
            watch.stop.trigger();
        }
    }

    std::string trained(hmtl_event_fn on_event, void *data, const hmtl_cancel *cancel)
    {
        return detail::text_of(
            [&](char **out) { return hmtl_trainer_train(handle_.get(), on_event, data, cancel, out); });
    }

    detail::Handle<hmtl_trainer, hmtl_trainer_free> handle_;
};

/// Receives a log line: 1 error, 2 warning, 3 info, 4 debug, 5 trace.
using OnLog = std::function<void(std::int32_t level, std::string_view message)>;

/// @cond
namespace detail {

inline void log_line(std::int32_t level, const char *message, void *data) noexcept
{
    try {
        (*static_cast<OnLog *>(data))(level, message);
    } catch (...) {
        // There is nobody to tell: the line came from any thread.
    }
}

/// The function that is called now.
inline std::unique_ptr<OnLog> &logger()
{
    static std::unique_ptr<OnLog> current;
    return current;
}

} // namespace detail
/// @endcond

/// Sends log lines up to `max_level` to a function, from any thread; none turns logging off. For the
/// whole process; not to be called by two threads at once, nor by the function.
inline void set_log(std::int32_t max_level, OnLog on_log)
{
    std::unique_ptr<OnLog> next = on_log ? std::make_unique<OnLog>(std::move(on_log)) : nullptr;
    if (next)
        hmtl_set_log(max_level, detail::log_line, next.get());
    else
        hmtl_set_log(0, nullptr, nullptr);
    // The former function is called no more.
    detail::logger() = std::move(next);
}

/// The version of the loaded library.
inline std::string_view version() noexcept { return hmtl_version(); }

/// The ABI version of the loaded library, to be compared with HMTL_ABI_VERSION.
inline std::uint32_t abi_version() noexcept { return hmtl_abi_version(); }

/// The build of the loaded library, as JSON.
inline std::string build_info()
{
    return detail::text_of([](char **out) { return hmtl_build_info(out); });
}

/// The devices that models can be loaded on, as JSON.
inline std::string devices()
{
    return detail::text_of([](char **out) { return hmtl_devices(out); });
}

/// Sets the CPU threads that one operation may use; see hmtl_set_num_threads.
inline void set_num_threads(std::uint32_t count) { detail::check(hmtl_set_num_threads(count)); }

} // namespace hmtl
