// The whole native test framework. A test file includes this once, writes TEST(name) { … } with CHECK, CHECK_EQ and
// CHECK_NEAR, and is built into one executable by scripts/native-test.mjs. A failed check is reported and the test goes
// on (at most 10 reports a test); SKIP("why") leaves the test. Arguments of the executable select tests by substring.
// The last line it prints is read by the runner: "N passed, N failed, N skipped".
#pragma once
#include <cmath>
#include <cstdio>
#include <cstring>
#include <exception>
#include <sstream>
#include <string>
#include <vector>

namespace athanor::test {

struct Case {
  const char* name;
  void (*body)();
};

struct Skip {
  std::string reason;
};

inline std::vector<Case>& cases() {
  static std::vector<Case> list;
  return list;
}

inline int& failures() {
  static int count = 0;
  return count;
}

struct Register {
  Register(const char* name, void (*body)()) { cases().push_back({name, body}); }
};

inline void report(const char* file, int line, const std::string& what) {
  if (++failures() <= 10) std::printf("  %s:%d: %s\n", file, line, what.c_str());
}

template <class A, class B>
std::string describe(const char* a_text, const A& a, const char* relation, const char* b_text, const B& b) {
  std::ostringstream out;
  out.precision(17);
  out << a_text << " " << relation << " " << b_text << ": got " << +a << " and " << +b;
  return out.str();
}

inline int run(int count, char** arguments) {
  int passed = 0, failed = 0, skipped = 0;
  for (const Case& item : cases()) {
    bool wanted = count < 2;
    for (int i = 1; i < count; ++i) wanted = wanted || std::strstr(item.name, arguments[i]) != nullptr;
    if (!wanted) continue;
    failures() = 0;
    try {
      item.body();
    } catch (const Skip& skip) {
      ++skipped;
      std::printf("skipped %s: %s\n", item.name, skip.reason.c_str());
      continue;
    } catch (const std::exception& error) {
      report(item.name, 0, std::string("threw: ") + error.what());
    } catch (...) {
      report(item.name, 0, "threw something that is no std::exception");
    }
    failures() == 0 ? ++passed : ++failed;
    std::printf("%s %s\n", failures() == 0 ? "ok     " : "FAILED ", item.name);
    std::fflush(stdout);
  }
  std::printf("%d passed, %d failed, %d skipped\n", passed, failed, skipped);
  return failed == 0 ? 0 : 1;
}

}  // namespace athanor::test

#define TEST(name)                                                            \
  static void test_##name();                                                  \
  static const ::athanor::test::Register register_##name(#name, test_##name); \
  static void test_##name()

#define SKIP(reason) \
  throw ::athanor::test::Skip { reason }

#define CHECK(condition)                                                       \
  do {                                                                         \
    if (!(condition)) ::athanor::test::report(__FILE__, __LINE__, #condition); \
  } while (false)

// A check with a sentence of its own (anything that converts to std::string), built only on failure.
#define CHECK_MESSAGE(condition, message)                                     \
  do {                                                                        \
    if (!(condition)) ::athanor::test::report(__FILE__, __LINE__, (message)); \
  } while (false)

#define CHECK_EQ(a, b)                                                                                        \
  do {                                                                                                        \
    const auto& check_a = (a);                                                                                \
    const auto& check_b = (b);                                                                                \
    if (!(check_a == check_b))                                                                                \
      ::athanor::test::report(__FILE__, __LINE__, ::athanor::test::describe(#a, check_a, "==", #b, check_b)); \
  } while (false)

// |a - b| <= bound; a NaN on either side fails.
#define CHECK_NEAR(a, b, bound)                                                                              \
  do {                                                                                                       \
    const double check_a = static_cast<double>(a);                                                           \
    const double check_b = static_cast<double>(b);                                                           \
    if (!(std::fabs(check_a - check_b) <= static_cast<double>(bound)))                                       \
      ::athanor::test::report(__FILE__, __LINE__, ::athanor::test::describe(#a, check_a, "~", #b, check_b)); \
  } while (false)

// The statement must throw an exception of that type.
#define CHECK_THROWS(statement, Type)                                                                   \
  do {                                                                                                  \
    bool check_thrown = false;                                                                          \
    try {                                                                                               \
      statement;                                                                                        \
    } catch (const Type&) {                                                                             \
      check_thrown = true;                                                                              \
    }                                                                                                   \
    if (!check_thrown) ::athanor::test::report(__FILE__, __LINE__, #statement " did not throw " #Type); \
  } while (false)

// A test file has its own main unless it says otherwise before the include.
#ifndef ATHANOR_TEST_NO_MAIN
int main(int count, char** arguments) { return ::athanor::test::run(count, arguments); }
#endif
