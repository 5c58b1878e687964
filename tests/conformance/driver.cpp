// The driver in C++; see README.md.
#include <hmtl.hpp>

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using Value = std::optional<std::string>;

[[noreturn]] void fail(const std::string &message)
{
    std::cerr << "driver: " << message << '\n';
    std::exit(1);
}

std::size_t number(std::string_view digits)
{
    std::size_t value = 0;
    const char *const end = digits.data() + digits.size();
    const std::from_chars_result read = std::from_chars(digits.data(), end, value);
    if (read.ec != std::errc() || read.ptr != end)
        fail("no number: " + std::string(digits));
    return value;
}

class Arguments {
public:
    Arguments(std::string call, std::vector<Value> values) : call_(std::move(call)), values_(std::move(values)) {}

    Value next()
    {
        if (next_ == values_.size())
            fail(call_ + ": too few arguments");
        return std::move(values_[next_++]);
    }

    /// A text; "" for NULL, which C++ does not tell apart.
    std::string text() { return next().value_or(""); }

    std::vector<std::string> rest()
    {
        std::vector<std::string> texts;
        while (next_ < values_.size())
            texts.push_back(text());
        return texts;
    }

    const std::string &call() const { return call_; }
    bool done() const { return next_ == values_.size(); }

private:
    std::string call_;
    std::vector<Value> values_;
    std::size_t next_ = 0;
};

template <class T>
using Objects = std::map<std::string, T>;

Objects<hmtl::Cancel> cancels;
Objects<hmtl::Model> models;
Objects<hmtl::Dataset> datasets;
Objects<hmtl::Trainer> trainers;

template <class T>
T &get(Objects<T> &objects, Arguments &a)
{
    const auto found = objects.find(a.text());
    if (found == objects.end())
        fail(a.call() + ": unknown object");
    return found->second;
}

const hmtl::Cancel *cancel(Arguments &a)
{
    const Value name = a.next();
    if (!name)
        return nullptr;
    const auto found = cancels.find(*name);
    if (found == cancels.end())
        fail("unknown token " + *name);
    return &found->second;
}

void write_value(std::ostream &out, const Value &value)
{
    if (value)
        out << value->size() << '\n' << *value << '\n';
    else
        out << "-\n";
}

std::string tokens(const hmtl::Model &model, Arguments &a)
{
    const std::string options = a.text();
    const Value ends = a.next();
    const std::vector<std::string> tokens = a.rest();
    if (!ends)
        return model.annotate_tokens(tokens, options);
    std::vector<std::size_t> sentence_ends;
    std::istringstream digits(*ends);
    for (std::string end; digits >> end;)
        sentence_ends.push_back(number(end));
    return model.annotate_tokens(tokens, sentence_ends, options);
}

Value model_call(const std::string &call, Arguments &a)
{
    if (call == "load") {
        const std::string name = a.text();
        const Value dir = a.next();
        const std::string options = a.text();
        models.insert_or_assign(name, dir ? hmtl::Model::load(*dir, options) : hmtl::Model::load_default(options));
        return {};
    }
    if (call == "free") {
        models.erase(a.text());
        return {};
    }
    const hmtl::Model &model = get(models, a);
    if (call == "info")
        return model.info();
    if (call == "annotate") {
        const std::string text = a.text();
        return model.annotate(text, a.text());
    }
    if (call == "annotate_batch") {
        const hmtl::Cancel *token = cancel(a);
        const std::string options = a.text();
        return model.annotate_batch(a.rest(), options, token);
    }
    if (call == "annotate_tokens")
        return tokens(model, a);
    if (call == "evaluate") {
        const hmtl::Dataset &dataset = get(datasets, a);
        const std::string options = a.text();
        return model.evaluate(dataset, options, cancel(a));
    }
    if (call == "save") {
        const std::string dir = a.text();
        model.save(dir, a.text());
        return {};
    }
    fail("unknown call " + a.call());
}

Value dataset_call(const std::string &call, Arguments &a)
{
    if (call == "open") {
        const std::string name = a.text(), format = a.text(), path = a.text();
        datasets.insert_or_assign(name, hmtl::Dataset::open(format, path, a.text()));
        return {};
    }
    if (call == "from_jsonl") {
        const std::string name = a.text();
        datasets.insert_or_assign(name, hmtl::Dataset::from_jsonl(a.text()));
        return {};
    }
    if (call == "free") {
        datasets.erase(a.text());
        return {};
    }
    const hmtl::Dataset &dataset = get(datasets, a);
    if (call == "info")
        return dataset.info();
    if (call == "len")
        return std::to_string(dataset.size());
    if (call == "get")
        return dataset.get(number(a.text()));
    if (call == "write") {
        const std::string format = a.text();
        dataset.write(format, a.text());
        return {};
    }
    fail("unknown call " + a.call());
}

