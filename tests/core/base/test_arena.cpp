#include "core/base/arena.hpp"

#include <catch2/catch.hpp>

#include <random>

using namespace orrery;

namespace {

std::size_t steps_of(const std::vector<Tenant>& tenants) {
    std::int32_t last = 0;
    for (const Tenant& tenant : tenants) last = std::max(last, tenant.last);
    return static_cast<std::size_t>(last) + 1;
}

/// Places copies of the tenants twice; returns the end over the bound.
double quality(const std::vector<Tenant>& tenants) {
    std::vector<Tenant> once = tenants, twice = tenants;
    const std::size_t end = place_tenants(once);
    REQUIRE(place_tenants(twice) == end);
    for (std::size_t i = 0; i < tenants.size(); ++i) {
        REQUIRE(once[i].placed);
        REQUIRE(once[i].offset == twice[i].offset);
        REQUIRE(once[i].offset % kArenaAlignment == 0);
        REQUIRE(once[i].offset + once[i].bytes <= end);
        REQUIRE(once[i].bytes == tenants[i].bytes);
    }
    REQUIRE(places_are_apart(once));
    const std::size_t bound = most_live_bytes(tenants, steps_of(tenants));
    REQUIRE(end >= bound);
    return static_cast<double>(end) / static_cast<double>(bound);
}

} // namespace

TEST_CASE("an order is found that needs no more than lives at once", "[base][arena]") {
    // Step by step 256, 320, 384 and 320 bytes.
    const std::vector<Tenant> tenants{{128, 0, 1}, {64, 1, 2}, {128, 1, 2}, {192, 2, 3}, {128, 3, 3}, {128, 0, 0}};
    REQUIRE(most_live_bytes(tenants, 4) == 384);
    REQUIRE(quality(tenants) == 1);
}

TEST_CASE("chains with shortcuts take little more than lives at once", "[base][arena]") {
    std::mt19937 random(5);
    for (int round = 0; round < 40; ++round) {
        // What a residual network makes: blocks of three layers, a shortcut around each, sizes that change now and
        // then.
        std::vector<Tenant> tenants;
        std::size_t size = 1024 * (1 + random() % 8);
        std::int32_t step = 0;
        for (int block = 0; block < 16; ++block) {
            if (random() % 4 == 0) size = 1024 * (1 + random() % 8);
            tenants.push_back({4 * size, step, step + 4});
            for (std::int32_t layer = 1; layer <= 3; ++layer) {
                tenants.push_back({size * (1 + random() % 3), step + layer, step + layer + 1});
                if (random() % 3 == 0) tenants.push_back({size, step + layer, step + layer}); // a workspace
            }
            step += 4;
        }
        CHECK(quality(tenants) <= 1.1);
    }
}

TEST_CASE("any lives at all have places apart", "[base][arena]") {
    std::mt19937 random(6);
    for (int round = 0; round < 60; ++round) {
        std::vector<Tenant> tenants;
        const int count = 1 + static_cast<int>(random() % 60);
        for (int i = 0; i < count; ++i) {
            const auto first = static_cast<std::int32_t>(random() % 40);
            tenants.push_back({64 * (random() % 20), first, first + static_cast<std::int32_t>(random() % 12)});
        }
        tenants.push_back({64, 0, 0});
        CHECK(quality(tenants) <= 1.5);
    }
    std::vector<Tenant> none;
    REQUIRE(place_tenants(none) == 0);
}

TEST_CASE("what has a place keeps it", "[base][arena]") {
    std::vector<Tenant> tenants{{128, 0, 2}, {64, 1, 1, 640, true}, {256, 0, 3}, {64, 2, 3, 0, true}};
    REQUIRE(place_tenants(tenants) >= 704);
    REQUIRE(tenants[1].offset == 640);
    REQUIRE(tenants[3].offset == 0);
    REQUIRE(places_are_apart(tenants));
}
