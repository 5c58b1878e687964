#pragma once

#include <string>
#include <string_view>

namespace hmtl {
class Model;
}

std::string annotated_elsewhere(const hmtl::Model &model, std::string_view text);
