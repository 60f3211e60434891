// The format's element types, and writing.
#include "io/safetensors.h"

#include <algorithm>

#include "base/error.h"
#include "base/json.h"
#include "base/sentence.h"
#include "io/folder.h"

namespace athanor::io {

Index size_of(StoredType type) {
  switch (type) {
    case StoredType::f64:
    case StoredType::i64:
    case StoredType::u64: return 8;
    case StoredType::f32:
    case StoredType::i32:
    case StoredType::u32: return 4;
    case StoredType::f16:
    case StoredType::bf16:
    case StoredType::i16:
    case StoredType::u16: return 2;
    case StoredType::i8:
    case StoredType::u8:
    case StoredType::boolean:
    case StoredType::f8_e4m3:
    case StoredType::f8_e5m2: return 1;
  }
  return 0;
}

const char* name_of(StoredType type) {
  switch (type) {
    case StoredType::f64: return "F64";
    case StoredType::i64: return "I64";
    case StoredType::u64: return "U64";
    case StoredType::f32: return "F32";
    case StoredType::i32: return "I32";
    case StoredType::u32: return "U32";
    case StoredType::f16: return "F16";
    case StoredType::bf16: return "BF16";
    case StoredType::i16: return "I16";
    case StoredType::u16: return "U16";
    case StoredType::i8: return "I8";
    case StoredType::u8: return "U8";
    case StoredType::boolean: return "BOOL";
    case StoredType::f8_e4m3: return "F8_E4M3";
    case StoredType::f8_e5m2: return "F8_E5M2";
  }
  return "?";
}

std::optional<DType> dtype_of(StoredType type) {
  switch (type) {
    case StoredType::f64: return DType::f64;
    case StoredType::f32: return DType::f32;
    case StoredType::i32: return DType::i32;
    case StoredType::bf16: return DType::bf16;
    case StoredType::u8: return DType::u8;
    case StoredType::boolean: return DType::boolean;
    case StoredType::u64:
    case StoredType::i64:
    case StoredType::u32:
    case StoredType::f16:
    case StoredType::u16:
    case StoredType::i16:
    case StoredType::f8_e4m3:
    case StoredType::f8_e5m2:
    case StoredType::i8: return std::nullopt;
  }
  return std::nullopt;
}

StoredType stored(DType dtype) {
  switch (dtype) {
    case DType::f32: return StoredType::f32;
    case DType::f64: return StoredType::f64;
    case DType::i32: return StoredType::i32;
    case DType::u8: return StoredType::u8;
    case DType::boolean: return StoredType::boolean;
    case DType::bf16: return StoredType::bf16;
  }
  return StoredType::u8;
}

namespace {

Json shape_of(const TensorToWrite& tensor, const std::string& operation) {
  Index bytes = size_of(tensor.type);
  bool fits = true;
  Json::Array shape;
  for (const Index size : tensor.shape) {
    fits = fits && size >= 0 && !__builtin_mul_overflow(bytes, size, &bytes);
    shape.emplace_back(size);
  }
  check(fits && static_cast<std::size_t>(bytes) == tensor.data.size(), Code::argument, [&] {
    return operation + ": tensor " + quoted(tensor.name) + " has " + grouped(std::uint64_t{tensor.data.size()}) +
           " bytes, its dtype and shape need " + (fits ? grouped(bytes) : "more than any memory holds");
  });
  return shape;
}

std::string header_of(const std::vector<TensorToWrite>& tensors, const Metadata& metadata,
                      const std::string& operation) {
  Json::Object root;
  if (!metadata.empty()) {
    Json::Object texts;
    for (const auto& [key, text] : metadata) texts.emplace_back(key, text);
    root.emplace_back("__metadata__", std::move(texts));
  }
  Index offset = 0;
  for (const TensorToWrite& tensor : tensors) {
    check(tensor.name != "__metadata__", Code::argument, [&] {
      return operation + ": a tensor cannot be named \"__metadata__\", the format keeps that name for itself";
    });
    Json shape = shape_of(tensor, operation);
    const Index end = offset + static_cast<Index>(tensor.data.size());
    root.emplace_back(tensor.name, Json::Object{{"dtype", name_of(tensor.type)},
                                                {"shape", std::move(shape)},
                                                {"data_offsets", Json::Array{offset, end}}});
    offset = end;
  }
  std::string header = write_json(Json(std::move(root)));
  header.resize((header.size() + 7) / 8 * 8, ' ');
  return header;
}

template <class List, class Name>
void refuse_twice(const List& sorted, Name name, const char* what, const std::string& operation) {
  for (std::size_t i = 1; i < sorted.size(); ++i) {
    check(name(sorted[i]) != name(sorted[i - 1]), Code::argument,
          [&] { return operation + ": " + what + " " + quoted(name(sorted[i])) + " comes twice"; });
  }
}

}  // namespace

void write_safetensors(Sink& file, std::vector<TensorToWrite> tensors, Metadata metadata,
                       const std::string& operation) {
  const auto tensor_name = [](const TensorToWrite& tensor) -> const std::string& { return tensor.name; };
  const auto key = [](const auto& pair) -> const std::string& { return pair.first; };
  std::sort(metadata.begin(), metadata.end());
  refuse_twice(metadata, key, "the metadata key", operation);
  std::sort(tensors.begin(), tensors.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  refuse_twice(tensors, tensor_name, "the tensor", operation);
  std::sort(tensors.begin(), tensors.end(), [](const TensorToWrite& a, const TensorToWrite& b) {
    return a.type != b.type ? a.type < b.type : a.name < b.name;
  });

  const std::string header = header_of(tensors, metadata, operation);
  const std::uint64_t length = header.size();
  file.write(std::as_bytes(std::span(&length, 1)));
  file.write(std::as_bytes(std::span(header)));
  for (const TensorToWrite& tensor : tensors) file.write(tensor.data);
}

}  // namespace athanor::io
