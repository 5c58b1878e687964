// Tests of hmtl_nlohmann.hpp with the model that ships. Prints "ok", or the first failure.
#include <hmtl_nlohmann.hpp>

#include <cstdlib>
#include <iostream>
#include <string>

#define CHECK(condition)                                                                          \
    do {                                                                                          \
        if (!(condition)) {                                                                       \
            std::cerr << __FILE__ << ':' << __LINE__ << ": " #condition "\n";                     \
            std::exit(1);                                                                         \
        }                                                                                         \
    } while (false)

int main()
{
    const std::string text = "Ingrid Solberg was born in Bergen, Norway. She joined the University of Oslo in 2009.";
    const hmtl::Model model = hmtl::Model::load_default();
    const hmtl::Document document = hmtl::parse_document(model.annotate(text));
    CHECK(document.format == 1 && document.offsets == "byte" && document.text == text && !document.id);
    CHECK(document.sentences.size() == 2 && document.tokens.size() > 15 && document.tasks.size() == 4);
    bool found = false;
    for (const hmtl::Mention &mention : document.mentions) {
        CHECK(text.substr(mention.start, mention.end - mention.start) == mention.text);
        const auto name = mention.labels.find("ner");
        found |= name != mention.labels.end() && name->second.label == "PER" && name->second.score > 0.5;
    }
    CHECK(found);
    for (const hmtl::Relation &relation : document.relations)
        CHECK(relation.head < document.mentions.size() && relation.tail < document.mentions.size());
    for (const hmtl::Cluster &cluster : document.clusters)
        for (const std::size_t mention : cluster.mentions)
            CHECK(document.mentions[mention].cluster);
    CHECK(hmtl::parse_documents(model.annotate_batch({text, ""})).size() == 2);

    // What is written is what was read.
    CHECK(nlohmann::json(document) == nlohmann::json::parse(model.annotate(text)));
    const hmtl::Dataset data = hmtl::Dataset::from_jsonl(hmtl::to_jsonl({document, hmtl::Document()}));
    CHECK(data.size() == 2 && hmtl::parse_document(data[0]).mentions.size() == document.mentions.size());

    const hmtl::Document gold = hmtl::parse_document(
        R"({"format":1,"id":"a","offsets":"char","tasks":["ner"],"covered":{"ner":["PER"]},"text":"x","sentences":[],
            "tokens":[],"mentions":[],"relations":[],"clusters":[],"of_a_newer_version":true})");
    CHECK(gold.id == "a" && gold.covered.at("ner").size() == 1);
    const hmtl::Event event = hmtl::parse_event(R"({"event":"step","step":3,"loss":0.5})");
    CHECK(event.kind == "step" && event.json["step"] == 3);
    bool refused = false;
    try {
        hmtl::parse_document("[]");
    } catch (const nlohmann::json::exception &) {
        refused = true;
    }
    CHECK(refused);
    std::cout << "ok\n";
    return 0;
}
