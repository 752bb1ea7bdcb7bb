#include "core/session/recipe_arguments.hpp"

#include "core/base/file.hpp"
#include "core/session/scratch.hpp"

#include <algorithm>
#include <charconv>

namespace orrery::session {

namespace {

using transform::PassStep;

constexpr int kDefaultLevel = 3; // of transform::default_pipeline
constexpr std::uint64_t kMaxOptionBytes = 64u << 20;

Diagnostic bad_argument(const std::string& what, const std::string& hint) {
    return {Code::BadArgument, what, {}, hint};
}

std::string names_of(const std::vector<PassStep>& passes) {
    std::string names;
    for (std::size_t i = 0; i < passes.size(); ++i) names += (i ? ", " : "") + pass_reference(passes, i);
    return names;
}

/// The pass that "NAME" or "NAME#2" means.
Result<std::size_t> find(const std::vector<PassStep>& passes, const std::string& reference) {
    const std::size_t mark = reference.find('#');
    std::size_t wanted = 1;
    if (mark != std::string::npos) {
        const char* end = reference.data() + reference.size();
        const auto [stop, failed] = std::from_chars(reference.data() + mark + 1, end, wanted);
        if (failed != std::errc() || stop != end || wanted == 0)
            return bad_argument("\"" + reference + "\" is no pass",
                                "write NAME, or NAME#2 for the second of that name");
    }
    const std::string name = reference.substr(0, mark);
    for (std::size_t i = 0; i < passes.size(); ++i)
        if (passes[i].name == name && --wanted == 0) return i;
    return Diagnostic{
        Code::UnknownName, "the recipe has no pass " + reference, {PassPlace{reference}}, "it has " + names_of(passes)};
}

Result<void> set_option(std::vector<PassStep>& passes, const std::string& text) {
    const std::size_t equals = text.find('='), dot = text.rfind('.', equals);
    if (equals == std::string::npos || dot == std::string::npos || dot == 0 || dot > equals)
        return bad_argument("\"" + text.substr(0, 60) + "\" is no option of a pass",
                            "write it as --pass-option PASS.KEY=VALUE");
    ORRERY_TRY(const std::size_t at, find(passes, text.substr(0, dot)));
    const std::string key = text.substr(dot + 1, equals - dot - 1);
    const transform::GraphPass* pass = transform::find_pass(passes[at].name);
    if (pass && std::ranges::none_of(pass->options, [&](const pass::OptionSpec& o) { return o.name == key; })) {
        std::string names;
        for (const pass::OptionSpec& option : pass->options) names += (names.empty() ? "" : ", ") + option.name;
        return Diagnostic{Code::UnknownName,
                          pass->name + " has no option " + key,
                          {PassPlace{pass->name}},
                          names.empty() ? "it has none" : "it has " + names};
    }
    std::string value = text.substr(equals + 1);
    if (value.starts_with("@@")) {
        value.erase(0, 1);
    } else if (value.starts_with('@')) {
        ORRERY_TRY(value, read_file(value.substr(1), kMaxOptionBytes));
    }
    passes[at].options[key] = std::move(value);
    return {};
}

Result<void> set_schedule(Recipe& recipe, const std::string& text) {
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos || !is_workload(std::string_view(text).substr(0, equals)))
        return bad_argument("\"" + text.substr(0, 60) + "\" is no schedule", "write it as --schedule WORKLOAD=TRACE");
    std::string trace = text.substr(equals + 1);
    if (trace.starts_with('@')) { ORRERY_TRY(trace, read_file(trace.substr(1), kMaxOptionBytes)); }
    ORRERY_TRY(recipe.schedules[text.substr(0, equals)], schedule::parse_trace(trace));
    return {};
}

/// True when `passes` is `base` with other options and some switched off.
bool reachable(const std::vector<PassStep>& base, const std::vector<PassStep>& passes) {
    return std::ranges::equal(base, passes, [](const PassStep& from, const PassStep& to) {
        const auto kept = [&](const auto& option) { return to.options.contains(option.first); };
        return from.name == to.name && (from.enabled || !to.enabled) && std::ranges::all_of(from.options, kept);
    });
}

/// Words that make `passes` of `base`. Pre: reachable.
void add_differences(const std::vector<PassStep>& base, const std::vector<PassStep>& passes,
                     std::vector<std::string>& words) {
    for (std::size_t i = 0; i < passes.size(); ++i) {
        const std::string name = pass_reference(passes, i);
        if (base[i].enabled && !passes[i].enabled) words.insert(words.end(), {"--without", name});
        for (const auto& [key, value] : passes[i].options) {
            const auto before = base[i].options.find(key);
            if (before != base[i].options.end() && before->second == value) continue;
            words.push_back("--pass-option");
            words.push_back(name + "." + key + "=" + (value.starts_with('@') ? "@" : "") + value);
        }
    }
}

void add_passes(const std::vector<PassStep>& passes, std::vector<std::string>& words) {
    constexpr int kOrder[] = {kDefaultLevel, 2, 1, 0};
    for (const int level : kOrder) {
        const std::vector<PassStep> base = transform::default_pipeline(level);
        if (!reachable(base, passes)) continue;
        if (level != kDefaultLevel) words.insert(words.end(), {"-O", std::to_string(level)});
        return add_differences(base, passes, words);
    }
    std::vector<PassStep> base;
    for (const PassStep& step : passes) {
        words.insert(words.end(), {"--pass", step.name});
        base.push_back({step.name, {}, true});
    }
    if (passes.empty()) words.insert(words.end(), {"--pass", "none"});
    add_differences(base, passes, words);
}

} // namespace

