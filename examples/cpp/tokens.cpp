// Annotates text that another program has split into tokens: reads a token a line, with an empty line after
// each sentence, and prints a JSON document.
//
//     c++ -std=c++17 tokens.cpp $(pkg-config --cflags --libs hmtl) -o tokens
//     printf 'Maria\nleft\nOslo\n.\n\nShe\nsmiled\n.\n' | ./tokens [MODEL_DIRECTORY]
#include <hmtl.hpp>

#include <cstddef>
#include <exception>
#include <iostream>
#include <string>
#include <vector>

int main(int argc, char **argv)
{
    std::vector<std::string> tokens;
    std::vector<std::size_t> ends; // the index after the last token of each sentence
    try {
        for (std::string line; std::getline(std::cin, line);) {
            if (line.empty())
                ends.push_back(tokens.size());
            else
                tokens.push_back(line);
        }
        ends.push_back(tokens.size()); // a sentence without tokens does no harm

        const std::string options = R"({"tasks":["ner"]})";
        const hmtl::Model model = argc > 1 ? hmtl::Model::load(argv[1]) : hmtl::Model::load_default();
        std::cout << model.annotate_tokens(tokens, ends, options) << std::endl;
        return std::cout ? 0 : 1;
    } catch (const std::exception &error) {
        std::cerr << "tokens: " << error.what() << '\n';
        return 1;
    }
}
