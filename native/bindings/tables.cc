// Rows of tables, read and made into numbers in the lane of samples.
#include "bindings/tables.h"

#include <memory>

#include "base/error.h"
#include "bindings/values.h"
#include "io/csv_rows.h"

namespace athanor::bindings {
namespace {

using SharedRule = std::shared_ptr<const CsvRule>;

std::vector<std::string> to_texts(Napi::Value value, const char* what) {
  const Napi::Array list = value.As<Napi::Array>();
  std::vector<std::string> texts;
  for (std::uint32_t i = 0; i < list.Length(); ++i) texts.push_back(to_text(list.Get(i), what));
  return texts;
}

CsvColumn to_column(const Napi::Object& given) {
  using Kind = CsvColumn::Kind;
  CsvColumn column;
  const std::string kind = to_text(given.Get("kind"), "kind"), unknown = to_text(given.Get("unknown"), "unknown");
  column.kind = kind == "number"        ? Kind::number
                : kind == "category"    ? Kind::category
                : kind == "labelNumber" ? Kind::label_number
                : kind == "labelClass"  ? Kind::label_class
                                        : Kind::ignored;
  column.feature = to_index(given.Get("feature"), "feature");
  column.offset = to_real(given.Get("offset"), "offset"), column.divisor = to_real(given.Get("divisor"), "divisor");
  column.has_fill = given.Get("fill").IsNumber();
  if (column.has_fill) column.fill = to_real(given.Get("fill"), "fill");
  column.has_indicator = given.Get("indicator").ToBoolean();
  const std::vector<std::string> names = to_texts(given.Get("names"), "names");
  for (std::size_t i = 0; i < names.size(); ++i) column.names.emplace(names[i], static_cast<Index>(i));
  if (given.Get("missingName").IsNumber()) column.missing_name = to_index(given.Get("missingName"), "missingName");
  column.unknown = unknown == "zeros"     ? CsvColumn::Unknown::zeros
                   : unknown == "missing" ? CsvColumn::Unknown::missing
                                          : CsvColumn::Unknown::refused;
  return column;
}

const char* name_of(CsvDamage damage) {
  switch (damage) {
    case CsvDamage::quote_in_cell: return "has a quote in the middle of a cell";
    case CsvDamage::text_after_quote: return "has text after a closing quote";
    case CsvDamage::quote_not_closed: return "opens a quote that is not closed";
    case CsvDamage::too_long: return "is longer than 4 MiB";
    case CsvDamage::none: break;
  }
  return nullptr;
}

Napi::Value from_scan(Napi::Env env, const CsvScan& scan) {
  Napi::Object made = Napi::Object::New(env);
  made["rows"] = Napi::Number::New(env, static_cast<double>(scan.rows));
  // Copied: the memory of buffers from outside cannot be handed over to another thread of JavaScript.
  made["x"] = copied(env, scan.x.data(), scan.x.size() * sizeof(float));
  made["y"] = copied(env, scan.y.data(), scan.y.size() * sizeof(std::uint32_t));
  made["offset"] = Napi::Number::New(env, static_cast<double>(scan.offset));
  made["line"] = Napi::Number::New(env, static_cast<double>(scan.line));
  made["hasEnded"] = Napi::Boolean::New(env, scan.has_ended);
  made["recordDelimiter"] = Napi::String::New(env, scan.record_delimiter);
  Napi::Array odd = Napi::Array::New(env, scan.odd.size());
  for (std::size_t i = 0; i < scan.odd.size(); ++i) {
    const CsvOddRow& row = scan.odd[i];
    Napi::HandleScope scope(env);
    Napi::Object each = Napi::Object::New(env);
    each["row"] = Napi::Number::New(env, static_cast<double>(row.row));
    each["line"] = Napi::Number::New(env, static_cast<double>(row.line));
    if (const char* damage = name_of(row.damage)) each["damage"] = Napi::String::New(env, damage);
    Napi::Array cells = Napi::Array::New(env, row.cells.size());
    for (std::size_t c = 0; c < row.cells.size(); ++c)
      cells[static_cast<std::uint32_t>(c)] = Napi::String::New(env, row.cells[c]);
    each["cells"] = cells;
    odd[static_cast<std::uint32_t>(i)] = each;
  }
  made["odd"] = odd;
  return made;
}

}  // namespace

Napi::Value csv_rule(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const Napi::Object given = info[0].As<Napi::Object>();
    auto rule = std::make_shared<CsvRule>();
    const Napi::Array columns = given.Get("columns").As<Napi::Array>();
    for (std::uint32_t i = 0; i < columns.Length(); ++i)
      rule->columns.push_back(to_column(columns.Get(i).As<Napi::Object>()));
    rule->missing_cells = to_texts(given.Get("missingCells"), "missingCells");
    rule->width = to_index(given.Get("width"), "width");
    rule->has_classes = given.Get("classes").ToBoolean();
    return Napi::External<SharedRule>::New(info.Env(), new SharedRule(std::move(rule)),
                                           [](Napi::Env, SharedRule* held) { delete held; });
  });
}

Napi::Value scan_csv(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const CsvFile file{static_cast<int>(to_index(info[0], "an open file")), to_text(info[1], "a path")};
    const Index offset = to_index(info[2], "an offset"), line = to_index(info[3], "a line");
    const Napi::Object grammar = info[4].As<Napi::Object>();
    const CsvGrammar how{to_text(grammar.Get("delimiter"), "delimiter"),
                         to_text(grammar.Get("recordDelimiter"), "recordDelimiter")};
    const SharedRule rule = info[5].IsExternal() ? *info[5].As<Napi::External<SharedRule>>().Data() : nullptr;
    const Index most = to_index(info[6], "a number of rows");
    const std::string operation = to_text(info[7], "an operation");
    const auto scan = std::make_shared<CsvScan>();
    return Environment::of(info.Env())
        .submit(
            Environment::Lane::data, std::make_shared<std::atomic<bool>>(false),
            [=] { *scan = athanor::scan_csv(file, offset, line, how, rule.get(), most, operation); },
            [scan](Napi::Env env) -> Napi::Value { return from_scan(env, *scan); });
  });
}

}  // namespace athanor::bindings
