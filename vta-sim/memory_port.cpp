#include "vta-sim/memory_port.hpp"

#include <algorithm>

namespace orrery::vta {

BurstCursor::BurstCursor(const Timing& timing, const Shape& shape)
    : shape_(shape), bus_bytes_(static_cast<std::uint64_t>(timing.bus_bytes)),
      burst_bytes_(bus_bytes_ * static_cast<std::uint64_t>(timing.max_burst_beats)) {
    ensure(shape.rows > 0 && shape.row_bytes > 0, "an empty transfer has no bursts");
}

BurstCursor::Burst BurstCursor::next() {
    const std::uint64_t begin = shape_.address + row_ * shape_.stride + offset_;
    const std::uint64_t boundary = (begin / burst_bytes_ + 1) * burst_bytes_;
    const std::uint64_t bytes = std::min(boundary - begin, shape_.row_bytes - offset_);
    const Burst burst{offset_, bytes, (begin + bytes + bus_bytes_ - 1) / bus_bytes_ - begin / bus_bytes_};
    offset_ += bytes;
    if (offset_ == shape_.row_bytes) {
        offset_ = 0;
        ++row_;
    }
    return burst;
}

ReadPort::ReadPort(const Timing& timing, bool record) : timing_(timing), record_(record) {}

void ReadPort::start(Slot slot, ReadClient client, std::uint32_t instruction, const BurstCursor& cursor,
                     std::uint64_t ready) {
    auto& request = requests_[static_cast<std::size_t>(slot)];
    ensure(!request.has_value(), "a slot of the read port is taken");
    request.emplace(Request{client, instruction, cursor, ready});
}

std::uint64_t ReadPort::skip_last_beats(std::uint64_t cycle) const {
    for (const std::uint64_t last : last_beats_) {
        if (last == cycle) ++cycle;
        if (last > cycle) break;
    }
    return cycle;
}

std::uint64_t ReadPort::next_grant() const {
    std::uint64_t ready = kNever;
    for (const auto& request : requests_) {
        if (request && request->ready < ready) ready = request->ready;
    }
    if (ready == kNever) return kNever;
    std::uint64_t cycle = std::max(ready, command_free_);
    // Bursts return in order, so the oldest in flight frees a place first.
    const auto limit = static_cast<std::size_t>(timing_.outstanding_reads);
    if (last_beats_.size() >= limit) cycle = std::max(cycle, last_beats_[last_beats_.size() - limit] + 1);
    return skip_last_beats(cycle);
}

ReadPort::Grant ReadPort::grant(std::uint64_t now) {
    while (!last_beats_.empty() && last_beats_.front() < now) last_beats_.pop_front();
    std::size_t chosen = kSlots;
    for (std::size_t i = 0; i < kSlots; ++i) {
        if (!requests_[i] || requests_[i]->ready > now) continue;
        if (chosen == kSlots || requests_[i]->client < requests_[chosen]->client) chosen = i;
    }
    ensure(chosen < kSlots, "a grant without a request");
    Request& request = *requests_[chosen];
    const std::uint64_t beats = request.cursor.next().beats;

    const auto path_in = static_cast<std::uint64_t>(timing_.path_latency / 2);
    const auto path_out = static_cast<std::uint64_t>(timing_.path_latency) - path_in;
    const std::uint64_t arrival = now + path_in;
    const bool queued = dram_used_ && arrival <= dram_last_;
    const std::uint64_t dram_first =
        queued ? dram_last_ + 1 : arrival + static_cast<std::uint64_t>(timing_.dram_latency);
    dram_last_ = dram_first + beats - 1;
    dram_used_ = true;

    const std::uint64_t first = dram_first + path_out;
    last_beats_.push_back(first + beats - 1);
    command_free_ = now + 1;
    request.ready = now + static_cast<std::uint64_t>(timing_.command_gap);
    beats_[static_cast<std::size_t>(request.client)] += beats;
    ++bursts_[static_cast<std::size_t>(request.client)];
    const PortInterval interval{first, first + beats, request.instruction, request.client};
    const Grant result{static_cast<Slot>(chosen), first, beats, request.cursor.done()};
    if (result.last) requests_[chosen].reset();
    note(interval);
    return result;
}

void ReadPort::note(const PortInterval& interval) {
    const auto extend = [&](auto& list) {
        if (!list.empty() && list.back().end == interval.begin && list.back().instruction == interval.instruction &&
            list.back().client == interval.client) {
            list.back().end = interval.end;
        } else {
            list.push_back(interval);
        }
    };
    extend(recent_);
    if (record_) extend(recorded_);
}

std::uint64_t ReadPort::busy_within(std::uint64_t begin, std::uint64_t end) const {
    std::uint64_t busy = 0;
    for (auto it = recent_.rbegin(); it != recent_.rend() && it->end > begin; ++it) {
        const std::uint64_t low = std::max(begin, it->begin);
        const std::uint64_t high = std::min(end, it->end);
        if (low < high) busy += high - low;
    }
    return busy;
}

void ReadPort::forget_before(std::uint64_t cycle) {
    while (!recent_.empty() && recent_.front().end <= cycle) recent_.pop_front();
}

} // namespace orrery::vta
