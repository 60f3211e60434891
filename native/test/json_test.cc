// The JSON reader against RFC 8259: what must be taken, what must be refused, and that writing reads back.
#include "base/json.h"

#include <limits>
#include <random>

#include "base/error.h"
#include "base/sentence.h"
#include "test/test.h"

namespace athanor {
namespace {

using namespace std::string_literals;

std::string refusal(const std::string& text, const JsonLimits& limits = {}) {
  try {
    parse_json(text, limits);
  } catch (const Error& error) {
    return error.code() == Code::corrupt ? error.what() : "another code";
  }
  return "";
}

std::int64_t integer(const char* text) { return *parse_json(text).integer(); }
double real(const char* text) { return *parse_json(text).real(); }

TEST(json_reads_every_kind) {
  const Json value = parse_json(" {\"a\": [1, -2.5e3, true, false, null, \"x\"],\r\n\t\"b\": {}} ");
  const Json::Array& a = *value.find("a")->array();
  CHECK(a.size() == 6 && value.object()->size() == 2 && value.find("c") == nullptr);
  CHECK_EQ(*a[0].integer(), 1);
  CHECK_EQ(*a[1].real(), -2500.0);
  CHECK(*a[2].boolean() && !*a[3].boolean() && a[4].is_null() && *a[5].string() == "x");
  CHECK(value.find("b")->object()->empty());
}

TEST(json_numbers_are_exact) {
  CHECK_EQ(integer("9223372036854775807"), std::numeric_limits<std::int64_t>::max());
  CHECK_EQ(integer("-9223372036854775808"), std::numeric_limits<std::int64_t>::min());
  CHECK_EQ(real("9223372036854775808"), 9223372036854775808.0);
  CHECK_EQ(real("0.1"), 0.1);
  CHECK_EQ(real("1e-400"), 0.0);
  CHECK_EQ(real("4.9406564584124654e-324"), 4.9406564584124654e-324);
  CHECK(parse_json("-0").real() && std::signbit(real("-0")));
  CHECK(refusal("1e400") == "line 1, column 1: the number is out of the range of a double");
}

TEST(json_strings) {
  CHECK(*parse_json(R"("\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00")").string() == "\"\\/\b\f\n\r\té😀");
  CHECK(*parse_json("\"\\u0000\"").string() == "\0"s);
  CHECK(*parse_json("\"é€😀\"").string() == "é€😀");
}

TEST(json_refuses) {
  for (const char* text : {"",
                           " ",
                           "[",
                           "]",
                           "[1,]",
                           "[1 2]",
                           "{\"a\"}",
                           "{\"a\":}",
                           "{\"a\":1,}",
                           "{a:1}",
                           "{1:1}",
                           "{,}",
                           "01",
                           "-",
                           "+1",
                           ".5",
                           "1.",
                           "1e",
                           "1e+",
                           "0x1",
                           "NaN",
                           "Infinity",
                           "-Infinity",
                           "tru",
                           "nul",
                           "truee",
                           "\"",
                           "\"\\\"",
                           "\"\\x\"",
                           "\"\\u12\"",
                           "\"\\u12g4\"",
                           "\"\t\"",
                           "\"\n\"",
                           "'a'",
                           "1 1",
                           "[] []",
                           "// x\n1",
                           "/**/1",
                           "\"\\ud800\"",
                           "\"\\udc00\"",
                           "\"\\ud800\\u0041\"",
                           "\"\\ud800x\"",
                           "\xef\xbb\xbf{}",
                           "\xff",
                           "\"\xc0\x80\"",
                           "\"\xe0\x80\x80\"",
                           "\"\xed\xa0\x80\"",
                           "\"\xf4\x90\x80\x80\"",
                           "\"\xf0\x80\x80\x80\"",
                           "\"\x80\"",
                           "\"\xc3\"",
                           "\"\xf5\x80\x80\x80\""}) {
    CHECK_MESSAGE(!refusal(text).empty(), std::string("took ") + quoted(text));
  }
  CHECK(!refusal("1\0"s).empty());
}

TEST(json_sentences_say_where) {
  CHECK(refusal("{\"a\": 1,\n \"b\" 2}") == "line 2, column 6: expected \":\", got \"2\"");
  CHECK(refusal("[1, 2") == "line 1, column 6: expected \",\" or \"]\", got the end of the text");
  CHECK(refusal("{\"a\":1,\"b\":2,\"a\":3}") == "line 1, column 1: the key \"a\" occurs twice in this object");
  CHECK(refusal("\"\xff\"") == "line 1, column 2: expected UTF-8, got a byte that is not UTF-8");
}

TEST(json_limits) {
  const std::string deep = std::string(64, '[') + std::string(64, ']');
  CHECK(refusal(deep).empty());
  CHECK(refusal("[" + deep + "]") == "line 1, column 65: nested deeper than 64");
  CHECK(!refusal(std::string(1'000'000, '[')).empty());
  CHECK(!refusal("[1, 2, 3]", {.values = 3}).empty());
  CHECK(refusal("[1, 2, 3]", {.values = 4}).empty());
  CHECK(refusal("[1, 2, 3]", {.bytes = 8}) == "the text has 9 bytes, at most 8 are read");
}

TEST(json_writes_what_it_reads) {
  const Json value(Json::Object{{"text", "a\"\\\n\t\x01é"},
                                {"numbers", Json::Array{0, -7, 0.1, 1e300, 3.0, -0.0}},
                                {"nothing", Json()},
                                {"empty", Json::Array{}},
                                {"flag", true}});
  CHECK(write_json(value) ==
        "{\"text\":\"a\\\"\\\\\\n\\t\\u0001é\",\"numbers\":[0,-7,0.1,1e+300,3.0,-0.0],\"nothing\":null,"
        "\"empty\":[],\"flag\":true}");
  CHECK(parse_json(write_json(value)) == value);
  CHECK(parse_json(write_json(value, 2)) == value);
  CHECK(write_json(Json(Json::Array{1, Json::Array{2}}), 2) == "[\n  1,\n  [\n    2\n  ]\n]");
  CHECK_THROWS(write_json(Json(std::numeric_limits<double>::quiet_NaN())), Error);
  CHECK_THROWS(write_json(Json("\xff")), Error);
}

// Whatever bytes come: an error or a value, and a value reads back as itself.
TEST(json_survives_mutations) {
  const std::string base = R"({"a": [1, -2.5e3, true, null, "x\u00e9\n"], "b": {"c": {}, "d": [[], [0.5]]}, "e": "é"})";
  std::mt19937 random(3);
  int taken = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string text = base;
    for (unsigned i = 0; i <= random() % 3; ++i) {
      const std::size_t at = random() % text.size();
      switch (random() % 4) {
        case 0: text[at] = static_cast<char>(random()); break;
        case 1: text.erase(at, random() % 4); break;
        case 2: text.insert(at, 1, base[random() % base.size()]); break;
        default: text[at] = base[random() % base.size()];
      }
      if (text.empty()) text = " ";
    }
    try {
      const Json value = parse_json(text);
      CHECK(parse_json(write_json(value)) == value);
      ++taken;
    } catch (const Error& error) {
      CHECK(error.code() == Code::corrupt);
    }
  }
  CHECK(taken > 100);
}

TEST(sentences) {
  CHECK(grouped(Index{0}) == "0" && grouped(Index{999}) == "999" && grouped(Index{1000}) == "1,000");
  CHECK(grouped(Index{4194304}) == "4,194,304" && grouped(Index{-1234567}) == "-1,234,567");
  CHECK(grouped(std::numeric_limits<Index>::min()) == "-9,223,372,036,854,775,808");
  CHECK(quoted("a\nb") == "\"a\\u000ab\"");
  CHECK(quoted(std::string(79, 'a') + "é") == "\"" + std::string(79, 'a') + "…\"");
}

}  // namespace
}  // namespace athanor
