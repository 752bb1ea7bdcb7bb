#include "core/session/recipe.hpp"

#include "core/base/file.hpp"

#include <charconv>
#include <nlohmann/json.hpp>

namespace orrery::session {

namespace {

using Json = nlohmann::ordered_json;

Diagnostic bad_key(const std::string& key, const std::string& what) {
    return {Code::BadRecipe, "\"" + key + "\" " + what, {}, "see docs/architecture.md for the recipe format"};
}

/// Reads typed members of one object; remembers the first error.
class Reader {
  public:
    Reader(const Json& object, std::string path) : object_(object), path_(std::move(path)) {}

    template <class T> void get(const char* key, T& out) {
        const auto it = object_.find(key);
        if (it == object_.end() || error_) return;
        if constexpr (std::is_same_v<T, bool>) {
            if (!it->is_boolean()) return fail(key, "is not true or false");
        } else if constexpr (std::is_integral_v<T>) {
            if (!it->is_number_integer()) return fail(key, "is not an integer");
        } else {
            if (!it->is_string()) return fail(key, "is not a string");
        }
        out = it->template get<T>();
    }
    const Json* array(const char* key) { return of_kind(key, Json::value_t::array, "is not a list"); }
    const Json* object(const char* key) { return of_kind(key, Json::value_t::object, "is not an object"); }
    void fail(const std::string& key, const std::string& what) {
        if (!error_) error_ = bad_key(path_ + key, what);
    }
    std::optional<Diagnostic> error_;

