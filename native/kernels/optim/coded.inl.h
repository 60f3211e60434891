// The optimizer step with states in bf16 or in blocks of codes: strips of them become f32 in the first-level cache, the rule's own
// kernel runs over the strip, and what it leaves is encoded. So every format goes with every rule without a kernel of the pair.
#pragma once
#include "kernels/elementwise/random.inl.h"
#include "kernels/optim/optim.h"
#include "kernels/optim/state_blocks.inl.h"

namespace athanor::kernels::ATHANOR_ISA_NAMESPACE {
namespace {

using optim::StateFormat;

// Rounded up or down with the odds of where x lies between its neighbours, in steps of a 256th, by a byte of `bits`. Never to infinity.
ATHANOR_INLINE void store_rounded(Bf16* p, Vec x, IVec byte) {
  const Vec most = Vec::broadcast(0x1.fep127f);
  const Vec bounded = max(-most, min(most, x));
  store_low_u16(&p->bits, shr<16>(as_int(bounded) + (shl<8>(byte) | IVec::broadcast(0x80))));
}

// A strip has kCodedStrip elements, and zeros where the tensor has ended.
inline void decode_strip(StateFormat format, const std::byte* state, float* x, Index n) {
  const Index blocks = optim::state_blocks(format, n);
  const auto each = [&](auto decode) ATHANOR_INLINED {
    for (Index b = 0; b < blocks; ++b)
      decode(state + b * optim::block_bytes(format), x + b * optim::block_elements(format));
  };
  switch (format) {
    case StateFormat::f32: std::memcpy(x, state, static_cast<std::size_t>(n) * sizeof(float)); break;
    case StateFormat::bf16: {
      const auto* from = reinterpret_cast<const Bf16*>(state);
      Index i = 0;
      for (; i + kLanes <= n; i += kLanes) load_as(from + i).store(x + i);
      if (i < n) load_as(from + i, n - i).store(x + i, n - i);
      break;
    }
    case StateFormat::signed8: each(&decode_byte_block<SignedCodes<8>>); break;
    case StateFormat::unsigned8: each(&decode_byte_block<UnsignedBytes>); break;
    case StateFormat::signed4: each(&decode_half_block<SignedCodes<4>>); break;
    case StateFormat::unsigned4: each(&decode_half_block<UnsignedHalves>); break;
  }
}

// `bits`: of every element, a byte that bf16 is rounded by; null: to the nearest.
inline void encode_strip(StateFormat format, float* x, std::byte* state, Index n, const std::uint8_t* bits) {
  const Index blocks = optim::state_blocks(format, n);
  for (Index i = n; i < blocks * optim::block_elements(format); ++i) x[i] = 0;
  const auto each = [&](auto encode) ATHANOR_INLINED {
    for (Index b = 0; b < blocks; ++b)
      encode(x + b * optim::block_elements(format), state + b * optim::block_bytes(format));
  };
  switch (format) {
    case StateFormat::f32: std::memcpy(state, x, static_cast<std::size_t>(n) * sizeof(float)); break;
    case StateFormat::bf16: {
      auto* to = reinterpret_cast<Bf16*>(state);
      Index i = 0;
      if (bits != nullptr) {
        for (; i + kLanes <= n; i += kLanes) store_rounded(to + i, Vec::load(x + i), load_u8(bits + i));
      }
      for (; i < n; i += kLanes) {
        Bf16 lanes[kLanes];
        const Index some = n - i < kLanes ? n - i : kLanes;
        const Vec v = Vec::load(x + i, some);
        if (bits != nullptr)
          store_rounded(lanes, v, load_u8(bits + i));
        else
          store_as(lanes, v);
        std::memcpy(to + i, lanes, static_cast<std::size_t>(some) * sizeof(Bf16));
      }
      break;
    }
    case StateFormat::signed8: each(&encode_byte_block<SignedCodes<8>>); break;
    case StateFormat::unsigned8: each(&encode_byte_block<UnsignedBytes>); break;
    case StateFormat::signed4: each(&encode_half_block<SignedCodes<4>>); break;
    case StateFormat::unsigned4: each(&encode_half_block<UnsignedHalves>); break;
  }
}

// A byte for every element of a strip of four slots: those of slot k are byte k % 4 of the words of the stream of k / 4.
using OptimNoise = std::uint8_t[4][optim::kCodedStrip];

inline void fill_noise(const OptimStates& states, Index first, int slot, OptimNoise& noise) {
  PhiloxStream stream = states.noise;
  stream.stream += static_cast<std::uint32_t>(slot / 4);
  for (Index i = 0; i < optim::kCodedStrip; i += 64) {
    philox_group(stream, first + i, [&](int at, IVec word) ATHANOR_INLINED {
      const IVec byte = IVec::broadcast(255);
      store_low_u8(noise[0] + i + at, word & byte);
      store_low_u8(noise[1] + i + at, shr<8>(word) & byte);
      store_low_u8(noise[2] + i + at, shr<16>(word) & byte);
      store_low_u8(noise[3] + i + at, shr<24>(word));
    });
  }
}

bool optim_update_coded(OptimUpdate update, const OptimRun& run, const OptimStates& states) {
  alignas(64) float strips[optim::kMaxState][optim::kCodedStrip];
  alignas(64) OptimNoise noise;
  OptimRun part = run;
  bool good = true;
  for (Index i = 0; i < run.n; i += optim::kCodedStrip) {
    part.n = run.n - i < optim::kCodedStrip ? run.n - i : optim::kCodedStrip;
    part.param = run.param + i;
    part.grad = run.grad + i;
    if (run.mask) part.mask = run.mask + i;
    std::byte* at[optim::kMaxState];
    for (int k = 0; k < optim::kMaxState; ++k) {
      if (!(states.used >> k & 1)) continue;
      const StateFormat format = states.format[k];
      at[k] = static_cast<std::byte*>(run.state[k]) + optim::state_bytes(format, i);
      for (Index line = 0; line < optim::state_bytes(format, optim::kCodedStrip); line += 64)
        __builtin_prefetch(at[k] + optim::state_bytes(format, optim::kCodedStrip) + line, 1);
      part.state[k] = format == StateFormat::f32 ? static_cast<void*>(at[k]) : strips[k];
      if (format != StateFormat::f32) decode_strip(format, at[k], strips[k], part.n);
    }
    good &= update(part);
    int filled = -1;  // of which slots, in fours, the noise is
    for (int k = 0; k < optim::kMaxState; ++k) {
      const StateFormat format = states.format[k];
      if (!(states.used >> k & 1) || format == StateFormat::f32) continue;
      if (format == StateFormat::bf16 && filled != k / 4) {
        fill_noise(states, states.first + i, k, noise);
        filled = k / 4;
      }
      encode_strip(format, strips[k], at[k], part.n, noise[k % 4]);
    }
  }
  return good;
}

void optim_decode(StateFormat format, const void* state, float* x, Index n) {
  alignas(64) float strip[optim::kCodedStrip];
  for (Index i = 0; i < n; i += optim::kCodedStrip) {
    const Index some = n - i < optim::kCodedStrip ? n - i : optim::kCodedStrip;
    decode_strip(format, static_cast<const std::byte*>(state) + optim::state_bytes(format, i), strip, some);
    std::memcpy(x + i, strip, static_cast<std::size_t>(some) * sizeof(float));
  }
}

void optim_encode(StateFormat format, const float* x, void* state, Index n) {
  alignas(64) float strip[optim::kCodedStrip];
  for (Index i = 0; i < n; i += optim::kCodedStrip) {
    const Index some = n - i < optim::kCodedStrip ? n - i : optim::kCodedStrip;
    std::memcpy(strip, x + i, static_cast<std::size_t>(some) * sizeof(float));
    encode_strip(format, strip, static_cast<std::byte*>(state) + optim::state_bytes(format, i), some, nullptr);
  }
}

}  // namespace
}  // namespace athanor::kernels::ATHANOR_ISA_NAMESPACE
