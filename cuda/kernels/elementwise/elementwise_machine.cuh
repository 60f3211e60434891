// The interpreter itself: a thread runs a program for a few elements.
#pragma once
#include "cuda/kernels/elementwise/elementwise_value.cuh"

namespace athanor::cuda {

// Runs the program for kWidth elements of a thread. `column`: the thread's first register; registers are kStride values apart for
// each element. index(j): the linear index of element j, below 0 where there is none. raw(j): the product's element.
template <class T, int kWidth, int kStride>
struct EwMachine {
  const EwProgramParams& p;
  T* column;

  ATHANOR_DEVICE T& at(int reg, int j) const { return column[(reg * kWidth + j) * kStride]; }

  struct Visit {
    const EwMachine& machine;
    const EwInstruction& code;

    template <int kInputs, bool kCheap, class F>
    ATHANOR_DEVICE void run(F f) const {
      if constexpr (kCheap) {
#pragma unroll
        for (int j = 0; j < kWidth; ++j) step<kInputs>(f, j);
      } else {
#pragma unroll 1
        for (int j = 0; j < kWidth; ++j) step<kInputs>(f, j);
      }
    }
    template <int kInputs, class F>
    ATHANOR_DEVICE void step(F f, int j) const {
      const T x = machine.at(code.a, j);
      T y = x, z = x;
      if constexpr (kInputs > 1) y = machine.at(code.b, j);
      if constexpr (kInputs > 2) z = machine.at(code.c, j);
      machine.at(code.dst, j) = f(x, y, z);
    }
  };

  template <class IndexOf, class Raw>
  ATHANOR_DEVICE void load(const EwInstruction& code, IndexOf index, Raw raw) const {
    const int operand = static_cast<int>(code.index);
#pragma unroll
    for (int j = 0; j < kWidth; ++j) {
      const Index i = index(j);
      if (i < 0) {
        at(code.dst, j) = T{0};
      } else if (operand == p.raw) {
        at(code.dst, j) = static_cast<T>(raw(j));
      } else {
        at(code.dst, j) =
            load_element<T>(p.data[operand], static_cast<DType>(p.types[operand]), operand_offset(p, operand, i));
      }
    }
  }

  template <class IndexOf, class Raw>
  ATHANOR_DEVICE void run(IndexOf index, Raw raw) const {
    for (int k = 0; k < p.length; ++k) {
      const EwInstruction& code = p.code[k];
      switch (code.op) {
        case EwOp::load: load(code, index, raw); break;
        case EwOp::store:
#pragma unroll
          for (int j = 0; j < kWidth; ++j) {
            const Index i = index(j);
            const int operand = static_cast<int>(code.index);
            if (i >= 0)
              store_element<T>(p.data[operand], static_cast<DType>(p.types[operand]), operand_offset(p, operand, i),
                               at(code.a, j));
          }
          break;
        case EwOp::constant:
#pragma unroll
          for (int j = 0; j < kWidth; ++j) at(code.dst, j) = static_cast<T>(code.imm);
          break;
        case EwOp::iota:
#pragma unroll
          for (int j = 0; j < kWidth; ++j) at(code.dst, j) = static_cast<T>(index(j));
          break;
        case EwOp::random_uniform: {
          const PhiloxStream stream{p.run != nullptr ? p.run->seed : p.random.seed,
                                    p.run != nullptr ? static_cast<std::uint32_t>(p.run->step) : p.random.step,
                                    code.index};
#pragma unroll 1
          for (int j = 0; j < kWidth; ++j) {
            const Index i = index(j);
            at(code.dst, j) = static_cast<T>(stream.uniform(static_cast<std::uint64_t>(i < 0 ? 0 : i)));
          }
          break;
        }
        default: EwFunctions<T>::of(code.op, Visit{*this, code});
      }
    }
  }
};

// The epilogue of one element that a thread holds; its registers are the thread's column of shared memory.
template <int kThreads>
ATHANOR_DEVICE void finish_element(const EwProgramParams& e, float* registers, Index linear, float raw) {
  const EwMachine<float, 1, kThreads> machine{e, registers + threadIdx.x};
  machine.run([linear](int) { return linear; }, [raw](int) { return raw; });
}

}  // namespace athanor::cuda
