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

TEST_CASE("tenants that follow one another are moved together", "[base][arena]") {
    // A place whose second line is needed from step 2 on: until then another value has it.
    std::vector<Tenant> tenants{{64, 0, 3}, {64, 2, 3}, {64, 0, 1}};
    tenants[1].follows = true;
    REQUIRE(quality(tenants) == 1);
    REQUIRE(place_tenants(tenants) == 128);
    CHECK(tenants[1].offset == tenants[0].offset + 64);
    CHECK(tenants[2].offset == tenants[1].offset);
}

TEST_CASE("a place is cut where its parts begin and end", "[base][arena]") {
    // 0 joins 1 and 2; 3 is a view of both; 4 lies alone; nothing touches 5; 6 has room behind its part.
    const std::vector<Stay> stays{{192, 4, 5}, {64, 0, 1, 0, 0}, {100, 3, 3, 0, 64}, {192, 6, 7, 0, 0},
                                  {10, 1, 2},  {64, 3, -1},      {256, 9, -1},       {64, 2, 4, 6, 64}};
    const Tenancy made = tenants_of(stays);
    CHECK(made.first == std::vector<std::ptrdiff_t>{0, 0, 0, 0, 2, -1, 3, 3});
    const auto is = [&](std::size_t i, std::size_t bytes, std::int32_t first, std::int32_t last, bool follows) {
        const Tenant& t = made.tenants.at(i);
        return t.bytes == bytes && t.first == first && t.last == last && t.follows == follows && !t.placed;
    };
    REQUIRE(made.tenants.size() == 6);
    CHECK(is(0, 64, 0, 7, false));
    CHECK(is(1, 128, 3, 7, true));
    CHECK(is(2, 64, 1, 2, false));
    CHECK(is(3, 64, 2, 4, false));
    CHECK(is(4, 64, 2, 4, true));
    CHECK(is(5, 128, 2, 4, true));
    CHECK(tenants_of({}).tenants.empty());
}

TEST_CASE("values that are parts of others share no line with strangers", "[base][arena]") {
    constexpr std::size_t kLine = kArenaAlignment;
    std::mt19937 random(8);
    for (int round = 0; round < 60; ++round) {
        std::vector<Stay> stays;
        const auto life = [&](Stay stay) {
            stay.first = static_cast<std::int32_t>(random() % 30);
            stay.last = stay.first + static_cast<std::int32_t>(random() % 8);
            return stay;
        };
        for (int h = 0; h < 12; ++h) {
            const auto host = static_cast<std::ptrdiff_t>(stays.size());
            const std::size_t lines = 1 + random() % 8;
            stays.push_back(life({lines * kLine}));
            for (std::size_t at = 0; random() % 3 != 0 && at < lines; at += 1 + random() % 2)
                stays.push_back(life({(1 + random() % (lines - at)) * kLine, 0, 0, host, at * kLine}));
        }
        Tenancy made = tenants_of(stays);
        const std::size_t bound = most_live_bytes(made.tenants, steps_of(made.tenants));
        const std::size_t end = place_tenants(made.tenants);
        REQUIRE(places_are_apart(made.tenants));
        CHECK(static_cast<double>(end) <= 1.5 * static_cast<double>(bound));
        // Line by line: who needs it when, from the first to the last touch of whatever lies over it.
        std::vector<std::vector<std::ptrdiff_t>> owner(end / kLine, std::vector<std::ptrdiff_t>(40, -1));
        std::vector<std::size_t> live(40, 0);
        for (std::size_t h = 0; h < stays.size(); ++h) {
            if (stays[h].host >= 0) continue;
            const std::size_t place = made.tenants[static_cast<std::size_t>(made.first[h])].offset;
            for (std::size_t line = 0; line < stays[h].bytes / kLine; ++line) {
                std::int32_t first = 40, last = -1;
                for (std::size_t i = 0; i < stays.size(); ++i) {
                    const bool own = i == h || stays[i].host == static_cast<std::ptrdiff_t>(h);
                    const std::size_t start = stays[i].offset / kLine;
                    if (own && line >= start && line < start + stays[i].bytes / kLine)
                        first = std::min(first, stays[i].first), last = std::max(last, stays[i].last);
                }
                for (std::int32_t s = first; s <= last; ++s) {
                    std::ptrdiff_t& at = owner[place / kLine + line][static_cast<std::size_t>(s)];
                    if (at >= 0) FAIL("stays " << at << " and " << h << " share a line at step " << s);
                    at = static_cast<std::ptrdiff_t>(h);
                    live[static_cast<std::size_t>(s)] += kLine;
                }
            }
        }
        CHECK(*std::ranges::max_element(live) == bound);
    }
}

TEST_CASE("skips around a network that goes down and up again take no more than lives at once", "[base][arena]") {
    std::mt19937 random(3);
    for (int round = 0; round < 20; ++round) {
        std::vector<Stay> stays;
        std::int32_t step = 0;
        const auto layer = [&](std::size_t from, std::size_t bytes) {
            if (from < stays.size()) stays[from].last = step;
            stays.push_back({bytes, step, step});
            ++step;
            return stays.size() - 1;
        };
        std::vector<std::size_t> skips;
        std::size_t bytes = kArenaAlignment * (512 + random() % 4096), now = ~std::size_t{0};
        for (std::size_t levels = 2 + random() % 4; levels > 0; --levels) {
            now = layer(layer(now, bytes), bytes);
            skips.push_back(now);
            bytes = arena_bytes(bytes / (random() % 2 == 0 ? 4 : 2));
            now = layer(now, bytes);
        }
        for (; !skips.empty(); skips.pop_back()) {
            const std::size_t skip = skips.back(), size = stays[skip].bytes, up = layer(now, size);
            stays[skip].host = stays[up].host = static_cast<std::ptrdiff_t>(stays.size());
            stays[up].offset = size;
            stays.push_back({2 * size, step, step}); // what joins both, read by the next layer
            now = layer(layer(stays.size(), size), size);
        }
        CHECK(quality(tenants_of(stays).tenants) <= 1.05);
    }
}
