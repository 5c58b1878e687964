// Tests of hmtl.hpp with the model that ships. Prints "ok", or the first failure. The argument is an
// empty folder.
#include <hmtl.hpp>

#include "second.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdlib>
#include <iostream>
#include <iterator>
#include <list>
#include <string>
#include <string_view>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#if __has_include(<span>) && __cplusplus >= 202002L
#include <span>
#endif

namespace {

using namespace std::string_view_literals;

#define CHECK(condition)                                                                          \
    do {                                                                                          \
        if (!(condition)) {                                                                       \
            std::cerr << __FILE__ << ':' << __LINE__ << ": " #condition "\n";                     \
            std::exit(1);                                                                         \
        }                                                                                         \
    } while (false)

/// The code of the Error that a call throws, and that its message has some words.
template <class Call>
hmtl_code code_of(Call &&call, std::string_view words = "")
{
    try {
        call();
    } catch (const hmtl::Error &error) {
        if (std::string_view(error.what()).find(words) == std::string_view::npos)
            std::cerr << "message: " << error.what() << '\n';
        CHECK(std::string_view(error.what()).find(words) != std::string_view::npos);
        return error.code();
    }
    return HMTL_CODE_OK;
}

bool has(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

static_assert(std::is_nothrow_move_constructible_v<hmtl::Model> && !std::is_copy_constructible_v<hmtl::Model>);
static_assert(std::is_nothrow_move_assignable_v<hmtl::Trainer> && !std::is_copy_assignable_v<hmtl::Trainer>);
static_assert(std::is_nothrow_move_constructible_v<hmtl::Dataset> && std::is_nothrow_move_constructible_v<hmtl::Cancel>);
static_assert(std::is_base_of_v<std::runtime_error, hmtl::Error>);

// An iterator that makes its strings does not keep them until the call.
static_assert(std::is_convertible_v<std::vector<std::string>, hmtl::Texts>);
static_assert(!std::is_convertible_v<hmtl::Dataset, hmtl::Texts>);
static_assert(!std::is_convertible_v<std::string, hmtl::Texts>);

constexpr std::string_view TEXT = "Ingrid Solberg was born in Bergen, Norway.";

void process()
{
    CHECK(hmtl::abi_version() == HMTL_ABI_VERSION);
    CHECK(has(hmtl::build_info(), std::string("\"hmtl\":\"") + std::string(hmtl::version())));
    CHECK(has(hmtl::devices(), "\"cpu\""));
    hmtl::set_num_threads(1);
    CHECK(code_of([] { hmtl::set_num_threads(0); }) == HMTL_CODE_INVALID_ARGUMENT);
}

void texts(const hmtl::Model &model)
{
    const std::string one = model.annotate(TEXT);
    CHECK(has(one, "Ingrid Solberg") && has(one, "\"relations\""));
    CHECK(annotated_elsewhere(model, TEXT) == model.annotate(TEXT, R"({"tasks":["ner"]})"));
    CHECK(has(model.annotate(""), "\"tokens\":[]"));
    CHECK(has(model.annotate("One\0Two"sv), "One\\u0000Two"));
    // Texts come in any range of strings or views.
    const std::string options = R"({"tasks":["ner"]})";
    const std::string expected = model.annotate_batch({TEXT, "Bo left."}, options);
    const std::vector<std::string> strings{std::string(TEXT), "Bo left."};
    const std::list<std::string_view> views{TEXT, "Bo left."};
    const std::array<const char *, 2> pointers{"Ingrid Solberg was born in Bergen, Norway.", "Bo left."};
    CHECK(model.annotate_batch(strings, options) == expected);
    CHECK(model.annotate_batch(views, options) == expected);
    CHECK(model.annotate_batch(pointers, options) == expected);
#ifdef __cpp_lib_span
    CHECK(model.annotate_batch(std::span<const std::string>(strings), options) == expected);
#endif
    CHECK(model.annotate_batch(std::vector<std::string>()) == "[]");
    const std::vector<std::string> tokens{"Ada", "left", ".", "She", "won", "."};
    CHECK(has(model.annotate_tokens(tokens), "Ada left . She won ."));
    CHECK(has(model.annotate_tokens(tokens, {3, 6}), "Ada left .\\nShe won ."));
    CHECK(has(model.annotate_tokens(tokens, {3, 6}, options), "\"tasks\":[\"ner\"]"));
    CHECK(has(model.annotate_tokens(tokens, options), "\"tasks\":[\"ner\"]"));
    CHECK(has(model.annotate_tokens({"Ada", "left"}, std::vector<std::size_t>{2}), "Ada left"));
    // No sentences are not one sentence.
    CHECK(code_of([&] { model.annotate_tokens(tokens, std::vector<std::size_t>()); }, "sentence_ends") ==
          HMTL_CODE_INVALID_ARGUMENT);
}

void errors(const hmtl::Model &model)
{
    CHECK(code_of([&] { model.annotate("\xff"); }, "UTF-8") == HMTL_CODE_INVALID_ARGUMENT);
    CHECK(code_of([&] { model.annotate("x", R"({"task":1})"); }, "task") == HMTL_CODE_INVALID_ARGUMENT);
    CHECK(code_of([] { hmtl::Model::load("no/such/folder"); }, "no/such/folder") == HMTL_CODE_IO);
    CHECK(code_of([] { hmtl::Model::load("no/such/folder", "{}"); }, "no/such/folder") == HMTL_CODE_IO);
    // What would be cut at a NUL is refused.
    CHECK(code_of([] { hmtl::Model::load("a\0b"sv); }, "NUL") == HMTL_CODE_INVALID_ARGUMENT);
    CHECK(code_of([&] { model.annotate("x", "{}\0"sv); }, "NUL") == HMTL_CODE_INVALID_ARGUMENT);
    CHECK(code_of([&] { model.annotate_tokens(std::vector<std::string>{"a"}, {2}); }) == HMTL_CODE_INVALID_ARGUMENT);
}

void cancelling(const hmtl::Model &model)
{
    const hmtl::Cancel parent;
    const hmtl::Cancel child = hmtl::Cancel::child_of(parent);
    CHECK(has(model.annotate_batch({TEXT}, {}, &child), "Solberg"));
    parent.trigger();
    CHECK(code_of([&] { model.annotate_batch({TEXT}, {}, &child); }) == HMTL_CODE_CANCELLED);

    hmtl::Cancel cancel;
    const hmtl::Cancel other = std::move(cancel);
    // NOLINTNEXTLINE(bugprone-use-after-move): it must not pass for none
    CHECK(code_of([&] { model.annotate_batch({TEXT}, {}, &cancel); }, "moved") == HMTL_CODE_INVALID_ARGUMENT);
    CHECK(code_of([&] { hmtl::Cancel::child_of(cancel); }, "moved") == HMTL_CODE_INVALID_ARGUMENT);
    cancel.trigger();

    const hmtl::Cancel adopted(hmtl::Cancel().release());
    adopted.trigger();
    CHECK(code_of([&] { model.annotate_batch({TEXT}, {}, &adopted); }) == HMTL_CODE_CANCELLED);
}

void moves(hmtl::Model model)
{
    hmtl::Model other = std::move(model);
    CHECK(has(other.annotate(TEXT), "Solberg"));
    // NOLINTNEXTLINE(bugprone-use-after-move): that is the test
    CHECK(code_of([&] { model.annotate(TEXT); }, "NULL") == HMTL_CODE_INVALID_ARGUMENT);
    hmtl::Dataset data = hmtl::Dataset::from_jsonl("");
    hmtl::Trainer trainer(static_cast<hmtl_trainer *>(nullptr));
    const hmtl::Dataset moved = std::move(data);
    // NOLINTNEXTLINE(bugprone-use-after-move)
    CHECK(data.size() == 0 && data.begin() == data.end() && moved.handle() != nullptr);
    CHECK(code_of([&] { data.info(); }, "NULL") == HMTL_CODE_INVALID_ARGUMENT);
    CHECK(code_of([&] { other.evaluate(data); }, "NULL") == HMTL_CODE_INVALID_ARGUMENT);
    CHECK(code_of([&] { trainer.train(); }, "NULL") == HMTL_CODE_INVALID_ARGUMENT);
    model = std::move(other);
    CHECK(has(model.annotate(TEXT), "Solberg"));
}

void threads(const hmtl::Model &model)
{
    const std::string expected = model.annotate(TEXT);
    std::atomic<int> equal{0};
    std::vector<std::thread> callers;
    for (int i = 0; i < 8; i++)
        callers.emplace_back([&] { equal += model.annotate(TEXT) == expected; });
    for (std::thread &caller : callers)
        caller.join();
    CHECK(equal == 8);
}

std::string sentence(const std::string &name)
{
    const std::string n = std::to_string(name.size()), end = std::to_string(name.size() + 5);
    return R"({"tasks":["ner"],"text":")" + name + R"( left","sentences":[{"start":0,"end":)" + end +
           R"(,"first_token":0,"last_token":2}],"tokens":[{"start":0,"end":)" + n + R"(},{"start":)" +
           std::to_string(name.size() + 1) + R"(,"end":)" + end + R"(}],"mentions":[{"start":0,"end":)" + n +
           R"(,"first_token":0,"last_token":1,"text":")" + name + R"(","labels":{"ner":{"label":"PER"}}}]})" + "\n";
}

hmtl::Dataset people()
{
    return hmtl::Dataset::from_jsonl(sentence("Ada") + sentence("Bo") + sentence("Cy") + sentence("Di"));
}

void datasets(const std::string &folder)
{
    const hmtl::Dataset data = people();
    CHECK(data.size() == 4 && !data.empty() && has(data.info(), "\"documents\":4"));
    std::vector<std::string> found(data.begin(), data.end());
    CHECK(found.size() == 4 && has(found[1], "Bo left") && found[3] == data[3]);
    CHECK(std::count_if(data.begin(), data.end(), [](const std::string &d) { return has(d, "PER"); }) == 4);
    CHECK(code_of([&] { data.get(4); }) == HMTL_CODE_INVALID_ARGUMENT);
    CHECK(data.begin()->size() == data[0].size());
    hmtl::Dataset first = people();
    const hmtl::Dataset::Iterator second = std::next(first.begin());
    const hmtl::Dataset moved = std::move(first);
    CHECK(*second == moved[1]);
    data.write("jsonl", folder + "/people.jsonl");
    CHECK(hmtl::Dataset::open("jsonl", folder + "/people.jsonl")[0] == data[0]);
    CHECK(code_of([&] { hmtl::Dataset::open("conll1999", folder); }, "conll1999") == HMTL_CODE_INVALID_ARGUMENT);
    CHECK(code_of([] { hmtl::Dataset::from_jsonl("{oops"); }, ":1:") == HMTL_CODE_DATA);
}

constexpr std::string_view CONFIG = R"({"format":1,"model":{"format":1,
    "embedding":{"words":{"type":"table","size":8}},
    "encoders":{"low":{"type":"lstm","inputs":["embedding"],"hidden":8,"layers":1}},
    "tasks":{"ner":{"type":"crf_tagger","on":"low"}}},
    "training":{"seed":1,"epochs":3,"optimizer":{"learning_rate":0.05},"tasks":{"ner":{"batch_size":2}}}})";