std::string pass_reference(const std::vector<PassStep>& passes, std::size_t index) {
    std::size_t occurrence = 0;
    for (std::size_t i = 0; i <= index; ++i) occurrence += passes[i].name == passes[index].name ? 1 : 0;
    return occurrence == 1 ? passes[index].name : passes[index].name + "#" + std::to_string(occurrence);
}

Result<void> apply(const RecipeArguments& a, Recipe& recipe) {
    if (a.level > kDefaultLevel)
        return bad_argument("there is no level " + std::to_string(a.level), "levels are 0 to 3");
    std::vector<PassStep> passes = a.level >= 0 ? transform::default_pipeline(a.level) : recipe.passes;
    if (!a.passes.empty()) passes.clear();
    for (const std::string& name : a.passes) {
        if (name == "none" && a.passes.size() == 1) break;
        if (!transform::find_pass(name)) {
            std::string names;
            for (const transform::GraphPass& pass : transform::passes())
                names += (names.empty() ? "" : ", ") + pass.name;
            return Diagnostic{Code::UnknownName, "there is no pass " + name, {PassPlace{name}}, "there are " + names};
        }
        passes.push_back({name, {}, true});
    }
    for (const std::string& name : a.without) {
        ORRERY_TRY(const std::size_t at, find(passes, name));
        passes[at].enabled = false;
    }
    for (const std::string& option : a.options) ORRERY_CHECK_OK(set_option(passes, option));
    for (const std::string& schedule : a.schedules) ORRERY_CHECK_OK(set_schedule(recipe, schedule));
    recipe.passes = std::move(passes);
    if (a.codegen_level >= 0) recipe.build.opt_level = a.codegen_level;
    if (a.no_contract) recipe.build.contract = false;
    if (a.bounds_checks) recipe.build.bounds_checks = true;
    return {};
}

std::vector<std::string> words_of(const Recipe& recipe, const Recipe& fresh) {
    std::vector<std::string> words{!recipe.scratch.empty() ? std::string(kScratchWord) + recipe.scratch
                                   : recipe.model.empty()  ? recipe.builtin
                                                           : recipe.model.string()};
    if (recipe.seed != 0) words.insert(words.end(), {"--seed", std::to_string(recipe.seed)});
    for (const auto& [name, shape] : recipe.shapes) {
        std::string text = name + "=";
        for (std::size_t i = 0; i < shape.size(); ++i) text += (i ? "," : "") + std::to_string(shape[i]);
        words.insert(words.end(), {"--shape", text});
    }
    if (recipe.target != fresh.target) words.insert(words.end(), {"--target", to_string(recipe.target)});
    if (recipe.scratch.empty() || !recipe.passes.empty()) add_passes(recipe.passes, words);
    if (recipe.rule != fresh.rule) words.insert(words.end(), {"--rule", rule_name(recipe.rule)});
    for (const auto& [workload, trace] : recipe.schedules)
        words.insert(words.end(), {"--schedule", workload + "=" + schedule::to_string(trace)});
    if (recipe.build.opt_level != fresh.build.opt_level)
        words.insert(words.end(), {"--codegen-level", std::to_string(recipe.build.opt_level)});
    if (!recipe.build.contract) words.emplace_back("--no-contract");
    if (recipe.build.bounds_checks) words.emplace_back("--bounds-checks");
    if (recipe.threads != fresh.threads) words.insert(words.end(), {"--threads", std::to_string(recipe.threads)});
    return words;
}

std::string shell_word(std::string_view word) {
    constexpr std::string_view kPlain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./=,:@%+";
    if (!word.empty() && word.find_first_not_of(kPlain) == std::string_view::npos) return std::string(word);
    std::string quoted = "'";
    for (const char c : word) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return quoted + "'";
}

std::string command_line(const Recipe& recipe, const Recipe& fresh, std::string_view verb) {
    std::string line = "orrery " + std::string(verb);
    for (const std::string& word : words_of(recipe, fresh)) line += " " + shell_word(word);
    return line;
}

} // namespace orrery::session
