/**
 * @file hmtl_nlohmann.hpp
 * Structs for the documents and training events of hmtl, read and written with nlohmann/json (3.9 or later).
 *
 * ```cpp
 * const hmtl::Document document = hmtl::parse_document(model.annotate(text));
 * for (const hmtl::Mention &mention : document.mentions)
 *     if (const auto name = mention.labels.find("ner"); name != mention.labels.end())
 *         std::cout << mention.text << ' ' << name->second.label << '\n';
 * ```
 *
 * Documents are written as well, such as gold of one's own: `hmtl::Dataset::from_jsonl(hmtl::to_jsonl(documents))`.
 *
 * Fields of newer libraries are ignored. What is no document throws `nlohmann::json::exception`.
 */
#pragma once

#include "hmtl.hpp"

#if !__has_include(<nlohmann/json.hpp>)
#error "hmtl_nlohmann.hpp needs nlohmann/json (Debian: nlohmann-json3-dev)"
#endif
#include <nlohmann/json.hpp>

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hmtl {

/// A sentence: what it covers, half-open, in the document's unit of offsets and in tokens.
struct Sentence {
    /// Where it begins.
    std::size_t start = 0;
    /// Where it has ended.
    std::size_t end = 0;
    /// Index of its first token.
    std::size_t first_token = 0;
    /// Index after its last token.
    std::size_t last_token = 0;
};

/// A token: what it covers.
struct Token {
    /// Where it begins.
    std::size_t start = 0;
    /// Where it has ended.
    std::size_t end = 0;
};

/// A label, with the probability that the model gives it; gold has none.
struct Label {
    /// Its name.
    std::string label;
    /// 0 to 1.
    std::optional<double> score;
};

/// A span that at least one task found.
struct Mention {
    /// Where it begins.
    std::size_t start = 0;
    /// Where it has ended.
    std::size_t end = 0;
    /// Index of its first token.
    std::size_t first_token = 0;
    /// Index after its last token.
    std::size_t last_token = 0;
    /// What stands there.
    std::string text;
    /// Labels by task.
    std::map<std::string, Label> labels;
    /// Index into Document::clusters.
    std::optional<std::size_t> cluster;
};

/// A directed relation between two mentions, by their index.
struct Relation {
    /// The task that found it.
    std::string task;
    /// Its name.
    std::string label;
    /// Index into Document::mentions.
    std::size_t head = 0;
    /// Index into Document::mentions.
    std::size_t tail = 0;
    /// 0 to 1; gold has none.
    std::optional<double> score;
};

/// Mentions of one entity, by their index.
struct Cluster {
    /// Indices into Document::mentions, in text order.
    std::vector<std::size_t> mentions;
};

/// An annotated document.
struct Document {
    /// Version of the shape.
    int format = 1;
    /// A name, in data sets.
    std::optional<std::string> id;
    /// The unit of every start and end: "byte", "char" or "utf16".
    std::string offsets = "byte";
    /// The layers that were looked for.
    std::vector<std::string> tasks;
    /// By layer, the labels that were looked for, where those were not all.
    std::map<std::string, std::vector<std::string>> covered;
    /// The text.
    std::string text;
    /// In text order.
    std::vector<Sentence> sentences;
    /// In text order.
    std::vector<Token> tokens;
    /// In text order, each span once.
    std::vector<Mention> mentions;
    /// Between mentions.
    std::vector<Relation> relations;
    /// Of mentions.
    std::vector<Cluster> clusters;
};

/// A training event: its kind, and all of it as JSON.
struct Event {
    /// "step", "evaluating", "evaluated", "epoch", "finished", or one of a newer library.
    std::string kind;
    /// All of the event.
    nlohmann::json json;
};

/// @cond
namespace detail {

template <class T>
void read(const nlohmann::json &json, const char *key, std::optional<T> &value)
{
    const auto found = json.find(key);
    if (found != json.end() && !found->is_null())
        value = found->template get<T>();
}

template <class T>
void read(const nlohmann::json &json, const char *key, T &value)
{
    json.at(key).get_to(value);
}

template <class T>
void read_if_there(const nlohmann::json &json, const char *key, T &value)
{
    if (const auto found = json.find(key); found != json.end())
        found->get_to(value);
}

template <class T>
void write_if_there(nlohmann::json &json, const char *key, const std::optional<T> &value)
{
    if (value)
        json[key] = *value;
}

} // namespace detail

inline void from_json(const nlohmann::json &json, Sentence &value)
{
    detail::read(json, "start", value.start);
    detail::read(json, "end", value.end);
    detail::read(json, "first_token", value.first_token);
    detail::read(json, "last_token", value.last_token);
}

inline void from_json(const nlohmann::json &json, Token &value)
{
    detail::read(json, "start", value.start);
    detail::read(json, "end", value.end);
}

inline void from_json(const nlohmann::json &json, Label &value)
{
    detail::read(json, "label", value.label);
    detail::read(json, "score", value.score);
}

inline void from_json(const nlohmann::json &json, Mention &value)
{
    detail::read(json, "start", value.start);
    detail::read(json, "end", value.end);
    detail::read(json, "first_token", value.first_token);
    detail::read(json, "last_token", value.last_token);
    detail::read(json, "text", value.text);
    detail::read(json, "labels", value.labels);
    detail::read(json, "cluster", value.cluster);
}

inline void from_json(const nlohmann::json &json, Relation &value)
{
    detail::read(json, "task", value.task);
    detail::read(json, "label", value.label);
    detail::read(json, "head", value.head);
    detail::read(json, "tail", value.tail);
    detail::read(json, "score", value.score);
}

inline void from_json(const nlohmann::json &json, Cluster &value) { detail::read(json, "mentions", value.mentions); }

inline void from_json(const nlohmann::json &json, Document &value)
{
    detail::read(json, "format", value.format);
    detail::read(json, "id", value.id);
    detail::read(json, "offsets", value.offsets);
    detail::read(json, "tasks", value.tasks);
    detail::read_if_there(json, "covered", value.covered);
    detail::read(json, "text", value.text);
    detail::read(json, "sentences", value.sentences);
    detail::read(json, "tokens", value.tokens);
    detail::read(json, "mentions", value.mentions);
    detail::read(json, "relations", value.relations);
    detail::read(json, "clusters", value.clusters);
}

inline void to_json(nlohmann::json &json, const Sentence &value)
{
    json = {{"start", value.start},
            {"end", value.end},
            {"first_token", value.first_token},
            {"last_token", value.last_token}};
}

inline void to_json(nlohmann::json &json, const Token &value) { json = {{"start", value.start}, {"end", value.end}}; }

inline void to_json(nlohmann::json &json, const Label &value)
{
    json = {{"label", value.label}};
    detail::write_if_there(json, "score", value.score);
}

inline void to_json(nlohmann::json &json, const Mention &value)
{
    json = {{"start", value.start},
            {"end", value.end},
            {"first_token", value.first_token},
            {"last_token", value.last_token},
            {"text", value.text},
            {"labels", value.labels}};
    detail::write_if_there(json, "cluster", value.cluster);
}

inline void to_json(nlohmann::json &json, const Relation &value)
{
    json = {{"task", value.task}, {"label", value.label}, {"head", value.head}, {"tail", value.tail}};
    detail::write_if_there(json, "score", value.score);
}

inline void to_json(nlohmann::json &json, const Cluster &value) { json = {{"mentions", value.mentions}}; }

inline void to_json(nlohmann::json &json, const Document &value)
{
    json = {{"format", value.format},       {"offsets", value.offsets},     {"tasks", value.tasks},
            {"text", value.text},           {"sentences", value.sentences}, {"tokens", value.tokens},
            {"mentions", value.mentions},   {"relations", value.relations}, {"clusters", value.clusters}};
    detail::write_if_there(json, "id", value.id);
    if (!value.covered.empty())
        json["covered"] = value.covered;
}

inline void from_json(const nlohmann::json &json, Event &value)
{
    detail::read(json, "event", value.kind);
    value.json = json;
}
/// @endcond

/// Reads what Model::annotate, Model::annotate_tokens and Dataset::get give.
inline Document parse_document(std::string_view json) { return nlohmann::json::parse(json).get<Document>(); }

/// Reads what Model::annotate_batch gives.
inline std::vector<Document> parse_documents(std::string_view json)
{
    return nlohmann::json::parse(json).get<std::vector<Document>>();
}

/// Writes what Dataset::from_jsonl reads: a document a line.
inline std::string to_jsonl(const std::vector<Document> &documents)
{
    std::string lines;
    for (const Document &document : documents)
        lines += nlohmann::json(document).dump() + '\n';
    return lines;
}

/// Reads what Trainer::OnEvent gets.
inline Event parse_event(std::string_view json) { return nlohmann::json::parse(json).get<Event>(); }

} // namespace hmtl
