// Trains a model on data that it makes in memory, saves it, and annotates with it. Takes seconds.
//
//     c++ -std=c++17 train.cpp $(pkg-config --cflags --libs hmtl) -o train
//     ./train NEW_MODEL_DIRECTORY
#include <hmtl.hpp>

#include <exception>
#include <iostream>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace {

constexpr std::string_view config = R"({
    "format": 1,
    "model": {
        "format": 1,
        "embedding": {
            "words": {"type": "table", "size": 16},
            "chars": {"type": "cnn", "size": 8, "filters": 16, "widths": [3]}
        },
        "encoders": {"low": {"type": "lstm", "inputs": ["embedding"], "hidden": 24, "layers": 1}},
        "tasks": {"ner": {"type": "crf_tagger", "on": "low"}}
    },
    "training": {
        "seed": 1, "epochs": 8, "optimizer": {"learning_rate": 0.01},
        "tasks": {"ner": {"batch_size": 4}}
    },
    "card": {"name": "travels", "language": "en"}
})";

using Names = std::vector<std::string>;

/// The document "PERSON flew to PLACE ." as a line of JSON. The names hold nothing that JSON would escape.
std::string document(const std::string &person, const std::string &place)
{
    const Names words{person, "flew", "to", place, "."};
    std::string text;
    std::ostringstream tokens, mentions;
    for (std::size_t i = 0; i < words.size(); i++) {
        if (i > 0)
            text += ' ';
        const std::size_t start = text.size();
        text += words[i];
        tokens << (i == 0 ? "" : ",") << R"({"start":)" << start << R"(,"end":)" << text.size() << '}';
        if (i != 0 && i != 3)
            continue;
        mentions << (i == 0 ? "" : ",") << R"({"start":)" << start << R"(,"end":)" << text.size()
                 << R"(,"first_token":)" << i << R"(,"last_token":)" << i + 1 << R"(,"text":")" << words[i]
                 << R"(","labels":{"ner":{"label":")" << (i == 0 ? "PER" : "LOC") << R"("}}})";
    }
    std::ostringstream line;
    line << R"({"tasks":["ner"],"text":")" << text << R"(","sentences":[{"start":0,"end":)" << text.size()
         << R"(,"first_token":0,"last_token":)" << words.size() << R"(}],"tokens":[)" << tokens.str()
         << R"(],"mentions":[)" << mentions.str() << "]}\n";
    return line.str();
}

/// A journey of each person to each place.
hmtl::Dataset journeys(const Names &people, const Names &places)
{
    std::string lines;
    for (const std::string &person : people)
        for (const std::string &place : places)
            lines += document(person, place);
    return hmtl::Dataset::from_jsonl(lines);
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
    if (argc != 2) {
        std::cerr << "usage: train NEW_MODEL_DIRECTORY\n";
        return 2;
    }
    try {
        hmtl::Trainer trainer(config);
        trainer.add_dataset("ner", "train", journeys({"Ada", "Bo", "Cy", "Dina", "Eve"}, {"Oslo", "Rome", "Lima", "Paris"}));
        trainer.add_dataset("ner", "dev", journeys({"Eve", "Finn"}, {"Paris", "Cairo"}));
        trainer.train(show);

        const hmtl::Model model = trainer.snapshot(); // of the best epoch, as the run has ended
        model.save(argv[1]);
        std::cout << model.annotate("Finn flew to Cairo.") << std::endl;
        return std::cout ? 0 : 1;
    } catch (const std::exception &error) {
        std::cerr << "train: " << error.what() << '\n';
        return 1;
    }
}
