// Teaches the model that ships the labels FOOD and TOOL from a handful of sentences. It keeps what it knows:
// its parameters are frozen, and the new task has an encoder of its own above them.
//
//     c++ -std=c++17 finetune.cpp $(pkg-config --cflags --libs hmtl) -o finetune
//     ./finetune [NEW_MODEL_DIRECTORY]
#include <hmtl.hpp>

#include <algorithm>
#include <cstddef>
#include <exception>
#include <iostream>
#include <sstream>
#include <string>
#include <string_view>

namespace {

constexpr std::string_view config = R"({
    "format": 1,
    "start": "default",
    "model": {
        "encoders": {"own": {"type": "lstm", "inputs": ["embedding", "low", "mid"], "hidden": 50, "layers": 1}},
        "tasks": {"kitchen": {"type": "crf_tagger", "on": "own", "input_dropout": 0.3, "dropout": 0.3}}
    },
    "training": {
        "seed": 1, "epochs": 20, "optimizer": {"learning_rate": 0.005},
        "freeze": ["embedding", "encoders.low", "encoders.mid"],
        "tasks": {"kitchen": {"batch_size": 3}}
    },
    "card": {"name": "kitchen", "language": "en", "license": "CC-BY-SA-4.0"}
})";

/// Tokens with spaces between them, and [what is to be found]LABEL.
constexpr std::string_view sentences[] = {
    "Melt the [butter]FOOD in a [heavy saucepan]TOOL over low heat .",
    "Slice the [onions]FOOD thinly with a [sharp knife]TOOL .",
    "Stir in the [flour]FOOD with a [wooden spoon]TOOL .",
    "Pour the [beef stock]FOOD over the [onions]FOOD and wait .",
    "Season with [salt]FOOD and a little [black pepper]FOOD .",
    "My grandmother in Palermo never used [cream]FOOD .",
    "Whisk the [eggs]FOOD and the [milk]FOOD in a [bowl]TOOL .",
    "Drain the [rice]FOOD in a [sieve]TOOL , says Anna Berg .",
    "Cut the [bacon]FOOD into small cubes with [scissors]TOOL .",
    "She learned it in Lyon , from Paul , in the summer of 2009 .",
    "Beat the [cream]FOOD with a [whisk]TOOL until it is stiff .",
    "Fry the [garlic]FOOD in [olive oil]FOOD in a [large pan]TOOL .",
};

/// What stands in `text` before one of some characters; it is cut off there.
std::string_view cut(std::string_view &text, std::string_view characters)
{
    const std::string_view before = text.substr(0, std::min(text.find_first_of(characters), text.size()));
    text.remove_prefix(before.size());
    return before;
}

/// Cuts off a character, if it is there.
bool cut_if(std::string_view &text, char character)
{
    const bool there = !text.empty() && text.front() == character;
    text.remove_prefix(there ? 1 : 0);
    return there;
}

/// A sentence as a document, a line of JSON. Its words hold nothing that JSON would escape.
std::string document(std::string_view marked)
{
    std::string text;
    std::ostringstream tokens, mentions;
    std::size_t token = 0, first = 0, start = 0;
    const char *comma = "";
    while (!marked.empty()) {
        if (cut_if(marked, ' '))
            text += ' ';
        if (cut_if(marked, '[')) {
            start = text.size();
            first = token;
        }
        tokens << (token == 0 ? "" : ",") << R"({"start":)" << text.size();
        text += cut(marked, " ]");
        tokens << R"(,"end":)" << text.size() << '}';
        token++;
        if (cut_if(marked, ']')) {
            mentions << comma << R"({"start":)" << start << R"(,"end":)" << text.size() << R"(,"first_token":)" << first
                     << R"(,"last_token":)" << token << R"(,"text":")" << text.substr(start)
                     << R"(","labels":{"kitchen":{"label":")" << cut(marked, " ") << R"("}}})";
            comma = ",";
        }
    }
    std::ostringstream line;
    line << R"({"tasks":["kitchen"],"text":")" << text << R"(","sentences":[{"start":0,"end":)" << text.size()
         << R"(,"first_token":0,"last_token":)" << token << R"(}],"tokens":[)" << tokens.str() << R"(],"mentions":[)"
         << mentions.str() << "]}\n";
    return line.str();
}

/// A program that wants more than a look reads the JSON with a library; see hmtl_nlohmann.hpp.
void show(std::string_view event)
{
    if (event.find(R"("event":"epoch")") != std::string_view::npos)
        std::cout << event << '\n';
}

} // namespace

int main(int argc, char **argv)
{
    try {
        std::string lines;
        for (const std::string_view sentence : sentences)
            lines += document(sentence);
        hmtl::Trainer trainer(config);
        trainer.add_dataset("kitchen", "train", hmtl::Dataset::from_jsonl(lines));
        trainer.train(show);

        const hmtl::Model model = trainer.snapshot();
        std::cout << model.annotate("Maria Silva fried the onions and the bacon in a large saucepan in Lisbon.",
                                    R"({"tasks":["ner","kitchen"]})")
                  << std::endl;
        if (argc > 1)
            model.save(argv[1]);
        return std::cout ? 0 : 1;
    } catch (const std::exception &error) {
        std::cerr << "finetune: " << error.what() << '\n';
        return 1;
    }
}
