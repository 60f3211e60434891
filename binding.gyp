# The CPU engine: one static library for every instruction set, each compiled with its own flags, linked into one addon.
# Sources and flags come from native/sources.gypi, which `npm run generate` writes from native/ and native/flags.json;
# scripts/install/units.mjs puts sources together into larger units.
{
  "includes": ["native/sources.gypi"],
  "target_defaults": {
    "include_dirs": ["native"],
    "cflags_cc": ["<@(athanor_common_flags)", "<!@(node scripts/install/warnings.mjs)"],
    "cflags_cc!": ["-fno-exceptions", "-fno-rtti", "-std=gnu++17", "-std=gnu++20"],
    "cflags!": ["-fno-exceptions", "-Wno-unused-parameter", "-fno-omit-frame-pointer"],
    "cflags": ["-fomit-frame-pointer"],
    "xcode_settings": {
      "CLANG_CXX_LANGUAGE_STANDARD": "c++20",
      "CLANG_CXX_LIBRARY": "libc++",
      "GCC_ENABLE_CPP_EXCEPTIONS": "YES",
      "GCC_ENABLE_CPP_RTTI": "YES",
      "GCC_SYMBOLS_PRIVATE_EXTERN": "YES",
      "MACOSX_DEPLOYMENT_TARGET": "11.0",
      "OTHER_CPLUSPLUSFLAGS": ["<@(athanor_common_flags)"]
    },
    "msvs_settings": {
      "VCCLCompilerTool": { "ExceptionHandling": 1, "RuntimeTypeInfo": "true", "AdditionalOptions": ["/std:c++20", "/fp:precise", "/Zc:__cplusplus"] }
    },
    "conditions": [
      ["target_arch=='x64'", { "defines": ["ATHANOR_HAVE_SCALAR", "ATHANOR_HAVE_AVX2", "ATHANOR_HAVE_AVX512"] }],
      ["target_arch=='arm64'", { "defines": ["ATHANOR_HAVE_SCALAR", "ATHANOR_HAVE_NEON"] }],
      ["target_arch!='x64' and target_arch!='arm64'", { "defines": ["ATHANOR_HAVE_SCALAR"] }],
      ["OS=='win'", { "defines": ["NOMINMAX", "_USE_MATH_DEFINES"] }]
    ]
  },
  "targets": [
    {
      "target_name": "athanor",
      "sources": ["<!@(node scripts/install/units.mjs)"],
      "include_dirs": ["<!(node -p \"require('node-addon-api').include_dir\")"],
      "defines": ["NAPI_VERSION=9", "NAPI_CPP_EXCEPTIONS", "NODE_ADDON_API_DISABLE_DEPRECATED", "NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS"],
      "dependencies": ["athanor_scalar"],
      "conditions": [
        ["target_arch=='x64'", { "dependencies": ["athanor_avx2", "athanor_avx512"] }],
        ["target_arch=='arm64'", { "dependencies": ["athanor_neon"] }],
        ["OS=='linux'", { "ldflags": ["-Wl,--gc-sections", "-Wl,-Bsymbolic"], "libraries": ["-ldl"] }]
      ]
    },
    {
      "target_name": "athanor_scalar",
      "type": "static_library",
      "sources": ["native/kernels/isa/scalar.cc", "native/kernels/isa/scalar_optim.cc", "native/kernels/isa/scalar_quant.cc"],
      "defines": ["ATHANOR_ISA_SCALAR"],
      "cflags_cc": ["<@(athanor_scalar_flags)"]
    }
  ],
  "conditions": [
    ["target_arch=='x64'", {
      "targets": [
        {
          "target_name": "athanor_avx2",
          "type": "static_library",
          "sources": ["native/kernels/isa/avx2.cc", "native/kernels/isa/avx2_optim.cc", "native/kernels/isa/avx2_quant.cc"],
          "defines": ["ATHANOR_ISA_AVX2"],
          "cflags_cc": ["<@(athanor_avx2_flags)"],
          "xcode_settings": { "OTHER_CPLUSPLUSFLAGS": ["<@(athanor_avx2_flags)"] },
          "msvs_settings": { "VCCLCompilerTool": { "AdditionalOptions": ["/arch:AVX2"] } }
        },
        {
          "target_name": "athanor_avx512",
          "type": "static_library",
          "sources": ["native/kernels/isa/avx512.cc", "native/kernels/isa/avx512_optim.cc", "native/kernels/isa/avx512_quant.cc"],
          "defines": ["ATHANOR_ISA_AVX512"],
          "cflags_cc": ["<@(athanor_avx512_flags)"],
          "xcode_settings": { "OTHER_CPLUSPLUSFLAGS": ["<@(athanor_avx512_flags)"] },
          "msvs_settings": { "VCCLCompilerTool": { "AdditionalOptions": ["/arch:AVX512"] } }
        }
      ]
    }],
    ["target_arch=='arm64'", {
      "targets": [
        {
          "target_name": "athanor_neon",
          "type": "static_library",
          "sources": ["native/kernels/isa/neon.cc", "native/kernels/isa/neon_optim.cc", "native/kernels/isa/neon_quant.cc"],
          "defines": ["ATHANOR_ISA_NEON"],
          "cflags_cc": ["<@(athanor_neon_flags)"]
        }
      ]
    }]
  ]
}
