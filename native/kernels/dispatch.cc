// CPUID and XGETBV by hand, not __builtin_cpu_supports: the compilers disagree about which names they know, and the operating
// system must be asked whether it saves the wide registers.
#include "kernels/dispatch.h"

#include <atomic>
#include <cstdlib>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace athanor {

namespace kernels {
#if defined(ATHANOR_HAVE_AVX512)
namespace avx512 {
const KernelTable& table();
}
#endif
#if defined(ATHANOR_HAVE_AVX2)
namespace avx2 {
const KernelTable& table();
}
#endif
#if defined(ATHANOR_HAVE_NEON)
namespace neon {
const KernelTable& table();
}
#endif
#if defined(ATHANOR_HAVE_SCALAR)
namespace scalar {
const KernelTable& table();
}
#endif
}  // namespace kernels

namespace {

struct Features {
  bool avx2 = false;    // with FMA and F16C
  bool avx512 = false;  // F, BW, DQ, VL, VNNI and BF16
};

#if defined(ATHANOR_SIMDE)
// A test build: emulated AVX-512 runs wherever AVX2 does.
Features detect() { return {true, true}; }
#elif defined(__x86_64__)
Features detect() {
  constexpr unsigned kYmm = 0x6, kZmm = 0xe6;  // XCR0: SSE and AVX state; and opmask and both halves of zmm
  unsigned a, b, c, d;
  Features features;
  if (!__get_cpuid(1, &a, &b, &c, &d)) return features;
  const bool fma = c >> 12 & 1, osxsave = c >> 27 & 1, avx = c >> 28 & 1, f16c = c >> 29 & 1;
  if (!osxsave || !avx) return features;
  unsigned saved, high;
  __asm__ volatile("xgetbv" : "=a"(saved), "=d"(high) : "c"(0));
  if ((saved & kYmm) != kYmm || !__get_cpuid_count(7, 0, &a, &b, &c, &d)) return features;
  features.avx2 = (b >> 5 & 1) && fma && f16c;
  const bool foundation = b >> 16 & 1, dq = b >> 17 & 1, bw = b >> 30 & 1, vl = b >> 31 & 1, vnni = c >> 11 & 1;
  const bool bf16 = __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a >> 5 & 1);
  features.avx512 = features.avx2 && (saved & kZmm) == kZmm && foundation && dq && bw && vl && vnni && bf16;
  return features;
}
#else
Features detect() { return {}; }
#endif

std::vector<const KernelTable*> usable_tables() {
  [[maybe_unused]] const Features features = detect();
  std::vector<const KernelTable*> tables;
#if defined(ATHANOR_HAVE_AVX512)
  if (features.avx512) tables.push_back(&kernels::avx512::table());
#endif
#if defined(ATHANOR_HAVE_AVX2)
  if (features.avx2) tables.push_back(&kernels::avx2::table());
#endif
#if defined(ATHANOR_HAVE_NEON)
  tables.push_back(&kernels::neon::table());
#endif
#if defined(ATHANOR_HAVE_SCALAR)
  tables.push_back(&kernels::scalar::table());
#endif
  return tables;
}

struct Choice {
  std::vector<const KernelTable*> tables = usable_tables();
  std::atomic<const KernelTable*> current;
  std::string warning;

  Choice() : current(tables.front()) {
    const char* wanted = std::getenv("ATHANOR_ISA");
    if (wanted == nullptr || *wanted == '\0' || choose(wanted)) return;
    warning = "ATHANOR_ISA: this machine and build offer ";
    for (const KernelTable* table : tables) warning += std::string(table == tables.front() ? "" : ", ") + table->isa;
    warning += std::string("; got \"") + wanted + "\", so " + tables.front()->isa + " is used";
  }

  bool choose(const std::string& name) {
    for (const KernelTable* table : tables) {
      if (name != table->isa) continue;
      current.store(table, std::memory_order_release);
      return true;
    }
    return false;
  }
};

Choice& choice() {
  static Choice instance;
  return instance;
}

}  // namespace

const KernelTable& kernel_table() { return *choice().current.load(std::memory_order_acquire); }

std::vector<std::string> available_isas() {
  std::vector<std::string> names;
  for (const KernelTable* table : choice().tables) names.emplace_back(table->isa);
  return names;
}

bool set_isa(const std::string& name) { return choice().choose(name); }

std::string isa_warning() { return choice().warning; }

}  // namespace athanor
