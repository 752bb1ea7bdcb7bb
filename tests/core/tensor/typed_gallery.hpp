#pragma once
// The texts of resources/gallery.

#include "tests/support/paths.hpp"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <map>
#include <string>

namespace orrery::tests {

/// By file name: "softmax.te".
inline const std::map<std::string, std::string>& gallery_texts() {
    static const std::map<std::string, std::string> texts = [] {
        std::map<std::string, std::string> read;
        for (const auto& entry : std::filesystem::directory_iterator(source_dir() / "resources/gallery")) {
            std::ifstream file(entry.path());
            read[entry.path().filename().string()] = {std::istreambuf_iterator<char>(file),
                                                      std::istreambuf_iterator<char>()};
        }
        return read;
    }();
    return texts;
}

} // namespace orrery::tests
