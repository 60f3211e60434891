#include "tune/numerics/quasi.h"

#include <array>

#include "base/philox.h"
#include "tune/random.h"

namespace athanor::tune {
namespace {

constexpr int kSobolDimensions = 256;
using Directions = std::array<std::uint32_t, 32>;

std::vector<Directions> make_directions() {
  std::vector<Directions> all(1);
  for (int bit = 0; bit < 32; ++bit) all[0][static_cast<std::size_t>(bit)] = 1u << (31 - bit);  // van der Corput
  const auto add = [&](std::uint32_t polynomial, const std::vector<std::uint32_t>& initial) {
    const int degree = static_cast<int>(initial.size());
    Directions v{};
    for (int i = 0; i < 32; ++i) {
      const auto at = [&](int k) -> std::uint32_t& { return v[static_cast<std::size_t>(k)]; };
      if (i < degree) {
        at(i) = initial[static_cast<std::size_t>(i)] << (31 - i);
        continue;
      }
      at(i) = at(i - degree) ^ (at(i - degree) >> degree);
      for (int k = 1; k < degree; ++k)
        if (polynomial >> (degree - k) & 1) at(i) ^= at(i - k);
    }
    all.push_back(v);
  };
#define SOBOL(polynomial, ...) add(polynomial, {__VA_ARGS__});
#include "tune/numerics/sobol.def"
#undef SOBOL
  return all;
}

const std::vector<Directions>& directions() {
  static const std::vector<Directions> all = make_directions();
  return all;
}

std::uint32_t sobol_bits(std::uint32_t index, int dimension) {
  const Directions& v = directions()[static_cast<std::size_t>(dimension)];
  std::uint32_t x = 0;
  for (int bit = 0; index; ++bit, index >>= 1)
    if (index & 1) x ^= v[static_cast<std::size_t>(bit)];
  return x;
}

std::uint32_t reversed(std::uint32_t x) {
  x = (x & 0x55555555u) << 1 | (x >> 1 & 0x55555555u);
  x = (x & 0x33333333u) << 2 | (x >> 2 & 0x33333333u);
  x = (x & 0x0f0f0f0fu) << 4 | (x >> 4 & 0x0f0f0f0fu);
  x = (x & 0x00ff00ffu) << 8 | (x >> 8 & 0x00ff00ffu);
  return x << 16 | x >> 16;
}

// A permutation in which a bit depends on the bits above it alone: Owen's nested scrambling of a binary fraction.
std::uint32_t scrambled(std::uint32_t x, std::uint32_t seed) {
  x = reversed(x);
  x ^= x * 0x3d20adeau;
  x += seed;
  x *= (seed >> 16) | 1;
  x ^= x * 0x05526c56u;
  x ^= x * 0x53a22864u;
  return reversed(x);
}

std::uint32_t word(std::uint64_t seed, std::uint32_t a, std::uint32_t b, std::uint32_t c = 0) {
  return philox({{a, b, static_cast<std::uint32_t>(Stream::scramble), c}}, seed).words[0];
}

// Element i of a permutation of 0 … n − 1 (Kensler 2013, "Correlated multi-jittered sampling").
std::uint32_t permuted(std::uint32_t i, std::uint32_t n, std::uint32_t p) {
  std::uint32_t w = n - 1;
  w |= w >> 1, w |= w >> 2, w |= w >> 4, w |= w >> 8, w |= w >> 16;
  do {
    i ^= p, i *= 0xe170893du, i ^= p >> 16, i ^= (i & w) >> 4, i ^= p >> 8, i *= 0x0929eb3fu, i ^= p >> 23;
    i ^= (i & w) >> 1, i *= 1 | p >> 27, i *= 0x6935fa69u, i ^= (i & w) >> 11, i *= 0x74dcb303u, i ^= (i & w) >> 2;
    i *= 0x9e501cc3u, i ^= (i & w) >> 2, i *= 0xc860a3dfu, i &= w, i ^= i >> 5;
  } while (i >= n);
  return (i + p) % n;
}

std::vector<int> first_primes(int count) {
  std::vector<int> primes;
  for (int n = 2; static_cast<int>(primes.size()) < count; ++n) {
    bool prime = true;
    for (const int p : primes) {
      if (p * p > n) break;
      prime = prime && n % p != 0;
    }
    if (prime) primes.push_back(n);
  }
  return primes;
}

double scrambled_inverse(std::uint32_t index, std::uint32_t base, std::uint64_t seed, std::uint32_t dimension) {
  double value = 0, weight = 1;
  std::uint32_t before = 0x2545f491u;  // stands for the digits so far
  for (std::uint32_t place = 0; weight > 0x1p-53; ++place) {
    const std::uint32_t digit = index % base;
    index /= base;
    weight /= base;
    value += weight * permuted(digit, base, word(seed, dimension, place, before));
    before = (before ^ (digit + 1)) * 0x01000193u + (before >> 15);
  }
  return value < 1 ? value : 1 - 0x1p-53;
}

}  // namespace

std::vector<std::uint32_t> plain_sobol_point(std::uint32_t index, int dimensions) {
  std::vector<std::uint32_t> point;
  for (int j = 0; j < dimensions; ++j) point.push_back(sobol_bits(index, j));
  return point;
}

std::vector<double> sobol_point(std::uint64_t seed, std::uint32_t index, int dimensions) {
  std::vector<double> point;
  for (int j = 0; j < dimensions; ++j) {
    const auto set = static_cast<std::uint32_t>(j / kSobolDimensions);
    const std::uint32_t at = set == 0 ? index : scrambled(index, word(seed, ~0u, set));
    const std::uint32_t bits =
        scrambled(sobol_bits(at, j % kSobolDimensions), word(seed, static_cast<std::uint32_t>(j), 0));
    point.push_back((bits + 0.5) * 0x1p-32);
  }
  return point;
}

std::vector<double> halton_point(std::uint64_t seed, std::uint32_t index, int dimensions) {
  std::vector<double> point;
  const std::vector<int> primes = first_primes(dimensions);
  for (int j = 0; j < dimensions; ++j)
    point.push_back(scrambled_inverse(index, static_cast<std::uint32_t>(primes[static_cast<std::size_t>(j)]), seed,
                                      static_cast<std::uint32_t>(j)));
  return point;
}

}  // namespace athanor::tune
