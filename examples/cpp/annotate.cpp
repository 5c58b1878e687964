// Annotates a text and prints its document, one JSON object.
//
//     c++ -std=c++17 annotate.cpp $(pkg-config --cflags --libs hmtl) -o annotate
//     ./annotate [TEXT [MODEL_DIRECTORY]]
#include <hmtl.hpp>

#include <exception>
#include <iostream>
#include <string_view>

int main(int argc, char **argv)
{
    const std::string_view text =
        argc > 1 ? argv[1] : "Ingrid Solberg was born in Bergen, Norway. She joined the University of Oslo in 2009.";
    try {
        const hmtl::Model model = argc > 2 ? hmtl::Model::load(argv[2]) : hmtl::Model::load_default();
        std::cout << model.annotate(text, R"({"min_score":0.5})") << std::endl;
        return std::cout ? 0 : 1;
    } catch (const hmtl::Error &error) {
        std::cerr << "annotate: " << error.what() << '\n';
        // What the caller can mend and what not.
        return error.code() == HMTL_CODE_INVALID_ARGUMENT ? 2 : 1;
    } catch (const std::exception &error) {
        std::cerr << "annotate: " << error.what() << '\n';
        return 1;
    }
}
