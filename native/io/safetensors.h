// safetensors (https://github.com/huggingface/safetensors, "Format"): 8 bytes with the length n of the header, little endian;
// n bytes of JSON { "__metadata__": { text: text }, name: { "dtype", "shape", "data_offsets": [begin, end] } }; then the data,
// without holes, offsets counted from its start. Reading trusts nothing: every size is checked against the file before any
// memory is taken for it. A file is read with pread, not mapped: one that shrinks meanwhile gives an error, not a signal.
// Little-endian machines only, as the rest of the engine.
#pragma once
#include <bit>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/dtype.h"
#include "base/index.h"
#include "io/folder.h"

namespace athanor::io {

static_assert(std::endian::native == std::endian::little);

// The types of the format whose elements are whole bytes, in the order in which a file holds them. Those that the engine has
// no DType for are raw bytes to it.
enum class StoredType : std::uint8_t {
  u64,
  i64,
  f64,
  f32,
  u32,
  i32,
  bf16,
  f16,
  u16,
  i16,
  f8_e4m3,
  f8_e5m2,
  i8,
  u8,
  boolean
};

inline constexpr int kStoredTypeCount = 15;

Index size_of(StoredType type);
const char* name_of(StoredType type);  // as in the file: "F32", "BOOL"
std::optional<DType> dtype_of(StoredType type);
StoredType stored(DType dtype);

using Metadata = std::vector<std::pair<std::string, std::string>>;

struct TensorEntry {
  std::string name;
  StoredType type = StoredType::f32;
  std::vector<Index> shape;
  Index offset = 0;  // from the start of the data
  Index bytes = 0;   // the product of shape, times the size of the type
};

// A file by its name in an open folder, and the path that sentences show.
struct FileAt {
  int folder;
  std::string name, shown;
};

class SafetensorsReader {
 public:
  // Reads and checks the header only. `operation` opens every sentence ("artifact.load"), which goes on with the file's path.
  // Throws Error: Code::io where the system refuses, Code::corrupt where the content is wrong, Code::unsupported for a type
  // that is not above. A file that is not the expected one is corrupt, whatever else is wrong with it.
  static SafetensorsReader open(const FileAt& at, std::string operation, std::optional<Fingerprint> expected = {});

  // Over bytes that the caller keeps; `name` stands for the file in sentences.
  static SafetensorsReader parse(std::span<const std::byte> file, std::string name, std::string operation);

  const std::vector<TensorEntry>& tensors() const { return tensors_; }  // in the order of their data
  const Metadata& metadata() const { return metadata_; }
  const TensorEntry* find(std::string_view name) const;

  // Copies the tensor's bytes; `to` has exactly entry.bytes. Safe from several threads at once.
  void read(const TensorEntry& entry, std::span<std::byte> to) const;

  // The bytes of all tensors, in the order of tensors(), checked against the fingerprint that the file was opened with.
  std::vector<std::unique_ptr<std::byte[]>> read_all() const;

  // Reads all of the file and checks it against the fingerprint that it was opened with.
  void verify() const;

  // The bytes themselves; only of a reader made by parse().
  std::span<const std::byte> view(const TensorEntry& entry) const;

 private:
  struct File;
  SafetensorsReader(std::string name, std::string operation)
      : name_(std::move(name)), operation_(std::move(operation)) {}
  std::uint64_t header_length(std::span<const std::byte> first, std::uint64_t file_size) const;
  void read_header(std::string_view header, std::uint64_t data_size);
  void check_layout(std::uint64_t data_size);  // sorts tensors_ by their place
  void read_file_header(std::uint64_t size);
  void fill(std::span<std::byte> to, std::uint64_t offset) const;
  void check_hash(const XxHash64& hash) const;
  [[noreturn]] void refuse(int error) const;
  [[noreturn]] void damaged(const std::string& what) const;

  std::string name_, operation_;
  std::shared_ptr<const File> file_;
  std::span<const std::byte> data_;
  std::uint64_t data_begin_ = 0;
  std::vector<TensorEntry> tensors_;
  std::vector<std::uint32_t> by_name_;
  Metadata metadata_;
  XxHash64 header_hash_;  // of everything before the data
  std::optional<Fingerprint> expected_;
};

struct TensorToWrite {
  std::string name;
  StoredType type = StoredType::f32;
  std::vector<Index> shape;
  std::span<const std::byte> data;  // exactly as many bytes as shape and type say
};

// Writes the bytes of a file. The order is fixed by the content, and is that of the reference implementation: by type, larger
// elements first, which aligns every tensor to its element; then by name; metadata by key. The header is padded with spaces
// to a multiple of 8.
// Throws Error: Code::argument for a name twice, a reserved name or a wrong number of bytes, before anything is written.
void write_safetensors(Sink& to, std::vector<TensorToWrite> tensors, Metadata metadata, const std::string& operation);

}  // namespace athanor::io
