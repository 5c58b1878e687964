/**
 * @file hmtl.hpp
 * C++17 over the C API of hmtl: owning handles, exceptions, `std::string_view`. Header only.
 *
 * Ownership.  Cancel, Dataset, Model and Trainer own a handle of the C API; they move and do not copy.
 *   One that was moved from holds none: its methods throw Error with HMTL_CODE_INVALID_ARGUMENT, but
 *   for Dataset::size, which is 0, and Cancel::trigger, which does nothing.
 * Errors.     Whatever fails throws Error, which carries the code of the C API. Nothing has changed then,
 *   unless a method says so.
 * Threads.    As in hmtl.h: `const` methods of one object may overlap; any other, a move and the
 *   destructor among them, may overlap with nothing on that object.
 * Strings.    UTF-8. A text may hold NUL; a path, a name or JSON that does is an Error.
 * Options.    A JSON object as text; "" stands for none.
 * Results.    JSON in a `std::string`, as hmtl.h shows it. `hmtl_nlohmann.hpp` reads it into structs.
 * Callbacks.  `std::function`. They may throw: see Trainer::train and set_log.
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
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace hmtl {

/// A failed call: the code of the C API and its message, one line of English.
class Error : public std::runtime_error {
public:
    /// A failure with a code and one line of text.
    Error(hmtl_code code, const std::string &message) : std::runtime_error(message), code_(code) {}

    /// What kind of failure it was. A newer library may have codes that hmtl_code does not name.
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
std::string text_of(const Call &call)
{
    char *raw = nullptr;
    check(call(&raw));
    const Handle<char, hmtl_string_free> owned(raw);
    return std::string(raw);
}

/// The object that a call makes.
template <class T, class Call>
T *made_by(const Call &call)
{
    T *raw = nullptr;
    check(call(&raw));
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

    /// NULL for "".
    const char *get_or_null() const noexcept { return text_.empty() ? nullptr : get(); }

private:
    std::string text_;
};

/// Options, which may be left out.
class Options {
public:
    explicit Options(std::string_view json) : json_(json, "options_json") {}

    const char *get() const noexcept { return json_.get_or_null(); }

private:
    CString json_;
};

template <class Range>
using Element = decltype(*std::begin(std::declval<const Range &>()));

/// Whether the texts of a range outlive its iteration: an iterator that makes strings as it goes does
/// not keep them.
template <class T>
using Stays = std::bool_constant<std::is_lvalue_reference_v<T> || std::is_pointer_v<T> ||
                                 std::is_same_v<std::remove_cv_t<T>, std::string_view>>;

template <class Range, class = void>
struct IsTexts : std::false_type {};

/// A text is no range of texts, though it is a range of characters.
template <class Range>
struct IsTexts<Range, std::void_t<decltype(std::string_view(std::declval<Element<Range>>()))>>
    : std::bool_constant<Stays<Element<Range>>::value && !std::is_convertible_v<const Range &, std::string_view>> {};

template <class Range, class = void>
struct IsIndices : std::false_type {};

template <class Range>
struct IsIndices<Range, std::void_t<decltype(std::declval<const Range &>().size())>>
    : std::is_convertible<decltype(std::declval<const Range &>().data()), const std::size_t *> {};

} // namespace detail
/// @endcond

/// Texts as an argument: made of `{"one", "two"}` or of any range of `std::string`, `std::string_view` or
/// `const char *`, such as a `std::vector` or, in C++20, a `std::span`. It does not own the texts.
class Texts {
public:
    /// Of texts in braces.
    Texts(std::initializer_list<std::string_view> texts) { fill(texts); }

    /// Of a range.
    template <class Range, std::enable_if_t<detail::IsTexts<Range>::value, int> = 0>
    Texts(const Range &texts)
    {
        fill(texts);
    }

    /// The texts as the C API takes them.
    const hmtl_str *data() const noexcept { return texts_.data(); }

    /// How many there are.
    std::size_t size() const noexcept { return texts_.size(); }

private:
    template <class Range>
    void fill(const Range &texts)
    {
        for (const auto &text : texts) {
            const std::string_view view(text);
            texts_.push_back({view.data(), view.size()});
        }
    }

    std::vector<hmtl_str> texts_;
};

/// The index after the last token of each sentence, as an argument: made of `{3, 7}` or of any
/// contiguous range of `std::size_t`. It does not own them.
class SentenceEnds {
public:
    /// Of numbers in braces.
    SentenceEnds(std::initializer_list<std::size_t> ends) noexcept : SentenceEnds(ends.begin(), ends.size()) {}

    /// Of a range.
    template <class Range, std::enable_if_t<detail::IsIndices<Range>::value, int> = 0>
    SentenceEnds(const Range &ends) noexcept : SentenceEnds(ends.data(), ends.size())
    {
    }

    /// Never NULL, which would mean that all is one sentence.
    const std::size_t *data() const noexcept { return data_ == nullptr ? &size_ : data_; }

    /// How many there are.
    std::size_t size() const noexcept { return size_; }

private:
    SentenceEnds(const std::size_t *data, std::size_t size) noexcept : data_(data), size_(size) {}

    const std::size_t *data_;
    std::size_t size_;
};

/// Asks running calls to stop. A token stays triggered.
class Cancel {
public:
    /// A new token.
    Cancel() : handle_(hmtl_cancel_new()) {}

    /// Takes over a handle of the C API.
    explicit Cancel(hmtl_cancel *handle) noexcept : handle_(handle) {}

    /// A token that is triggered when `parent` is, and can be triggered alone. It outlives `parent`.
    static Cancel child_of(const Cancel &parent)
    {
        return Cancel(hmtl_cancel_new_child(parent.required()));
    }

    /// Calls that hold the token throw HMTL_CODE_CANCELLED at their next step. May be called from any
    /// thread and from a signal handler.
    void trigger() const noexcept { hmtl_cancel_trigger(handle_.get()); }

    /// The handle of the C API, borrowed; nullptr after a move.
    const hmtl_cancel *handle() const noexcept { return handle_.get(); }

    /// The handle of the C API, now the caller's.
    [[nodiscard]] hmtl_cancel *release() noexcept { return handle_.release(); }

    /// @cond
    /// NULL would be a token that nothing triggers.
    const hmtl_cancel *required() const
    {
        if (!handle_)
            throw Error(HMTL_CODE_INVALID_ARGUMENT, "cancel was moved from");
        return handle_.get();
    }
    /// @endcond

private:
    detail::Handle<hmtl_cancel, hmtl_cancel_free> handle_;
};

/// @cond
namespace detail {

inline const hmtl_cancel *token(const Cancel *cancel) { return cancel == nullptr ? nullptr : cancel->required(); }

} // namespace detail
/// @endcond

/// Annotated documents, read-only: all methods may be called from several threads at once.
class Dataset {
public:
    /// Goes over the documents as JSON. An input iterator: it reads a document whenever it is asked for
    /// it, which may throw. It holds as long as the documents do, also if the Dataset is moved.
    class Iterator {
    public:
        /// @cond
        using iterator_category = std::input_iterator_tag;
        using value_type = std::string;
        using difference_type = std::ptrdiff_t;
        using reference = std::string;

        /// Keeps a document for the time of an expression.
        class pointer {
        public:
            explicit pointer(std::string json) noexcept : json_(std::move(json)) {}
            const std::string *operator->() const noexcept { return &json_; }

        private:
            std::string json_;
        };

        Iterator() = default;
        Iterator(const hmtl_dataset *dataset, std::size_t index) noexcept : dataset_(dataset), index_(index) {}

        std::string operator*() const
        {
            return detail::text_of([this](char **out) { return hmtl_dataset_get(dataset_, index_, out); });
        }

        pointer operator->() const { return pointer(**this); }

        Iterator &operator++() noexcept
        {
            ++index_;
            return *this;
        }

        Iterator operator++(int) noexcept
        {
            const Iterator before = *this;
            ++index_;
            return before;
        }

        friend bool operator==(const Iterator &a, const Iterator &b) noexcept
        {
            return a.dataset_ == b.dataset_ && a.index_ == b.index_;
        }

        friend bool operator!=(const Iterator &a, const Iterator &b) noexcept { return !(a == b); }
        /// @endcond

    private:
        const hmtl_dataset *dataset_ = nullptr;
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
        return detail::text_of([this](char **out) { return hmtl_dataset_info(handle(), out); });
    }

    /// The number of documents.
    std::size_t size() const noexcept { return hmtl_dataset_len(handle()); }

    /// Whether there is no document.
    bool empty() const noexcept { return size() == 0; }

    /// Document `index` as JSON.
    std::string get(std::size_t index) const { return *Iterator(handle(), index); }

    /// Document `index` as JSON.
    std::string operator[](std::size_t index) const { return get(index); }

    /// The first document.
    Iterator begin() const noexcept { return {handle(), 0}; }

    /// After the last document.
    Iterator end() const noexcept { return {handle(), size()}; }

    /// Writes the documents in `format`; see hmtl_dataset_write.
    void write(std::string_view format, std::string_view path) const
    {
        const detail::CString name(format, "format"), place(path, "path");
        detail::check(hmtl_dataset_write(handle(), name.get(), place.get()));
    }

    /// The handle of the C API, borrowed; nullptr after a move.
    const hmtl_dataset *handle() const noexcept { return handle_.get(); }

    /// The handle of the C API, now the caller's.
    [[nodiscard]] hmtl_dataset *release() noexcept { return handle_.release(); }

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
        return load_from(path.get(), options);
    }

    /// Loads the model that ships with the library.
    static Model load_default(std::string_view options = {}) { return load_from(nullptr, options); }

    /// Tasks, labels, card and so on, as JSON.
    std::string info() const
    {
        return detail::text_of([this](char **out) { return hmtl_model_info(handle(), out); });
    }

    /// Annotates a text of any length: a document as JSON; see hmtl_model_annotate.
    std::string annotate(std::string_view text, std::string_view options = {}) const
    {
        const detail::Options json(options);
        return detail::text_of([&](char **out) {
            return hmtl_model_annotate(handle(), text.data(), text.size(), json.get(), out);
        });
    }

    /// Annotates many texts: an array of documents, in their order; see hmtl_model_annotate_batch.
    std::string annotate_batch(const Texts &texts, std::string_view options = {},
                               const Cancel *cancel = nullptr) const
    {
        const detail::Options json(options);
        const hmtl_cancel *token = detail::token(cancel);
        return detail::text_of([&](char **out) {
            return hmtl_model_annotate_batch(handle(), texts.data(), texts.size(), json.get(), token, out);
        });
    }

    /// Annotates the tokens of one sentence.
    std::string annotate_tokens(const Texts &tokens, std::string_view options = {}) const
    {
        return tokenized(tokens, nullptr, 0, options);
    }

    /// Annotates the tokens of several sentences; see hmtl_model_annotate_tokens.
    std::string annotate_tokens(const Texts &tokens, const SentenceEnds &sentence_ends,
                                              std::string_view options = {}) const
    {
        return tokenized(tokens, sentence_ends.data(), sentence_ends.size(), options);
    }

    /// Scores the model on a data set: the metrics of each task as JSON; see hmtl_model_evaluate.
    std::string evaluate(const Dataset &dataset, std::string_view options = {},
                         const Cancel *cancel = nullptr) const
    {
        const detail::Options json(options);
        const hmtl_cancel *token = detail::token(cancel);
        return detail::text_of([&](char **out) {
            return hmtl_model_evaluate(handle(), dataset.handle(), json.get(), token, out);
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

    /// The handle of the C API, now the caller's.
    [[nodiscard]] hmtl_model *release() noexcept { return handle_.release(); }

private:
    static Model load_from(const char *dir, std::string_view options)
    {
        const detail::Options json(options);
        return Model(
            detail::made_by<hmtl_model>([&](hmtl_model **out) { return hmtl_model_load(dir, json.get(), out); }));
    }

    std::string tokenized(const Texts &tokens, const std::size_t *ends, std::size_t sentences,
                          std::string_view options) const
    {
        const detail::Options json(options);
        return detail::text_of([&](char **out) {
            return hmtl_model_annotate_tokens(handle(), tokens.data(), tokens.size(), ends, sentences, json.get(), out);
        });
    }

    detail::Handle<hmtl_model, hmtl_model_free> handle_;
};

/// Trains a model; see hmtl_trainer_new.
class Trainer {
public:
    /// Receives a training event as JSON, which lives until it returns.
    using OnEvent = std::function<void(std::string_view event)>;

    /// Takes over a handle of the C API.
    explicit Trainer(hmtl_trainer *handle) noexcept : handle_(handle) {}

    /// Creates a trainer for the run that `config`, JSON, describes.
    explicit Trainer(std::string_view config)
        : handle_(detail::made_by<hmtl_trainer>([json = detail::CString(config, "config_json")](hmtl_trainer **out) {
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

    /// Gives a task its data for a split: "train", "dev" or "test". The trainer keeps what it needs.
    void add_dataset(std::string_view task, std::string_view split, const Dataset &dataset)
    {
        const detail::CString name(task, "task"), part(split, "split");
        detail::check(hmtl_trainer_add_dataset(handle_.get(), name.get(), part.get(), dataset.handle()));
    }

    /// Takes one optimization step and describes it as JSON.
    std::string step()
    {
        return detail::text_of([this](char **out) { return hmtl_trainer_step(handle_.get(), out); });
    }

    /// Trains to the end, or until `cancel`, which throws HMTL_CODE_CANCELLED and leaves a trainer that can
    /// be saved and trained further; see hmtl_trainer_train. Returns what info() returns.
    ///
    /// `on_event` is called on this thread and may call `const` methods of the trainer. Its exception ends
    /// the training as `cancel` does, without triggering that, and goes on from here.
    std::string train(const OnEvent &on_event = nullptr, const Cancel *cancel = nullptr)
    {
        if (!on_event)
            return trained(nullptr, nullptr, detail::token(cancel));
        // The caller's token is not ours to trigger: an exception has one of its own.
        Watch watch{on_event, cancel == nullptr ? Cancel() : Cancel::child_of(*cancel), nullptr};
        std::string info;
        try {
            info = trained(&Trainer::call, &watch, watch.stop.handle());
        } catch (const Error &) {
            if (!watch.thrown)
                throw;
        }
        // Nothing is cancelled after the last event.
        if (watch.thrown)
            std::rethrow_exception(watch.thrown);
        return info;
    }

    /// Scores the weights as they stand on a split, as JSON.
    std::string evaluate(std::string_view split, const Cancel *cancel = nullptr)
    {
        const detail::CString part(split, "split");
        const hmtl_cancel *token = detail::token(cancel);
        return detail::text_of(
            [&](char **out) { return hmtl_trainer_evaluate(handle_.get(), part.get(), token, out); });
    }

    /// Where the run stands, as JSON.
    std::string info() const
    {
        return detail::text_of([this](char **out) { return hmtl_trainer_info(handle(), out); });
    }

    /// Writes a checkpoint to `dir`, whole or not at all.
    void save(std::string_view dir) const
    {
        const detail::CString path(dir, "dir");
        detail::check(hmtl_trainer_save(handle(), path.get()));
    }

    /// Copies the weights as they stand into a model; see hmtl_trainer_snapshot.
    Model snapshot() const
    {
        return Model(
            detail::made_by<hmtl_model>([this](hmtl_model **out) { return hmtl_trainer_snapshot(handle(), out); }));
    }

    /// Copies the weights of the best epoch into a model: of a task, or of all for "".
    Model snapshot_best(std::string_view task = {}) const
    {
        const detail::CString name(task, "task");
        return Model(detail::made_by<hmtl_model>(
            [&](hmtl_model **out) { return hmtl_trainer_snapshot_best(handle(), name.get_or_null(), out); }));
    }

    /// The handle of the C API, borrowed; nullptr after a move.
    const hmtl_trainer *handle() const noexcept { return handle_.get(); }

    /// The handle of the C API, now the caller's.
    [[nodiscard]] hmtl_trainer *release() noexcept { return handle_.release(); }

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
        (*static_cast<const OnLog *>(data))(level, message);
    } catch (...) {
        // There is nobody to tell: the line may have come from any thread.
    }
}

struct Logger {
    std::mutex mutex;
    std::unique_ptr<OnLog> current;
};

/// Never destroyed: lines may come until the process ends.
inline Logger &logger()
{
    static Logger *const only = new Logger;
    return *only;
}

} // namespace detail
/// @endcond

/// Sends log lines up to `max_level` to a function, from any thread, also from several at once; none turns
/// logging off. For the whole process. When it returns, the former function runs no more. The function must
/// not call it; an exception of the function is dropped.
inline void set_log(std::int32_t max_level, OnLog on_log)
{
    // The former function is destroyed at the very end: its destructor is anyone's code.
    std::unique_ptr<OnLog> changed;
    if (on_log)
        changed = std::make_unique<OnLog>(std::move(on_log));
    detail::Logger &logger = detail::logger();
    const std::lock_guard<std::mutex> lock(logger.mutex);
    hmtl_set_log(max_level, changed ? detail::log_line : nullptr, changed.get());
    logger.current.swap(changed);
}

/// The version of the loaded library, "MAJOR.MINOR.PATCH".
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
