// Annotates the lines of standard input, on all processors at once, and prints a JSON array of documents. It
// gives up after a number of seconds, if one is given.
//
//     c++ -std=c++17 -pthread batch.cpp $(pkg-config --cflags --libs hmtl) -o batch
//     ./batch [SECONDS [MODEL_DIRECTORY]] <texts.txt
#include <hmtl.hpp>

#include <chrono>
#include <condition_variable>
#include <exception>
#include <iostream>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace {

/// Triggers a token after some time, unless it is destroyed before.
class Timer {
public:
    Timer(const hmtl::Cancel &cancel, std::chrono::duration<double> time)
        : thread_([this, &cancel, time] {
              std::unique_lock<std::mutex> lock(mutex_);
              if (!changed_.wait_for(lock, time, [this] { return done_; }))
                  cancel.trigger();
          })
    {
    }

    ~Timer()
    {
        {
            const std::lock_guard<std::mutex> lock(mutex_);
            done_ = true;
        }
        changed_.notify_one();
        thread_.join();
    }

    Timer(const Timer &) = delete;
    Timer &operator=(const Timer &) = delete;

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    bool done_ = false;
    // The last member: it uses the others from the first moment.
    std::thread thread_;
};

} // namespace

int main(int argc, char **argv)
{
    try {
        const double seconds = argc > 1 ? std::stod(argv[1]) : 3600.0;
        const hmtl::Model model = argc > 2 ? hmtl::Model::load(argv[2]) : hmtl::Model::load_default();
        std::vector<std::string> texts;
        for (std::string line; std::getline(std::cin, line);)
            texts.push_back(line);

        const hmtl::Cancel cancel;
        const Timer timer(cancel, std::chrono::duration<double>(seconds));
        std::cout << model.annotate_batch(texts, {}, &cancel) << std::endl;
        return std::cout ? 0 : 1;
    } catch (const hmtl::Error &error) {
        const bool late = error.code() == HMTL_CODE_CANCELLED;
        std::cerr << "batch: " << (late ? "out of time" : error.what()) << '\n';
    } catch (const std::exception &error) {
        std::cerr << "batch: " << error.what() << '\n';
    }
    return 1;
}
