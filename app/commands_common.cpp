// What the commands share: recipes, inputs, errors.

#include "app/cli.hpp"
#include "app/io_image.hpp"
#include "app/io_npy.hpp"
#include "app/io_pb.hpp"
#ifdef ORRERY_HAS_DNNL
#include "backends/dnnl/dnnl_backend.hpp"
#endif
#include "backends/llvm/llvm_backend.hpp"
#include "core/base/file.hpp"
#include "core/frontends/onnx/import.hpp"
#include "core/frontends/onnx/networks.hpp"
#include "core/session/schedule_edit.hpp"
#include "core/session/scratch.hpp"
#include "views/model/gallery.hpp"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <nlohmann/json.hpp>

namespace orrery::app {

namespace {

Diagnostic bad_argument(const std::string& what, const std::string& hint = {}) {
    return {Code::BadArgument, what, {}, hint};
}

Result<std::pair<std::string, Shape>> parse_shape(const std::string& text) {
    const std::size_t equals = text.find('=');
    const std::string hint = "write it as --shape NAME=1,3,224,224";
    if (equals == std::string::npos || equals == 0) return bad_argument("\"" + text + "\" is no shape", hint);
    Shape shape;
    const char* at = text.data() + equals + 1;
    const char* end = text.data() + text.size();
    while (at < end) {
        std::int64_t dim = 0;
        const auto [next, code] = std::from_chars(at, end, dim);
        if (code != std::errc{} || dim < 0) return bad_argument("\"" + text + "\" is no shape", hint);
        shape.push_back(dim);
        at = next;
        if (at < end && *at++ != ',') return bad_argument("\"" + text + "\" is no shape", hint);
    }
    return std::pair{text.substr(0, equals), shape};
}

bool is_builtin(const std::string& name) {
    return std::ranges::any_of(onnx::networks(), [&](const onnx::NetworkInfo& info) { return info.name == name; });
}

Result<ImageOptions> image_options(const RunArguments& a) {
    ImageOptions options;
    options.layout = a.layout == "NHWC" ? ImageLayout::NHWC : ImageLayout::NCHW;
    options.order = a.order == "BGR" ? ChannelOrder::BGR : ChannelOrder::RGB;
    const auto fill = [](const std::vector<float>& given, std::array<float, 3>& out) {
        if (given.size() == 1)
            out.fill(given[0]);
        else if (given.size() == 3)
            std::ranges::copy(given, out.begin());
        return given.empty() || given.size() == 1 || given.size() == 3;
    };
    if (!fill(a.mean, options.mean) || !fill(a.deviation, options.deviation))
        return bad_argument("--mean and --std take one number or three");
    return options;
}

Result<NDArray> read_input(const std::filesystem::path& file, const Shape& shape, const RunArguments& a) {
    std::string ending = file.extension().string();
    std::ranges::transform(ending, ending.begin(), [](unsigned char c) { return std::tolower(c); });
    if (ending == ".npy") return read_npy(file);
    if (ending == ".pb") return read_pb(file);
    if (ending == ".png" || ending == ".jpg" || ending == ".jpeg" || ending == ".bmp") {
        ORRERY_TRY(const ImageOptions asked, image_options(a));
        ORRERY_TRY(const ImageOptions options, fit_to(shape, asked));
        return read_image(file, options);
    }
    return bad_argument(file.string() + " is of no kind that is read", "give .npy, .pb, .png, .jpg or .bmp");
}

} // namespace

std::shared_ptr<session::Compiler> make_compiler(const ModelArguments& arguments) {
#ifdef ORRERY_HAS_DNNL
    if (!find_region_backend("dnnl")) add_region_backend(make_dnnl_backend());
#endif
    session::Compiler::Options options;
    if (!arguments.no_cache) options.disk_cache = cache_directory();
    return std::make_shared<session::Compiler>(make_llvm_backend(), options);
}

namespace {

/// The recipe of a model as it is named, with nothing else in it.
Result<session::Recipe> named_recipe(const ModelArguments& a, const session::Compiler& compiler) {
    session::Recipe recipe = compiler.new_recipe({});
    std::error_code ignored;
    if (a.model.starts_with(views::kGalleryWord)) {
        const std::string name = a.model.substr(views::kGalleryWord.size());
        if (!views::find_in_gallery(name))
            return Diagnostic{Code::UnknownName, "the gallery has no " + name, {}, "orrery gallery lists what it has"};
    }
    if (std::optional<std::string> text = views::scratch_text(a.model))
        return session::scratch_recipe(compiler, *std::move(text));
    if (!std::filesystem::exists(a.model, ignored) && is_builtin(a.model)) {
        recipe.builtin = a.model;
        recipe.seed = a.seed;
        return recipe;
    }
    if (session::is_scratch_file(a.model)) return session::scratch_recipe(compiler, std::filesystem::path(a.model));
    ORRERY_TRY(const MappedFile file, map_file(a.model));
    if (!file.bytes.empty() && static_cast<char>(file.bytes.front()) == '{')
        return session::load_recipe(a.model, compiler.backend());
    recipe.model = std::filesystem::absolute(a.model);
    return recipe;
}

} // namespace

Result<session::Recipe> make_shown_recipe(const ModelArguments& a, session::Compiler& compiler) {
    ORRERY_TRY(session::Recipe recipe, named_recipe(a, compiler));
    if (!a.recipe.empty()) {
        ORRERY_TRY(session::Recipe given, session::load_recipe(a.recipe, compiler.backend()));
        given.model = recipe.model, given.builtin = recipe.builtin, given.seed = recipe.seed;
        given.scratch = recipe.scratch;
        recipe = std::move(given);
    }
    for (const std::string& text : a.shapes) {
        ORRERY_TRY(auto shape, parse_shape(text));
        recipe.shapes.insert_or_assign(shape.first, shape.second);
    }
    if (!a.target.empty()) { ORRERY_TRY(recipe.target, compiler.backend().read_target(a.target)); }
    session::RecipeArguments edits = a.edits, schedules;
    schedules.schedules = std::exchange(edits.schedules, {});
    ORRERY_CHECK_OK(session::apply(edits, recipe));
    if (a.precision == "bf16") recipe.passes = transform::in_bf16(std::move(recipe.passes));
    if (a.precision == "f16") recipe.passes = transform::in_f16(std::move(recipe.passes));
    if (!a.partition.empty()) recipe.passes = transform::partitioned(std::move(recipe.passes), a.partition);
    if (!a.rule.empty()) recipe.rule = session::parse_rule(a.rule).value_or(recipe.rule);
    if (a.threads > 0) recipe.threads = a.threads;
    // What a function's name means is known once everything above it is.
    ORRERY_CHECK_OK(session::name_workloads(schedules.schedules, recipe, compiler));
    ORRERY_CHECK_OK(session::apply(schedules, recipe));
    return recipe;
}

Result<session::Recipe> make_recipe(const ModelArguments& a, session::Compiler& compiler) {
    ORRERY_TRY(session::Recipe recipe, make_shown_recipe(a, compiler));
    if (!a.edits.schedules.empty()) ORRERY_CHECK_OK(session::check_schedules(recipe, compiler));
    return recipe;
}

namespace {

/// "NAME=FILE", or "FILE" with an empty name.
std::pair<std::string, std::string> split_input(const std::string& text) {
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos) return {"", text};
    return {text.substr(0, equals), text.substr(equals + 1)};
}

} // namespace

