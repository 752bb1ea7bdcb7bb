#pragma once
// Memory for the time of a scope, kept by its thread for the next one that asks.

#include <cstddef>
#include <utility>
#include <vector>

namespace orrery::ops {

/// At least as many bytes as asked for, aligned for any number, not initialized. Not for several threads.
class Scratch {
  public:
    explicit Scratch(std::size_t bytes) {
        std::vector<Block>& kept = free_blocks();
        if (!kept.empty()) {
            block_ = std::move(kept.back());
            kept.pop_back();
        }
        if (block_.size() < bytes) block_ = Block(bytes);
    }
    ~Scratch() { free_blocks().push_back(std::move(block_)); }
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;

    template <class T> [[nodiscard]] T* as() { return reinterpret_cast<T*>(block_.data()); }

  private:
    using Block = std::vector<std::byte>;
    static std::vector<Block>& free_blocks() {
        thread_local std::vector<Block> blocks;
        return blocks;
    }
    Block block_;
};

} // namespace orrery::ops
