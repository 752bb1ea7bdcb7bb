#include "core/target/region.hpp"

#include <map>
#include <mutex>

namespace orrery {

namespace {

struct Registry {
    std::mutex mutex;
    std::map<std::string, std::shared_ptr<const RegionBackend>, std::less<>> backends;
};

Registry& registry() {
    static Registry all;
    return all;
}

} // namespace

void add_region_backend(std::shared_ptr<const RegionBackend> backend) {
    Registry& all = registry();
    const std::lock_guard lock(all.mutex);
    std::string name = backend->name();
    all.backends.insert_or_assign(std::move(name), std::move(backend));
}

std::shared_ptr<const RegionBackend> find_region_backend(std::string_view name) {
    Registry& all = registry();
    const std::lock_guard lock(all.mutex);
    const auto it = all.backends.find(name);
    return it == all.backends.end() ? nullptr : it->second;
}

std::vector<std::string> region_backend_names() {
    Registry& all = registry();
    const std::lock_guard lock(all.mutex);
    std::vector<std::string> names;
    for (const auto& [name, backend] : all.backends) names.push_back(name);
    return names;
}

std::string region_of(const graph::Function& function) { return function ? function->attrs.text("backend", "") : ""; }

} // namespace orrery
