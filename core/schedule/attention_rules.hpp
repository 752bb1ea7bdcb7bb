#pragma once
// Internal to core/schedule: the rule for a product whose rows, worked on one by one, are the first factor of another
// product.

#include "core/schedule/trace_writer.hpp"

#include <string>

namespace orrery::schedule {

/// Where a product's rows are read by blocks that go over whole rows (a softmax), and what comes of those by one
/// product and nobody else, schedules all in one nest: a few rows of the first product, which the nearest cache keeps,
/// those blocks row by row, and the second product's rows. What lies between the two is then never in memory as a
/// whole. Factors are copied once, into panels. False, and nothing written, where it is not so.
bool tile_attention(Draft& draft, const std::string& first);

} // namespace orrery::schedule