hmtl::Trainer trainer()
{
    hmtl::Trainer made(CONFIG);
    const hmtl::Dataset data = people();
    made.add_dataset("ner", "train", data);
    made.add_dataset("ner", "dev", data);
    return made;
}

void training(const std::string &folder)
{
    hmtl::Trainer one = trainer();
    CHECK(has(one.step(), "\"loss\""));
    one.save(folder + "/checkpoint");
    std::vector<std::string> events;
    const std::string info = one.train([&](std::string_view event) {
        events.emplace_back(event);
        CHECK(has(one.info(), "\"epochs\":3")); // const calls may be made meanwhile
    });
    CHECK(has(info, "\"finished\":\"epochs\"") && has(events.back(), "finished"));
    CHECK(has(one.evaluate("dev"), "\"ner\""));
    one.snapshot_best().save(folder + "/model");
    CHECK(has(hmtl::Model::load(folder + "/model").annotate("Cy left"), "\"PER\""));
    CHECK(has(one.snapshot().info(), "crf_tagger"));

    hmtl::Trainer again = hmtl::Trainer::resume(folder + "/checkpoint");
    const hmtl::Dataset data = people();
    again.add_dataset("ner", "train", data);
    again.add_dataset("ner", "dev", data);
    CHECK(again.train() == info);
    CHECK(code_of([&] { hmtl::Trainer("{"); }) == HMTL_CODE_CONFIG);
}

