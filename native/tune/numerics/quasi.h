// Points that fill the unit cube more evenly than independent ones, each a function of its number alone.
#pragma once
#include <cstdint>
#include <vector>

namespace athanor::tune {

// Point `index` of Sobol's sequence (direction numbers of Joe and Kuo 2008) with Owen scrambling by hash (Burley 2020; hash by
// Vegdahl 2021). Dimensions beyond 256 take up the first ones again, over indices shuffled in an order of their own.
std::vector<double> sobol_point(std::uint64_t seed, std::uint32_t index, int dimensions);

// The same without scrambling, of at most 256 dimensions: coordinates in units of 2^-32.
std::vector<std::uint32_t> plain_sobol_point(std::uint32_t index, int dimensions);

// Point `index` of Halton's sequence, its digits permuted depending on the digits before them (Owen 1995).
std::vector<double> halton_point(std::uint64_t seed, std::uint32_t index, int dimensions);

}  // namespace athanor::tune