Result<void> bind_shapes(const RunArguments& a, session::Recipe& recipe) {
    if (recipe.model.empty()) return {};
    for (const std::string& text : a.inputs) {
        auto [name, file] = split_input(text);
        const std::string ending = std::filesystem::path(file).extension().string();
        if (ending != ".npy" && ending != ".pb") continue;
        if (name.empty()) {
            ORRERY_TRY(const std::vector<std::string> names, onnx::input_names(recipe.model));
            if (names.size() != 1) continue; // said by make_inputs
            name = names[0];
        }
        if (recipe.shapes.contains(name)) continue;
        ORRERY_TRY(const NDArray value, read_input(file, {}, a));
        recipe.shapes.emplace(name, value.shape());
    }
    return {};
}

Result<std::vector<NDArray>> make_inputs(const RunArguments& a, const session::CompiledModel& model) {
    const runtime::Plan& plan = model.executable->plan;
    std::vector<NDArray> given(plan.inputs.size());
    for (const std::string& text : a.inputs) {
        const std::pair<std::string, std::string> split = split_input(text);
        const std::string &name = split.first, &file = split.second;
        const auto named = [&](std::uint32_t id) { return plan.values[id].name == name; };
        auto it = std::ranges::find_if(plan.inputs, named);
        if (name.empty() && plan.inputs.size() == 1) it = plan.inputs.begin();
        if (it == plan.inputs.end()) {
            std::string names;
            for (std::uint32_t id : plan.inputs) names += (names.empty() ? "" : ", ") + plan.values[id].name;
            return bad_argument("\"" + text + "\" names no input", "write NAME=FILE; the model's inputs are " + names);
        }
        NDArray& value = given[static_cast<std::size_t>(it - plan.inputs.begin())];
        if (value.defined())
            return bad_argument("input " + plan.values[*it].name + " is given twice", "name each input once");
        ORRERY_TRY(value, read_input(file, plan.values[*it].shape, a));
    }
    if (std::ranges::all_of(given, &NDArray::defined) && !given.empty()) return given;
    ORRERY_TRY(std::vector<NDArray> inputs, session::drawn_inputs(model, a.seed));
    for (std::size_t i = 0; i < inputs.size(); ++i)
        if (given[i].defined()) inputs[i] = given[i];
    return inputs;
}

namespace {

/// Names and texts come from files: what would steer a terminal, or end the text, is written out.
std::string printable(const std::string& text) {
    std::string out;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if ((byte >= 0x20 && byte != 0x7f) || c == '\n' || c == '\t') {
            out += c;
        } else {
            constexpr std::string_view kDigits = "0123456789abcdef";
            out += {'\\', 'x', kDigits[byte >> 4], kDigits[byte & 15]};
        }
    }
    return out;
}

} // namespace

int fail(const Diagnostic& error, bool json) {
    if (json) {
        nlohmann::ordered_json places = nlohmann::ordered_json::array();
        for (const Location& place : error.locations) places.push_back(to_string(place));
        const nlohmann::ordered_json report{
            {"error",
             {{"code", code_name(error.code)}, {"message", error.message}, {"where", places}, {"hint", error.hint}}}};
        std::printf("%s\n", report.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace).c_str());
    } else {
        std::fprintf(stderr, "orrery: %s\n", printable(to_string(error)).c_str());
    }
    return error.code == Code::Internal ? kInternalError : kUserError;
}

} // namespace orrery::app
