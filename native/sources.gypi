# Written by `npm run generate` from the files of native/ and from native/flags.json. Do not edit.
{
  "variables": {
    "athanor_engine_sources": [
      "native/kernels/dispatch.cc",
      "native/kernels/permutation.cc",
      "native/optim/optimizer.cc",
    ],
    "athanor_binding_sources": [
      "native/bindings/addon.cc",
    ],
    "athanor_common_flags": [
      "-std=c++20",
      "-O3",
      "-Wall",
      "-Wextra",
      "-fno-math-errno",
      "-ffp-contract=off",
      "-fvisibility=hidden",
      "-fvisibility-inlines-hidden",
    ],
    "athanor_scalar_flags": [
    ],
    "athanor_avx2_flags": [
      "-mavx2",
      "-mfma",
      "-mf16c",
    ],
    "athanor_avx512_flags": [
      "-mavx512f",
      "-mavx512bw",
      "-mavx512dq",
      "-mavx512vl",
      "-mavx512vnni",
      "-mavx512bf16",
      "-mavx2",
      "-mfma",
      "-mf16c",
      "-mprefer-vector-width=512",
    ],
    "athanor_neon_flags": [
    ],
  },
}
