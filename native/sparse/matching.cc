#include "sparse/matching.h"

namespace athanor::sparse {
namespace {

constexpr std::size_t kSearched = 256;  // elements of a search

std::size_t at(Index i) { return static_cast<std::size_t>(i); }

}  // namespace

Matching::Matching(Index columns) : of_(columns), element_(at(columns), -1) {}

template <class Do>
void Matching::each_slot(Index element, Do&& action) const {
  for (int t = 0; t * of_.count < windows_; ++t) {
    const Index slot = of_.window(t, column_[at(element)]);
    if (slot < windows_) action(slot);
  }
}

template <class Do>
void Matching::each_element(Index slot, Do&& action) const {
  const int t = static_cast<int>(slot / of_.count);
  const Index near = slot % of_.count, far = (near + of_.shift(t)) % of_.count;
  for (int i = 0; i < kSlotPlaces; ++i) {
    const Index k = ((SlotWindows::moved(t) >> i & 1) != 0 ? far : near) * kSlotPlaces + i;
    const std::int32_t element = k < static_cast<Index>(element_.size()) ? element_[at(k)] : -1;
    if (element >= 0 && slot_[at(element)] < 0) action(element);
  }
}

void Matching::take(Index element, Index slot) {
  slot_[at(element)] = static_cast<std::int32_t>(slot);
  element_of_[at(slot)] = static_cast<std::int32_t>(element);
  each_slot(element, [&](Index other) {
    if (element_of_[at(other)] < 0 && --wanted_[at(other)] == 1)
      forced_.push_back(static_cast<std::int32_t>(-1 - other));
  });
  each_element(slot, [&](Index other) {
    if (--choices_[at(other)] == 1) forced_.push_back(static_cast<std::int32_t>(other));
  });
}

void Matching::follow_forced() {
  while (!forced_.empty()) {
    const Index next = forced_.back();
    forced_.pop_back();
    Index element = -1, slot = -1;
    if (next < 0) {
      slot = -1 - next;
      if (element_of_[at(slot)] >= 0) continue;
      each_element(slot, [&](Index only) { element = only; });
    } else {
      element = next;
      if (slot_[at(element)] >= 0) continue;
      each_slot(element, [&](Index only) {
        if (element_of_[at(only)] < 0) slot = only;
      });
    }
    if (element >= 0 && slot >= 0) take(element, slot);
  }
}

bool Matching::move_others(Index element) {
  from_.assign(at(windows_), -1);
  queue_.assign(1, static_cast<std::int32_t>(element));
  for (std::size_t next = 0; next < queue_.size() && next < kSearched; ++next) {
    const std::int32_t here = queue_[next];
    Index found = -1;
    each_slot(here, [&](Index slot) {
      if (from_[at(slot)] >= 0 || found >= 0) return;
      from_[at(slot)] = here;
      if (element_of_[at(slot)] < 0)
        found = slot;
      else
        queue_.push_back(element_of_[at(slot)]);
    });
    while (found >= 0) {
      const std::int32_t moved = from_[at(found)], left = slot_[at(moved)];
      slot_[at(moved)] = static_cast<std::int32_t>(found), element_of_[at(found)] = moved;
      found = left;
    }
    if (slot_[at(element)] >= 0) return true;
  }
  return false;
}

Index Matching::match(const std::int32_t* columns, Index count, Index windows) {
  windows_ = windows;
  column_.assign(columns, columns + count);
  slot_.assign(at(count), -1);
  choices_.assign(at(count), 0);
  wanted_.assign(at(windows), 0);
  element_of_.assign(at(windows), -1);
  for (Index i = 0; i < count; ++i) element_[at(columns[i])] = static_cast<std::int32_t>(i);
  for (Index i = 0; i < count; ++i) each_slot(i, [&](Index slot) { ++choices_[at(i)], ++wanted_[at(slot)]; });
  for (Index i = 0; i < count; ++i)
    if (choices_[at(i)] == 1) forced_.push_back(static_cast<std::int32_t>(i));
  for (Index s = 0; s < windows; ++s)
    if (wanted_[at(s)] == 1) forced_.push_back(static_cast<std::int32_t>(-1 - s));
  for (Index i = 0; i < count; ++i) {
    follow_forced();
    if (slot_[at(i)] >= 0) continue;
    Index best = -1;
    each_slot(i, [&](Index slot) {
      if (element_of_[at(slot)] < 0 && (best < 0 || wanted_[at(slot)] < wanted_[at(best)])) best = slot;
    });
    if (best >= 0) take(i, best);
  }
  follow_forced();
  Index left = 0;
  for (Index i = 0; i < count; ++i)
    if (slot_[at(i)] < 0 && !move_others(i)) ++left;
  for (Index i = 0; i < count; ++i) element_[at(columns[i])] = -1;
  return left;
}

}  // namespace athanor::sparse
