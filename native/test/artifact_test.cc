// XXH64 against xxhsum, and artifacts on the disk: swapped whole, refused, swept.
#include <fcntl.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/error.h"
#include "io/artifact_folder.h"
#include "io/folder.h"
#include "test/test.h"

namespace athanor::io {
namespace {

namespace fs = std::filesystem;

std::string hash_of(const std::string& text, std::size_t first = 0) {
  XxHash64 hash;
  hash.update(std::as_bytes(std::span(text)).first(first));
  hash.update(std::as_bytes(std::span(text)).subspan(first));
  return hexadecimal(hash.digest());
}

// Printed by xxhsum 0.8.1 -H64.
TEST(xxhash64_is_that_of_xxhsum) {
  CHECK(hash_of("") == "ef46db3751d8e999");
  CHECK(hash_of("a") == "d24ec4f1a98c6e5b");
  CHECK(hash_of("abc") == "44bc2cf5ad770999");
  CHECK(hash_of("message digest") == "066ed728fceeb3be");
  CHECK(hash_of("abcdefghijklmnopqrstuvwxyz") == "cfe1f278fa89835c");
  const std::string digits = "12345678901234567890123456789012345678901234567890123456789012345678901234567890";
  for (std::size_t first = 0; first <= digits.size(); ++first) CHECK(hash_of(digits, first) == "e04a477f19ee145d");
}

class Folder {
 public:
  Folder() {
    std::string name = (fs::temp_directory_path() / "athanor-artifact-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) SKIP("no temporary folder");
    path_ = fs::canonical(name);
  }
  ~Folder() { fs::remove_all(path_); }
  std::string operator/(const std::string& name) const { return (path_ / name).string(); }
  Descriptor open() const { return Descriptor(::open(path_.c_str(), O_RDONLY | O_DIRECTORY)); }

 private:
  fs::path path_;
};

std::string contents(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}
void put(const std::string& path, const std::string& bytes) { std::ofstream(path, std::ios::binary) << bytes; }

std::vector<std::string> names(const std::string& path) {
  std::vector<std::string> all;
  for (const auto& entry : fs::directory_iterator(path)) all.push_back(entry.path().filename().string());
  std::sort(all.begin(), all.end());
  return all;
}

const std::vector<std::string> kFiles = {"graph.json", "weights.safetensors"};
const std::vector<float> kValues(1000, 1.5F);

void save(const std::string& place, const std::string& note = "a") {
  const std::string graph = "{\"format\":\"athanor\",\"note\":\"" + note + "\"}";
  write_artifact(place, {graph, {{"w", StoredType::f32, {1000}, std::as_bytes(std::span(kValues))}}}, "artifact.save");
}

std::string refusal(const std::string& place, Code code) {
  try {
    save(place);
  } catch (const Error& error) {
    return error.code() == code ? error.what() : std::string("another code: ") + error.what();
  }
  return "saved";
}

TEST(artifact_is_written_with_its_checksums_and_replaced_whole) {
  const Folder folder;
  save(folder / "a/b/model");
  save(folder / "a/b/model", "second");
  CHECK(names(folder / "a/b") == std::vector<std::string>{"model"});
  CHECK(names(folder / "a/b/model") == kFiles);
  const std::string weights = contents(folder / "a/b/model/weights.safetensors");
  const std::string head =
      "{\"format\":\"athanor\",\"note\":\"second\",\"files\":{\"weights.safetensors\":{\"bytes\":" +
      std::to_string(weights.size()) + ",\"xxh64\":\"" + hash_of(weights) + "\"}}";
  CHECK(contents(folder / "a/b/model/graph.json") == head + ",\"checksum\":\"" + hash_of(head) + "\"}\n");
}

TEST(artifact_keeps_the_permissions_of_the_folder_that_it_replaces) {
  const Folder folder;
  save(folder / "model");
  ::chmod((folder / "model").c_str(), 02750);
  save(folder / "model");
  struct stat status{};
  CHECK(::stat((folder / "model").c_str(), &status) == 0 && (status.st_mode & 07777) == 02750);
}

TEST(artifact_takes_the_place_of_an_empty_folder_but_of_no_other) {
  const Folder folder;
  fs::create_directory(folder / "empty");
  save(folder / "empty");
  CHECK(names(folder / "empty") == kFiles);

  const auto kept = [&](const std::string& name, const std::string& file, const std::string& bytes) {
    fs::create_directory(folder / name);
    put(folder / (name + "/" + file), bytes);
    const std::string sentence = refusal(folder / name, Code::argument);
    CHECK(sentence.starts_with("artifact.save: \"" + folder / name + "\" is not an artifact: it holds "));
    CHECK(contents(folder / (name + "/" + file)) == bytes);
  };
  kept("other", "thesis.tex", "years of work");
  kept("hidden", ".git", "");
  kept("graph", "graph.json", "{\"nodes\":[]}");
  kept("binary", "graph.json", "");
  kept("weights", "weights.safetensors", std::string("\x02\0\0\0\0\0\0\0{}", 10));
  fs::create_directories(folder / "nested/graph.json");
  CHECK(refusal(folder / "nested", Code::argument).find("holds a \"graph.json\" that is not") != std::string::npos);
  put(folder / "file", "text");
  CHECK(refusal(folder / "file", Code::argument).find("is a file or a link") != std::string::npos);
  CHECK(contents(folder / "file") == "text");
  CHECK(refusal(folder / "file/model", Code::io).ends_with("nothing was changed"));
  save(folder / "empty");
  put(folder / "empty/notes.txt", "mine");
  CHECK(refusal(folder / "empty", Code::argument).find("holds \"notes.txt\"") != std::string::npos);
  CHECK_EQ(names(folder / "empty").size(), std::size_t{3});
}

TEST(artifact_sweeps_drafts_of_the_dead_and_leaves_those_of_the_living) {
  const Folder folder;
  const std::string stem = ".athanor-" + machine_token() + "-";
  const auto draft = [&](const std::string& letters) {
    fs::create_directory(folder / (stem + letters));
    put(folder / (stem + letters + "/weights.safetensors"), "half of it");
  };
  draft("aaaaaaaaaaaa");
  draft("bbbbbbbbbbbb");
  draft("cccccccccccc");
  put(folder / (stem + "cccccccccccc/mine.txt"), "not a draft's");
  fs::create_directory(folder / ".athanor-mine");
  const Descriptor parent = folder.open(), living = open_folder(*parent, stem + "bbbbbbbbbbbb");
  CHECK(lock(*living) == Locked::yes);
  save(folder / "model");
  CHECK(!fs::exists(folder / (stem + "aaaaaaaaaaaa")));
  CHECK(fs::exists(folder / (stem + "bbbbbbbbbbbb/weights.safetensors")));
  CHECK(fs::exists(folder / (stem + "cccccccccccc/mine.txt")));
  CHECK(fs::exists(folder / ".athanor-mine"));
}

// A limit on the size of files stands in for a full disk.
TEST(artifact_that_cannot_be_written_leaves_the_old_one_and_no_draft) {
  const Folder folder;
  save(folder / "model", "old");
  const std::string before = contents(folder / "model/graph.json");
  rlimit limit{};
  ::getrlimit(RLIMIT_FSIZE, &limit);
  rlimit small = limit;
  small.rlim_cur = 1000;
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  ::setrlimit(RLIMIT_FSIZE, &small);
  const std::string sentence = refusal(folder / "model", Code::io), fresh = refusal(folder / "deep/new", Code::io);
  ::setrlimit(RLIMIT_FSIZE, &limit);
  std::signal(SIGXFSZ, handler);
  CHECK(sentence == "artifact.save: \"" + folder / "model" +
                        "\" could not be written: cannot write (File too large); nothing was changed");
  CHECK(fresh.find("File too large") != std::string::npos);
  CHECK(contents(folder / "model/graph.json") == before);
  CHECK(names(folder / "") == std::vector<std::string>{"model"});
}

}  // namespace
}  // namespace athanor::io