struct Stop {};

/// An exception of an event function ends the training and comes out of train(); the caller's token
/// is not touched, and the trainer goes on.
void exceptions()
{
    hmtl::Trainer one = trainer();
    const hmtl::Cancel cancel;
    int events = 0;
    bool thrown = false;
    try {
        one.train(
            [&](std::string_view) {
                if (++events == 2)
                    throw Stop();
            },
            &cancel);
    } catch (const Stop &) {
        thrown = true;
    }
    CHECK(thrown && events == 2);
    CHECK(has(one.train(nullptr, &cancel), "\"finished\":\"epochs\""));

    // The last event has nothing left to cancel.
    hmtl::Trainer last = trainer();
    thrown = false;
    try {
        last.train([](std::string_view event) {
            if (has(event, "finished"))
                throw Stop();
        });
    } catch (const Stop &) {
        thrown = true;
    }
    CHECK(thrown && has(last.info(), "\"finished\":\"epochs\""));

    hmtl::Trainer two = trainer();
    CHECK(code_of([&] { two.train([&](std::string_view) { cancel.trigger(); }, &cancel); }) == HMTL_CODE_CANCELLED);
    CHECK(has(two.train(), "\"finished\":\"epochs\""));
}

void logs()
{
    std::atomic<int> lines{0};
    hmtl::set_log(5, [&](std::int32_t level, std::string_view message) {
        CHECK(level >= 1 && level <= 5 && !message.empty());
        lines++;
        throw Stop(); // goes nowhere
    });
    hmtl::Model::load_default();
    trainer().step();
    hmtl::set_log(0, nullptr);
    const int before = lines;
    trainer().step();
    CHECK(lines == before);
}

} // namespace

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    const std::string folder = argv[1];
    const hmtl::Model model = hmtl::Model::load_default();
    process();
    texts(model);
    errors(model);
    cancelling(model);
    moves(hmtl::Model::load_default(R"({"tasks":["ner"]})"));
    threads(model);
    datasets(folder);
    training(folder);
    exceptions();
    logs();
    std::cout << "ok\n";
    return 0;
}
