#include "views/model/gallery.hpp"

#include "core/base/check.hpp"
#include "core/session/scratch.hpp"
#include "views/model/json.hpp"
#include "views/model/resource.hpp"

#include <algorithm>

namespace orrery::views {

namespace {

/// Simple ones first.
constexpr std::string_view kFiles[] = {"matmul.te",     "row_sum.te",     "softmax.te",     "layer_norm.te",
                                       "attention.te",  "conv2d.te",      "depthwise.te",   "conv2d_packed.te",
                                       "gelu.te",       "transpose.te",   "blur.te",        "embedding.te",
                                       "histogram.tir", "prefix_sum.tir", "mandelbrot.tir", "two_kernels.tir"};

std::string comment(std::string_view& rest) {
    const std::size_t end = rest.find('\n');
    const std::string_view line = rest.substr(0, end);
    if (!line.starts_with("# ")) return {};
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    return std::string(line.substr(2));
}

std::vector<GalleryItem> read_gallery() {
    std::vector<GalleryItem> items;
    for (const std::string_view file : kFiles) {
        GalleryItem item;
        const std::size_t dot = file.find('.');
        item.name = file.substr(0, dot);
        item.expressions = file.substr(dot) == ".te";
        item.text = resource("gallery/" + std::string(file));
        ORRERY_ASSERT(!item.text.empty(), std::string(file) + " is built in");
        std::string_view rest = item.text;
        item.title = comment(rest);
        for (std::string line = comment(rest); !line.empty(); line = comment(rest))
            item.description += (item.description.empty() ? "" : " ") + line;
        items.push_back(std::move(item));
    }
    return items;
}

} // namespace

const std::vector<GalleryItem>& gallery() {
    static const std::vector<GalleryItem> items = read_gallery();
    return items;
}

const GalleryItem* find_in_gallery(std::string_view name) {
    const auto found = std::ranges::find(gallery(), name, &GalleryItem::name);
    return found == gallery().end() ? nullptr : &*found;
}

std::optional<std::string> scratch_text(std::string_view name) {
    if (name.starts_with(session::kScratchWord)) return std::string(name.substr(session::kScratchWord.size()));
    if (!name.starts_with(kGalleryWord)) return std::nullopt;
    const GalleryItem* item = find_in_gallery(name.substr(kGalleryWord.size()));
    return item ? std::optional(std::string(item->text)) : std::nullopt;
}

std::string new_scratchpad() {
    return "# Each line defines an input or a result; change a number and see the code change.\n"
           "kernel scratch\n"
           "let N = 1024\n"
           "input x: f32[N], y: f32[N]\n"
           "z[i: N] = 2 * x[i] + y[i]\n";
}

std::string gallery_text() {
    std::size_t width = 0;
    for (const GalleryItem& item : gallery()) width = std::max(width, item.name.size());
    std::string out;
    for (const GalleryItem& item : gallery())
        out += item.name + std::string(width + 2 - item.name.size(), ' ') + item.title + ": " + item.description + "\n";
    return out;
}

std::string gallery_json() {
    Json items = Json::array();
    for (const GalleryItem& item : gallery())
        items.push_back(Json{{"name", item.name},
                             {"title", item.title},
                             {"description", item.description},
                             {"form", item.expressions ? "te" : "tir"},
                             {"text", item.text}});
    return dump(Json{{"view", "gallery"}, {"items", std::move(items)}});
}

} // namespace orrery::views
