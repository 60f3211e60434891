#include "cuda/emulator/fiber.h"

#include <cstdint>

#if !defined(__x86_64__) && !defined(__aarch64__)
#error "the emulator switches stacks on x86-64 and AArch64 only; add athanor_emulator_switch for this processor"
#endif

namespace athanor::emulator {

// The switch ends in a jump: a return would be predicted to the caller of the other stack's switch, wrongly, every time.
#if defined(__x86_64__)
asm(R"(
.text
.globl athanor_emulator_switch
.hidden athanor_emulator_switch
.type athanor_emulator_switch, @function
athanor_emulator_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  popq %rcx
  jmp *%rcx
.size athanor_emulator_switch, .-athanor_emulator_switch
)");

void* fresh_stack(std::byte* base, void (*entry)()) {
  auto top = reinterpret_cast<std::uintptr_t>(base + kStackBytes) & ~std::uintptr_t{63};
  auto* slots = reinterpret_cast<void**>(top);
  *--slots = nullptr;  // where a caller's return address would be: the entry finds the alignment of a call
  *--slots = reinterpret_cast<void*>(entry);
  for (int i = 0; i < 6; ++i) *--slots = nullptr;
  return slots;
}
#else
asm(R"(
.text
.globl athanor_emulator_switch
.hidden athanor_emulator_switch
.type athanor_emulator_switch, @function
athanor_emulator_switch:
  sub sp, sp, #176
  stp x19, x20, [sp, #0]
  stp x21, x22, [sp, #16]
  stp x23, x24, [sp, #32]
  stp x25, x26, [sp, #48]
  stp x27, x28, [sp, #64]
  stp x29, x30, [sp, #80]
  stp d8, d9, [sp, #96]
  stp d10, d11, [sp, #112]
  stp d12, d13, [sp, #128]
  stp d14, d15, [sp, #144]
  mov x9, sp
  str x9, [x0]
  mov sp, x1
  ldp x19, x20, [sp, #0]
  ldp x21, x22, [sp, #16]
  ldp x23, x24, [sp, #32]
  ldp x25, x26, [sp, #48]
  ldp x27, x28, [sp, #64]
  ldp x29, x30, [sp, #80]
  ldp d8, d9, [sp, #96]
  ldp d10, d11, [sp, #112]
  ldp d12, d13, [sp, #128]
  ldp d14, d15, [sp, #144]
  add sp, sp, #176
  br x30
.size athanor_emulator_switch, .-athanor_emulator_switch
)");

void* fresh_stack(std::byte* base, void (*entry)()) {
  auto top = reinterpret_cast<std::uintptr_t>(base + kStackBytes) & ~std::uintptr_t{63};
  auto* frame = reinterpret_cast<void**>(top - 176);
  for (int i = 0; i < 22; ++i) frame[i] = nullptr;
  frame[11] = reinterpret_cast<void*>(entry);  // x30
  return frame;
}
#endif

}  // namespace athanor::emulator