  private:
    const Json* of_kind(const char* key, Json::value_t kind, const char* otherwise) {
        const auto it = object_.find(key);
        if (it == object_.end()) return nullptr;
        if (it->type() != kind) {
            fail(key, otherwise);
            return nullptr;
        }
        return &*it;
    }
    const Json& object_;
    std::string path_;
};

Json passes_json(const std::vector<transform::PassStep>& passes) {
    Json list = Json::array();
    for (const transform::PassStep& step : passes) {
        Json row{{"name", step.name}};
        if (!step.options.empty()) row["options"] = step.options;
        if (!step.enabled) row["enabled"] = false;
        list.push_back(std::move(row));
    }
    return list;
}

Result<std::vector<transform::PassStep>> parse_passes(const Json& list) {
    std::vector<transform::PassStep> passes;
    for (std::size_t i = 0; i < list.size(); ++i) {
        const std::string path = "passes[" + std::to_string(i) + "].";
        if (!list[i].is_object()) return bad_key("passes[" + std::to_string(i) + "]", "is not an object");
        Reader reader(list[i], path);
        transform::PassStep step;
        reader.get("name", step.name);
        reader.get("enabled", step.enabled);
        if (const Json* options = reader.object("options"))
            for (const auto& [key, value] : options->items()) {
                if (!value.is_string())
                    reader.fail("options." + key, "is not a string");
                else
                    step.options[key] = value.get<std::string>();
            }
        if (reader.error_) return *reader.error_;
        if (!transform::find_pass(step.name)) return bad_key(path + "name", "names no pass: \"" + step.name + "\"");
        passes.push_back(std::move(step));
    }
    return passes;
}

std::optional<Hash> parse_hash(const std::string& text) {
    Hash hash;
    if (text.size() != 32) return std::nullopt;
    const auto half = [&text](std::size_t at, std::uint64_t& out) {
        const char* end = text.data() + at + 16;
        return std::from_chars(text.data() + at, end, out, 16).ptr == end;
    };
    if (!half(0, hash.high) || !half(16, hash.low)) return std::nullopt;
    return hash;
}

Result<void> parse_schedules(const Json& object, Recipe& recipe) {
    for (const auto& [key, value] : object.items()) {
        if (!is_workload(key)) return bad_key("schedules." + key, "is not the hash of a workload");
        if (!value.is_string()) return bad_key("schedules." + key, "is not a trace");
        ORRERY_TRY(recipe.schedules[key], schedule::parse_trace(value.get<std::string>()));
    }
    return {};
}

Result<void> parse_branches(const Json& object, Recipe& recipe) {
    for (const auto& [workload, traces] : object.items()) {
        const std::string key = "branches." + workload;
        if (!is_workload(workload)) return bad_key(key, "is not the hash of a workload");
        if (!traces.is_object()) return bad_key(key, "is not an object");
        for (const auto& [name, trace] : traces.items()) {
            if (!trace.is_string()) return bad_key(key + "." + name, "is not a trace");
            ORRERY_TRY(recipe.branches[workload][name], schedule::parse_trace(trace.get<std::string>()));
        }
    }
    return {};
}

Result<void> parse_shapes(const Json& object, Recipe& recipe) {
    for (const auto& [key, value] : object.items()) {
        if (!value.is_array()) return bad_key("shapes." + key, "is not a list of integers");
        Shape shape;
        for (const Json& dim : value) {
            if (!dim.is_number_integer()) return bad_key("shapes." + key, "is not a list of integers");
            shape.push_back(dim.get<std::int64_t>());
        }
        recipe.shapes[key] = std::move(shape);
    }
    return {};
}

} // namespace

bool is_workload(std::string_view text) { return parse_hash(std::string(text)).has_value(); }

const char* rule_name(ScheduleRule rule) {
    switch (rule) {
    case ScheduleRule::Default: return "default";
    case ScheduleRule::Rules: return "rules";
    case ScheduleRule::None: return "none";
    }
    fail_internal("every rule has a name");
}

std::optional<ScheduleRule> parse_rule(std::string_view name) {
    for (const ScheduleRule rule : {ScheduleRule::Default, ScheduleRule::Rules, ScheduleRule::None})
        if (name == rule_name(rule)) return rule;
    return std::nullopt;
}

std::string to_json(const Recipe& recipe) {
    Json json{{"orrery_recipe", !recipe.scratch.empty() ? 3 : !recipe.branches.empty() ? 2 : 1}};
    if (!recipe.model.empty()) json["model"] = recipe.model.string();
    if (!recipe.builtin.empty()) json["builtin"] = recipe.builtin;
    if (!recipe.builtin.empty()) json["seed"] = recipe.seed;
    if (!recipe.scratch.empty()) json["scratch"] = recipe.scratch;
    if (recipe.model_hash != Hash{}) json["model_hash"] = to_string(recipe.model_hash);
    if (!recipe.shapes.empty()) json["shapes"] = recipe.shapes;
    json["target"] = to_string(recipe.target);
    json["passes"] = passes_json(recipe.passes);
    json["rule"] = rule_name(recipe.rule);
    if (!recipe.schedules.empty()) {
        Json& schedules = json["schedules"] = Json::object();
        for (const auto& [workload, trace] : recipe.schedules) schedules[workload] = schedule::to_string(trace);
    }
    for (const auto& [workload, traces] : recipe.branches)
        for (const auto& [name, trace] : traces) json["branches"][workload][name] = schedule::to_string(trace);
    json["build"] = {{"opt_level", recipe.build.opt_level},
                     {"contract", recipe.build.contract},
                     {"bounds_checks", recipe.build.bounds_checks}};
    if (recipe.threads != 0) json["threads"] = recipe.threads;
    return json.dump(2) + "\n";
}

Result<Recipe> from_json(std::string_view text, const Backend& backend) {
    const Json json = Json::parse(text, nullptr, false);
    if (!json.is_object()) return Diagnostic{Code::BadRecipe, "the recipe is not a JSON object", {}, {}};
    Recipe recipe;
    Reader reader(json, "");
    int version = 0;
    std::string model, hash, target, rule = "default";
    reader.get("orrery_recipe", version);
    if (!reader.error_ && version < 1) return bad_key("orrery_recipe", "is missing: this is no recipe");
    if (version > Recipe::kVersion)
        return bad_key("orrery_recipe", "is " + std::to_string(version) + ", newer than the " +
                                            std::to_string(Recipe::kVersion) + " this program reads");
    reader.get("model", model);
    recipe.model = model;
    reader.get("builtin", recipe.builtin);
    reader.get("seed", recipe.seed);
    reader.get("scratch", recipe.scratch);
    reader.get("model_hash", hash);
    reader.get("target", target);
    reader.get("rule", rule);
    reader.get("threads", recipe.threads);
    const Json* shapes = reader.object("shapes");
    const Json* passes = reader.array("passes");
    const Json* schedules = reader.object("schedules");
    const Json* branches = reader.object("branches");
    if (const Json* build = reader.object("build")) {
        Reader options(*build, "build.");
        options.get("opt_level", recipe.build.opt_level);
        options.get("contract", recipe.build.contract);
        options.get("bounds_checks", recipe.build.bounds_checks);
        if (options.error_) return *options.error_;
        if (recipe.build.opt_level < 0 || recipe.build.opt_level > 3)
            return bad_key("build.opt_level", "is not 0 to 3");
    }
    if (reader.error_) return *reader.error_;
    const std::optional<ScheduleRule> known_rule = parse_rule(rule);
    if (!known_rule) return bad_key("rule", "is none of \"default\", \"rules\" and \"none\"");
    if (recipe.threads < 0) return bad_key("threads", "is negative");
    recipe.rule = *known_rule;
    if (!hash.empty()) {
        const std::optional<Hash> parsed = parse_hash(hash);
        if (!parsed) return bad_key("model_hash", "is not a hash of 32 hexadecimal digits");
        recipe.model_hash = *parsed;
    }
    ORRERY_TRY(recipe.target, backend.read_target(target));
    if (recipe.scratch.empty()) recipe.passes = transform::default_pipeline();
    if (passes) { ORRERY_TRY(recipe.passes, parse_passes(*passes)); }
    if (shapes) ORRERY_CHECK_OK(parse_shapes(*shapes, recipe));
    if (schedules) ORRERY_CHECK_OK(parse_schedules(*schedules, recipe));
    if (branches) ORRERY_CHECK_OK(parse_branches(*branches, recipe));
    return recipe;
}

Result<Recipe> load_recipe(const std::filesystem::path& path, const Backend& backend) {
    constexpr std::uint64_t kMaxRecipeBytes = 16 << 20;
    ORRERY_TRY(const std::string text, read_file(path, kMaxRecipeBytes));
    Result<Recipe> recipe = from_json(text, backend);
    if (!recipe) {
        recipe.error().locations.push_back(FileOffset{path.string(), -1});
        return recipe;
    }
    if (!recipe->model.empty() && recipe->model.is_relative()) recipe->model = path.parent_path() / recipe->model;
    return recipe;
}

Result<void> save_recipe(const Recipe& recipe, const std::filesystem::path& path) {
    return write_file(path, to_json(recipe));
}

} // namespace orrery::session
