#include "vta-sim/replay.hpp"

#include <algorithm>

namespace orrery::vta {

Replay::Replay(const Program& program, ReplayOptions options)
    : program_(program), options_(options), model_(program, FunctionalOptions{.check_accesses = false}),
      spacing_(std::max<std::uint64_t>(1, options.first_spacing)) {
    options_.max_checkpoints = std::max<std::size_t>(2, options.max_checkpoints);
    save();
}

std::uint32_t Replay::executed_at(std::uint64_t position) const {
    return position < history_.size() ? history_[position] : kNoInstruction;
}

std::uint64_t Replay::seek(std::uint64_t target, const Watch& watch) {
    auto nearest = std::prev(checkpoints_.upper_bound(target));
    if (target < position() || nearest->first > position()) restore(nearest);
    at_end_ = false;
    Pace pace(watch, 64);
    while (position() < target && !at_end_) {
        step();
        if (pace.stopped(position(), target)) break;
    }
    return position();
}

bool Replay::back() {
    if (position() == 0) return false;
    seek(position() - 1);
    return true;
}

void Replay::step() {
    const std::optional<std::uint32_t> index = model_.step();
    if (!index) {
        at_end_ = true;
        return;
    }
    if (position() > history_.size()) history_.push_back(*index);
    if (position() % spacing_ == 0 && checkpoints_.rbegin()->first < position()) save();
}

void Replay::save() {
    Machine& machine = model_.mutable_machine();
    for (const std::uint32_t page : machine.take_dirty_pages()) {
        const std::size_t begin = std::size_t{page} * Machine::kPageBytes;
        const std::size_t size = std::min(Machine::kPageBytes, machine.dram().size() - begin);
        const auto first = machine.dram().begin() + static_cast<std::ptrdiff_t>(begin);
        pages_[page][position()] = std::vector<std::uint8_t>(first, first + static_cast<std::ptrdiff_t>(size));
    }
    checkpoints_.emplace(position(), Checkpoint{model_.progress(), machine.chip()});
    if (checkpoints_.size() > options_.max_checkpoints) thin_out();
}

void Replay::restore(std::map<std::uint64_t, Checkpoint>::const_iterator checkpoint) {
    Machine& machine = model_.mutable_machine();
    const std::uint64_t goal = checkpoint->first;
    // Pages written since the last checkpoint, and pages that have versions, go back to what they were.
    std::vector<std::uint32_t> stale = machine.take_dirty_pages();
    for (const auto& [page, versions] : pages_) stale.push_back(page);
    std::sort(stale.begin(), stale.end());
    stale.erase(std::unique(stale.begin(), stale.end()), stale.end());
    for (const std::uint32_t page : stale) {
        const auto versions = pages_.find(page);
        const std::vector<std::uint8_t>* bytes = nullptr;
        if (versions != pages_.end()) {
            const auto after = versions->second.upper_bound(goal);
            if (after != versions->second.begin()) bytes = &std::prev(after)->second;
        }
        if (bytes != nullptr) {
            machine.set_page(page, *bytes);
        } else {
            const std::size_t begin = std::size_t{page} * Machine::kPageBytes;
            const std::size_t size = std::min(Machine::kPageBytes, program_.dram.size() - begin);
            machine.set_page(page, std::span(program_.dram).subspan(begin, size));
        }
    }
    model_.restore(checkpoint->second.progress, checkpoint->second.chip);
}

void Replay::thin_out() {
    spacing_ *= 2;
    std::erase_if(checkpoints_, [&](const auto& entry) { return entry.first % spacing_ != 0; });
    // Page versions stay: each is right at its own position, and a later checkpoint uses the last one before it.
    // Of versions between two kept checkpoints only the last can be asked for.
    for (auto& [page, versions] : pages_) {
        for (auto it = versions.begin(); it != versions.end();) {
            const auto next = std::next(it);
            const auto kept = checkpoints_.lower_bound(it->first);
            const bool reachable = next == versions.end() || (kept != checkpoints_.end() && kept->first < next->first);
            it = reachable ? next : versions.erase(it);
        }
    }
}

} // namespace orrery::vta
