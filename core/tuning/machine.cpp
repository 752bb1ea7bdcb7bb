#include "core/tuning/machine.hpp"

#include <algorithm>
#include <cstring>
#include <fstream>
#include <map>
#include <sched.h>
#include <sstream>
#include <sys/resource.h>
#include <unistd.h>

namespace orrery::tuning {

namespace {

std::string first_line(const std::string& path) {
    std::ifstream file(path);
    std::string line;
    std::getline(file, line);
    return line;
}

/// The first processor of /proc/cpuinfo: key to value.
std::map<std::string, std::string> processor() {
    std::map<std::string, std::string> out;
    std::ifstream file("/proc/cpuinfo");
    for (std::string line; std::getline(file, line) && !line.empty();) {
        const std::size_t colon = line.find(':');
        if (colon == std::string::npos) continue;
        const std::string key = line.substr(0, line.find_last_not_of(" \t", colon - 1) + 1);
        out[key] = colon + 2 < line.size() ? line.substr(colon + 2) : std::string();
    }
    return out;
}

double seconds_of(const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
}

} // namespace

std::string machine_fingerprint() {
    std::map<std::string, std::string> cpu = processor();
    std::string out = cpu["model name"];
    if (out.empty()) out = cpu["CPU part"].empty() ? "unknown processor" : "processor " + cpu["CPU part"];
    if (!cpu["cpu family"].empty())
        out += ", family " + cpu["cpu family"] + " model " + cpu["model"] + " stepping " + cpu["stepping"];
    out += ", " + std::to_string(usable_cores()) + " cores";
    std::string caches;
    for (int i = 0; i < 8; ++i) {
        const std::string folder = "/sys/devices/system/cpu/cpu0/cache/index" + std::to_string(i) + "/";
        const std::string level = first_line(folder + "level"), size = first_line(folder + "size");
        if (level.empty() || first_line(folder + "type") == "Instruction") continue;
        caches += (caches.empty() ? ", L" : " L") + level + " " + size;
    }
    return out + caches;
}

int usable_cores() {
    cpu_set_t set;
    CPU_ZERO(&set);
    if (::sched_getaffinity(0, sizeof set, &set) != 0) return 1;
    return std::max(1, CPU_COUNT(&set));
}

std::string program_version() { return ORRERY_VERSION; }

BusyTime busy_time() {
    BusyTime out;
    std::istringstream line(first_line("/proc/stat"));
    std::string name;
    line >> name;
    // user nice system idle iowait irq softirq steal; what guests use is in user already. Source: proc(5).
    double value = 0;
    for (int column = 0; column < 8 && line >> value; ++column)
        if (column != 3 && column != 4) out.all += value;
    out.all /= static_cast<double>(::sysconf(_SC_CLK_TCK));
    rusage used{};
    if (::getrusage(RUSAGE_SELF, &used) == 0) out.own = seconds_of(used.ru_utime) + seconds_of(used.ru_stime);
    return out;
}

Pinned::Pinned(int count) {
    static_assert(sizeof before_ == sizeof(cpu_set_t));
    cpu_set_t allowed, chosen;
    CPU_ZERO(&allowed);
    CPU_ZERO(&chosen);
    if (::sched_getaffinity(0, sizeof allowed, &allowed) != 0) return;
    std::memcpy(before_, &allowed, sizeof allowed);
    // From the last one down: interrupts and other work like the first.
    for (int cpu = CPU_SETSIZE - 1; cpu >= 0 && count > 0; --cpu)
        if (CPU_ISSET(cpu, &allowed)) {
            CPU_SET(cpu, &chosen);
            --count;
        }
    bound_ = ::sched_setaffinity(0, sizeof chosen, &chosen) == 0;
}

Pinned::~Pinned() {
    if (bound_) ::sched_setaffinity(0, sizeof before_, reinterpret_cast<const cpu_set_t*>(before_));
}

} // namespace orrery::tuning
