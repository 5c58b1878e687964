// A second translation unit of wrapper_test: the header may be included in many.
#include <hmtl.hpp>

#include "second.hpp"

std::string annotated_elsewhere(const hmtl::Model &model, std::string_view text)
{
    return model.annotate(text, R"({"tasks":["ner"]})");
}
