#pragma once
// Tensor programs that come with the program, to begin a scratchpad with.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace orrery::views {

/// What stands before a name where a model's name is taken.
inline constexpr std::string_view kGalleryWord = "gallery:";

/// One text of resources/gallery: its first lines are comments, a title and what it shows.
struct GalleryItem {
    std::string name; ///< "softmax": of the file
    std::string title, description;
    bool expressions = true; ///< tensor expressions (.te), or tensor IR (.tir)
    std::string_view text;
};

/// All of them, simple ones first. The same vector each time.
[[nodiscard]] const std::vector<GalleryItem>& gallery();
/// By its name; null when there is none.
[[nodiscard]] const GalleryItem* find_in_gallery(std::string_view name);

/// The text that a name stands for where a model's name is taken: "gallery:softmax", or "scratch:" and the text itself.
/// Nothing for names of other kinds, and of items there are not.
[[nodiscard]] std::optional<std::string> scratch_text(std::string_view name);

/// What a new scratchpad holds: a program of a few lines that says how to go on.
[[nodiscard]] std::string new_scratchpad();

/// The list as `orrery gallery` prints it.
[[nodiscard]] std::string gallery_text();
[[nodiscard]] std::string gallery_json();

} // namespace orrery::views