Value train(hmtl::Trainer &trainer, Arguments &a)
{
    const hmtl::Cancel *token = cancel(a);
    const Value count = a.next();
    std::size_t steps = 0;
    return trainer.train(
        [&](std::string_view event) {
            std::cout << "event\n";
            write_value(std::cout, std::string(event));
            const bool is_step = event.rfind("{\"event\":\"step\"", 0) == 0;
            if (is_step && ++steps == (count ? number(*count) : 0) && token != nullptr)
                token->trigger();
        },
        token);
}

Value trainer_call(const std::string &call, Arguments &a)
{
    if (call == "new") {
        const std::string name = a.text(), config = a.text();
        trainers.insert_or_assign(name, hmtl::Trainer(config));
        return {};
    }
    if (call == "resume") {
        const std::string name = a.text(), dir = a.text();
        trainers.insert_or_assign(name, hmtl::Trainer::resume(dir, a.text()));
        return {};
    }
    if (call == "free") {
        trainers.erase(a.text());
        return {};
    }
    hmtl::Trainer &trainer = get(trainers, a);
    if (call == "add_dataset") {
        const std::string task = a.text(), split = a.text();
        trainer.add_dataset(task, split, get(datasets, a));
        return {};
    }
    if (call == "step")
        return trainer.step();
    if (call == "train")
        return train(trainer, a);
    if (call == "evaluate") {
        const std::string split = a.text();
        return trainer.evaluate(split, cancel(a));
    }
    if (call == "info")
        return trainer.info();
    if (call == "save") {
        trainer.save(a.text());
        return {};
    }
    if (call == "snapshot") {
        models.insert_or_assign(a.text(), trainer.snapshot());
        return {};
    }
    if (call == "snapshot_best") {
        const std::string task = a.text(), name = a.text();
        models.insert_or_assign(name, trainer.snapshot_best(task));
        return {};
    }
    fail("unknown call " + a.call());
}

Value answer(Arguments &a)
{
    const std::string &call = a.call();
    if (call == "version")
        return std::string(hmtl::version());
    if (call == "abi_version")
        return std::to_string(hmtl::abi_version());
    if (call == "build_info")
        return hmtl::build_info();
    if (call == "devices")
        return hmtl::devices();
    if (call == "set_num_threads") {
        hmtl::set_num_threads(static_cast<std::uint32_t>(number(a.text())));
        return {};
    }
    if (call == "cancel_new") {
        cancels.insert_or_assign(a.text(), hmtl::Cancel());
        return {};
    }
    if (call == "cancel_new_child") {
        const std::string name = a.text();
        cancels.insert_or_assign(name, hmtl::Cancel::child_of(get(cancels, a)));
        return {};
    }
    if (call == "cancel_trigger") {
        get(cancels, a).trigger();
        return {};
    }
    if (call == "cancel_free") {
        cancels.erase(a.text());
        return {};
    }
    const std::size_t cut = call.find('_');
    const std::string kind = call.substr(0, cut), rest = cut == std::string::npos ? "" : call.substr(cut + 1);
    if (kind == "model")
        return model_call(rest, a);
    if (kind == "dataset")
        return dataset_call(rest, a);
    if (kind == "trainer")
        return trainer_call(rest, a);
    fail("unknown call " + call);
}

Value read_value()
{
    std::string line;
    if (!std::getline(std::cin, line))
        fail("a request ends early");
    if (line == "-")
        return {};
    std::string value(number(line), '\0');
    std::cin.read(value.data(), static_cast<std::streamsize>(value.size()));
    if (!std::cin || std::cin.get() != '\n')
        fail("a value ends early");
    return value;
}

} // namespace

int main()
{
    for (std::string line; std::getline(std::cin, line);) {
        const std::size_t space = line.find(' ');
        if (space == std::string::npos || std::cin.eof())
            fail("no request: " + line);
        const std::string call = line.substr(0, space);
        const std::size_t count = number(std::string_view(line).substr(space + 1));
        std::vector<Value> values;
        for (std::size_t i = 0; i < count; i++)
            values.push_back(read_value());
        Arguments a(call, std::move(values));
        std::ostringstream out;
        try {
            const Value value = answer(a);
            out << "ok\n";
            write_value(out, value);
            if (!a.done())
                fail(call + ": too many arguments");
        } catch (const hmtl::Error &error) {
            out << "error " << static_cast<int>(error.code()) << '\n';
            write_value(out, std::string(error.what()));
        }
        std::cout << out.str() << std::flush;
    }
    return 0;
}
